from pathlib import Path
from typing import Any

from retarget.pipeline.media import open_video
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.review.driver_clip import DriverClip


def test_driver_clip_follows_the_source_time(clips: Any, tmp_path: Path) -> None:
    clip = clips.make(tmp_path / "driver.mkv", 8)
    with open_video(clip) as reader:
        driver = DriverClip(reader, 0.8, RetargetOptions(driver_offset_seconds=0.5))
        shown = [driver.at(seconds).index for seconds in (0.0, 0.5, 0.59, 0.6, 1.0, 1.2, 9.0, 0.7)]
    assert shown == [0, 0, 0, 1, 5, 7, 7, 2]


def test_looping_driver_clip_starts_again(clips: Any, tmp_path: Path) -> None:
    clip = clips.make(tmp_path / "driver.mkv", 8)
    with open_video(clip) as reader:
        driver = DriverClip(reader, 0.8, RetargetOptions(after="loop"))
        assert [driver.at(t / 100).index for t in (5, 75, 85, 155, 165)] == [0, 7, 0, 7, 0]
