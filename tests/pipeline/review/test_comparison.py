from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from retarget.pipeline.media import open_video
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.report import Report
from retarget.pipeline.review.comparison import panel_sizes
from retarget.pipeline.review.preview_job import preview
from retarget.pipeline.run import retarget_video

SAMPLES = Path(__file__).resolve().parents[3] / "samples"


def sound_packets(path: Path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.audio[0])
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in packets if packet.size]


@pytest.fixture
def film(clips: Any, plant: Any, smile: Path, tmp_path: Path) -> tuple[Path, Report]:
    clip = clips.make(tmp_path / "sounding.mp4", 20, audio=True)
    report = preview(clip, smile, tmp_path / "sheet.png", moments=2, side_by_side=tmp_path / "film.mp4")
    return tmp_path / "film.mp4", report


def test_comparison_keeps_times_and_sound(video_times: Any, film: tuple[Path, Report]) -> None:
    path, report = film
    source = path.with_name("sounding.mp4")
    assert video_times(path) == video_times(source)
    assert sound_packets(path) == sound_packets(source)
    assert (report.frames, report.frames_edited) == (20, 20)
    assert report.details["side_by_side"] == str(path)


def test_comparison_is_h264_of_source_and_result(clips: Any, film: tuple[Path, Report]) -> None:
    with av.open(str(film[0])) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(stream)]
    assert frames[0].shape == (clips.HEIGHT + 22, 2 * clips.WIDTH, 3)
    for index in (0, 19):
        before, after = frames[index][: clips.HEIGHT, : clips.WIDTH], frames[index][: clips.HEIGHT, clips.WIDTH :]
        assert abs(before[10, 10] - clips.gray(index)).max() <= 4
        assert np.abs(after - before)[:, :60].mean() < 2
        assert np.abs(after - before)[130:200, 130:270].max() > 50


def test_comparison_of_a_trimmed_source_is_timed_as_the_result(
    video_times: Any, clips: Any, plant: Any, smile: Path, tmp_path: Path
) -> None:
    clip = clips.make(tmp_path / "sounding.mp4", 20, audio=True)
    options = RetargetOptions(trim_start=0.5, trim_end=1.5)
    retarget_video(clip, smile, tmp_path / "result.mp4", options)
    report = preview(clip, smile, tmp_path / "sheet.png", options, moments=10, side_by_side=tmp_path / "film.mp4")
    assert report.details["moments"] == [pytest.approx(i / clips.RATE) for i in range(10)]
    assert video_times(tmp_path / "film.mp4") == video_times(tmp_path / "result.mp4")
    assert sound_packets(tmp_path / "film.mp4") == sound_packets(tmp_path / "result.mp4")


def test_comparison_has_even_sides_and_the_driver_beside(clips: Any, plant: Any, tmp_path: Path) -> None:
    plant(driver=lambda seconds: {"AU12": 0.2 + seconds})
    source = clips.make(tmp_path / "odd.mkv", 4, size=(321, 241))
    driver = clips.make(tmp_path / "driver.mkv", 4, size=(120, 80))
    preview(source, driver, tmp_path / "sheet.png", moments=1, side_by_side=tmp_path / "film.mkv")
    with av.open(str(tmp_path / "film.mkv")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (320 + 320 + 360, 240 + 22)
        last = list(container.decode(stream))[-1].to_ndarray(format="rgb24").astype(int)
    assert abs(last[10, -10] - clips.gray(3)).max() <= 4


def test_wide_comparisons_are_scaled_down() -> None:
    info = open_video(SAMPLES / "actress.mp4").info
    large = replace(info, width=4096, height=2160)
    sizes = panel_sizes([large, large, info])
    assert 3836 <= sum(width for width, _ in sizes) <= 3844
    assert {height for _, height in sizes} == {sizes[0][1]}
