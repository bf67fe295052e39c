"""Shots laid on their files, with handles."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from retarget.pipeline.editorial.load import load_timeline
from retarget.pipeline.editorial.media_info import MediaInfo, probe_media
from retarget.pipeline.editorial.place import place_shot
from retarget.pipeline.editorial.shot import TimelineShot
from retarget.pipeline.editorial.timeline import Timeline, TimelineError


def loaded(path: Path) -> Timeline:
    return load_timeline(path, media=path.parent / "plates")


def test_a_shot_is_laid_on_its_file_with_the_handles_it_has(cut: Path) -> None:
    first, second, third = loaded(cut).shots
    assert first.media is not None
    media = probe_media(first.media)
    assert (media.start_frame, media.frame_count) == (86400, 48)
    placed = place_shot(first, media, handles_frames=12)
    # only ten frames lie before the cut; twelve and more behind it
    assert (placed.first_frame, placed.head_frames, placed.tail_frames) == (0, 10, 12)
    assert placed.trim_start_seconds is None
    assert placed.trim_end_seconds == pytest.approx(32 / 24)
    last = place_shot(third, media, handles_frames=12)
    assert (last.first_frame, last.head_frames, last.tail_frames, last.length_frames) == (12, 12, 4, 36)
    assert last.trim_start_seconds == pytest.approx(0.5)
    assert last.trim_end_seconds is None
    assert last.head_seconds == pytest.approx(0.5)
    assert second.media is not None
    bare = place_shot(second, probe_media(second.media))
    assert (bare.first_frame, bare.length_frames) == (5, 10)


@pytest.fixture
def shot() -> TimelineShot:
    return TimelineShot(
        number=1, name="a", clip_name="a", track="V", media=Path("a.mov"), rate=Fraction(24), start_frame=10,
        frame_count=10, record_frame=0, record_rate=Fraction(24),
    )  # fmt: skip


def test_placing_outside_of_the_file(shot: TimelineShot) -> None:
    media = MediaInfo(Path("a.mov"), Fraction(24), 18, 0)
    with pytest.raises(TimelineError, match=r"a\.mov: has frames 0 to 17, the shot wants 10 to 19; .*media_start"):
        place_shot(shot, media)
    with pytest.raises(TimelineError, match="the shot wants -5 to 4"):
        place_shot(shot, media, media_start_frame=15)
    assert place_shot(shot, media, media_start_frame=8).first_frame == 2
    # one frame too many is how some systems count the end; a file of unknown length is taken at its word
    assert place_shot(shot, replace(media, frame_count=19)).frame_count == 9
    assert place_shot(shot, replace(media, frame_count=0), handles_frames=5).tail_frames == 5


def test_a_file_whose_timecode_is_none(shot: TimelineShot) -> None:
    media = MediaInfo(Path("a.mov"), Fraction(24), 18, timecode="00:00:00:30")
    with pytest.raises(
        TimelineError, match=r"a\.mov: its timecode cannot be read: '00:00:00:30' is no timecode at 24"
    ):
        place_shot(shot, media)
    assert place_shot(shot, media, media_start_frame=8).first_frame == 2  # which need not be read


def test_placing_at_another_rate(shot: TimelineShot) -> None:
    media = MediaInfo(Path("a.mov"), Fraction(48), 100, 0)
    placed = place_shot(shot, media, handles_frames=4)
    assert (placed.first_frame, placed.frame_count, placed.rate) == (16, 20, Fraction(48))
    slowed = MediaInfo(Path("a.mov"), Fraction(24000, 1001), 100, 0)
    assert place_shot(shot, slowed).first_frame == 10  # the same frames, a thousandth slower
    with pytest.raises(TimelineError, match=r"runs at 48 frames per second, the EDL seems to count at 24; say"):
        place_shot(replace(shot, is_rate_guessed=True), media)
