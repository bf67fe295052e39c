"""Alpha: read where a decoder gives it, kept where a file can hold it, named where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from retarget.pipeline.media.alpha import looks_premultiplied
from retarget.pipeline.media.convert import proxy
from retarget.pipeline.media.formats import planar_format
from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.reader import open_video

from .conftest import make_clip, rewrite


def cut_out(width: int, height: int, index: int, name: str) -> av.VideoFrame:
    """White within a soft disc, black and transparent around it."""
    y, x = np.mgrid[:height, :width]
    alpha = np.clip((height / 3 - np.hypot(x - width / 2, y - height / 2)) / 8 + 0.5, 0, 1)
    picture = np.dstack([np.where(alpha[..., None] > 0, 255, 0).repeat(3, 2), alpha * 255]).astype(np.uint8)
    return av.VideoFrame.from_ndarray(picture, "rgba").reformat(format=name)


@pytest.fixture
def webm(tmp_path: Path) -> Path:
    def setup(_: Any, stream: Any) -> None:
        stream.metadata["alpha_mode"] = "1"

    return make_clip(
        tmp_path / "a.webm", codec="libvpx-vp9", name="yuva420p", count=2, picture=cut_out, setup=setup,
        options={"crf": "4", "b": "0"},
    )  # fmt: skip


def alpha_of(path: Path) -> np.ndarray[Any, Any]:
    video = open_video(path)
    assert video.info.pixel_format.has_alpha, path
    frame = next(iter(video))
    return np.asarray(frame.planes[-1] / (2**frame.pixel_format.depth_bits - 1))


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("b.mov", "prores"),
        ("b.mkv", "ffv1"),
        ("b.webm", None),
        ("b.mkv", "vp9"),
        ("b.%04d.png", None),
        ("b.%d.tif", None),
    ],
)
def test_alpha_is_kept(webm: Path, name: str, codec: str | None) -> None:
    assert not [note for note in rewrite(webm, webm.with_name(name), EncodeOptions(codec)) if "alpha" in note]
    np.testing.assert_allclose(alpha_of(webm.with_name(name)), alpha_of(webm), atol=0.02)


@pytest.mark.parametrize(("name", "codec"), [("b.mp4", "h264"), ("b.mp4", "hevc"), ("b.mkv", "h264")])
def test_alpha_that_is_lost_is_named(webm: Path, name: str, codec: str) -> None:
    notes = rewrite(webm, webm.with_name(name), EncodeOptions(codec))
    assert len(notes) == 1, notes
    (note,) = notes
    assert note.startswith("alpha is lost: libx26")
    assert "ProRes 4444 in .mov" in note
    with av.open(str(webm.with_name(name))) as out:
        assert "alpha_mode" not in {key.lower() for key in out.streams.video[0].metadata}


def test_what_is_transparent_is_shown_over_gray(webm: Path) -> None:
    video = open_video(webm)
    shown = proxy(next(iter(video)), video.info, 64)
    assert shown[0, 0].tolist() == pytest.approx([118] * 3, abs=2)
    assert shown[24, 32].tolist() == pytest.approx([255] * 3, abs=3)


@pytest.mark.parametrize("name", ["gbrap", "yuva444p", "yuva422p10le"])
def test_colours_that_are_multiplied_with_alpha_are_told_by_the_picture(name: str) -> None:
    pixel_format, ramp = planar_format(name), np.tile(np.linspace(0, 1, 64), (48, 1))
    top = 2**pixel_format.depth_bits - 1
    is_full = name == "gbrap"
    black, span = (0, 1) if is_full else (16 / 255, 219 / 255)
    for level, is_premultiplied in ((ramp, True), (np.ones_like(ramp), False)):
        color = (np.rint((black + span * level) * top)).astype(pixel_format.dtype)
        rest = [color, color] if is_full else [np.full_like(color, top // 2)] * 2
        planes = (color, *rest, np.rint(ramp * top).astype(pixel_format.dtype))
        assert looks_premultiplied(planes, pixel_format, full_range=is_full) == is_premultiplied
    opaque = (color, *rest, np.full_like(color, top))
    assert not looks_premultiplied(opaque, pixel_format, full_range=is_full), "nothing can be told"
