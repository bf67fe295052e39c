from typing import Any

from retarget.pipeline.review.pictures import MOMENTS, chosen_frames


def test_what_is_shown_is_what_is_urgent(quality_with: Any, flag_of: Any) -> None:
    flags = (flag_of("face_count", 0, 60), flag_of("flicker", 70, 70), flag_of("flicker", 30, 31))
    chosen = chosen_frames(quality_with(*flags, edit=tuple(0.5 + (i == 85) for i in range(100))))
    assert len(chosen) == MOMENTS
    assert list(chosen) == sorted(chosen)
    assert chosen[30] == "Flicker"
    assert chosen[0] == "Face count"
    assert chosen[85] == "largest edit"


def test_a_clip_of_one_frame_shows_it(quality_with: Any) -> None:
    assert list(chosen_frames(quality_with(frames=1, edit=(0.0,)))) == [0]
