"""Two films in step: made clips, and a face that is planted on one of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.errors import RetargetError
from retarget.pipeline.faces import canonical_face
from retarget.pipeline.media import open_video
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.report import Report
from retarget.pipeline.review.quality import QcInput
from retarget.pipeline.review.requested import PlannedFace
from retarget.pipeline.review.side_by_side import SideBySide, open_both, open_source


def job(source: Path, output: Path, report: Any = None, **options: Any) -> QcInput:
    return QcInput(
        name="job",
        source=source,
        output=output,
        report=report,
        state="done",
        error="",
        seconds={},
        options=RetargetOptions(**options),
    )


FACE = canonical_face() * 60 + (200, 110, 0)
"""Where the clips show one."""


def analysis(*shots: tuple[int, int]) -> Any:
    made = [SimpleNamespace(number=i, first_frame=a, last_frame=b) for i, (a, b) in enumerate(shots)]
    return SimpleNamespace(shots=made, frame_count=shots[-1][1] + 1, landmarks=lambda *_: FACE)


def test_the_output_comes_with_the_shots_of_the_source(clips: Any, tmp_path: Path) -> None:
    paths = [clips.make(tmp_path / name, 6) for name in ("a.mkv", "b.mkv")]
    with open_video(paths[0]) as source, open_video(paths[1]) as output:
        pairs = SideBySide(source, output, analysis((0, 2), (3, 5)), [])
        assert [(frame.index, shot) for frame, shot in pairs] == [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 1)]
    assert pairs.output_frames == 6


@pytest.mark.parametrize("frames", [4, 8])
def test_frames_of_one_film_alone_are_counted_and_not_compared(frames: int, clips: Any, tmp_path: Path) -> None:
    paths = clips.make(tmp_path / "a.mkv", 6), clips.make(tmp_path / "b.mkv", frames)
    with open_video(paths[0]) as source, open_video(paths[1]) as output:
        pairs = SideBySide(source, output, analysis((0, 5)), [])
        assert len(list(pairs)) == min(frames, 6)
    assert pairs.output_frames == frames


def test_a_planned_face_is_looked_at_where_it_is(clips: Any, make_track: Any, tmp_path: Path) -> None:
    path = clips.make(tmp_path / "a.mkv", 6)
    track = make_track([1, 2, 4], center=clips.FACE_CENTER)
    track.alignments[:] = (*clips.FACE_CENTER, np.log(clips.EYES_PX), 0)
    with open_video(path) as source, open_video(path) as output:
        pairs = SideBySide(source, output, analysis((0, 5)), [PlannedFace(track, 0, None)])
        assert len(list(pairs)) == 6
    (looks,) = pairs.looks
    assert (looks.sharpness > 0.5).all(), "stripes are sharp"
    np.testing.assert_array_equal(looks.sharpness[:, 0], looks.sharpness[:, 1])
    pictures = pairs.judges[0].pictures()
    np.testing.assert_array_equal(pictures.never_seen, 0)
    assert np.isnan(pictures.new_edges).all(), "nobody was found in the output yet"
    found = SimpleNamespace(index=1, faces=(clips.face(),))
    pairs.find(found)
    np.testing.assert_array_equal(pairs.judges[0].pictures().new_edges, [0, np.nan, np.nan])


def test_tracks_of_a_person_share_its_colours(clips: Any, make_track: Any, tmp_path: Path) -> None:
    paths = [clips.make(tmp_path / name, 4) for name in ("a.mkv", "b.mkv")]
    tracks = [replace(make_track([i]), person=person) for i, person in ((0, 1), (1, 1), (2, 0))]
    for track in tracks:
        track.alignments[:] = (*clips.FACE_CENTER, np.log(clips.EYES_PX), 0)
    with open_video(paths[0]) as source, open_video(paths[1]) as output:
        plans = [PlannedFace(track, 0, None) for track in tracks]
        first, second, stranger = SideBySide(source, output, analysis((0, 3)), plans).judges
    assert first.colors is second.colors
    assert stranger.colors is not first.colors


def test_the_source_is_trimmed_as_it_was(clips: Any, tmp_path: Path) -> None:
    path = clips.make(tmp_path / "a.mkv", 20)
    source, output = open_both(job(path, path, trim_start=0.5, trim_end=1.0), path)
    with source, output:
        assert (len(list(source)), len(list(output))) == (5, 20)


def test_a_still_is_shown_as_long_as_it_was(samples: Path) -> None:
    with open_source(job(samples / "astronaut.png", samples / "smile.mp4", Report(frames=36))) as source:
        assert len(list(source)) == 36


def test_films_of_two_sizes_do_not_belong_together(clips: Any, tmp_path: Path) -> None:
    one, other = clips.make(tmp_path / "a.mkv", 2), clips.make(tmp_path / "b.mkv", 2, size=(160, 120))
    with pytest.raises(RetargetError, match=r"b\.mkv: is 160x120, its source 320x240; run the job again"):
        open_both(job(one, other), other)
