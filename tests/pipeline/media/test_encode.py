"""The encoder, pixel format and settings that an output gets."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from retarget.pipeline.errors import OptionError
from retarget.pipeline.media.encode import _encoder_settings
from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.reader import open_video
from retarget.pipeline.media.writer import create_video
from retarget.pipeline.records import Color

from .conftest import (
    FFV1,
    TICK,
    make_clip,
    make_picture,
    needs_encoder,
    noise_picture,
    picture,
    rewrite,
    tag,
)


@pytest.mark.parametrize(
    ("options", "suffix", "name", "codec"),
    [
        (EncodeOptions(), ".mp4", "yuv420p", "h264"),
        (EncodeOptions(), ".mkv", "yuv420p", "h264"),
        (EncodeOptions("hevc"), ".mp4", "yuv420p", "hevc"),
        (EncodeOptions("hevc", 30, "ultrafast", "yuv420p10le"), ".mov", "yuv420p10le", "hevc"),
        (EncodeOptions("prores"), ".mov", "yuv422p10le", "prores"),
        (EncodeOptions("ffv1"), ".mkv", "yuv420p", "ffv1"),
        (EncodeOptions("mpeg4"), ".mp4", "yuv420p", "mpeg4"),
        (EncodeOptions("libvpx-vp9", crf=30), ".mkv", "yuv420p", "vp9"),
    ],
)  # fmt: skip
def test_codecs_out(tmp_path: Path, options: EncodeOptions, suffix: str, name: str, codec: str) -> None:
    needs_encoder(options.codec or "h264")
    path = make_clip(tmp_path / "a.mp4")
    rewrite(path, tmp_path / f"b{suffix}", options)
    with open_video(path) as before, open_video(tmp_path / f"b{suffix}") as after:
        one, two = list(before), list(after)
    assert (after.info.codec_name, after.info.pixel_format.name) == (codec, name)
    assert len(one) == len(two)
    scale = 4 if name.endswith("10le") else 1
    errors = [np.abs(a.planes[0] - b.planes[0] / scale).mean() for a, b in zip(one, two, strict=True)]
    assert max(errors) < (4 if options.crf or codec in ("mpeg4",) else 1.5)


def test_bit_depth_and_chroma_are_never_reduced_by_default(tmp_path: Path) -> None:
    for name, codec, suffix, expected in (
        ("yuv422p10le", "h264", ".mp4", "yuv422p10le"),
        ("yuv444p12le", "hevc", ".mp4", "yuv444p12le"),
        ("yuv444p", "prores", ".mov", "yuv444p10le"),
        ("yuva444p10le", "prores", ".mov", "yuva444p10le"),
    ):
        path = make_clip(tmp_path / "a.mkv", codec="ffv1", name=name, count=1, picture=noise_picture)
        with open_video(path) as video:
            out = create_video(tmp_path / f"b{suffix}", like=video, options=EncodeOptions(codec))
            assert out.pixel_format == expected
            assert out.notes == []


def test_what_an_encoder_cannot_keep_is_noted(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", name="yuv444p12le", count=1, picture=noise_picture)
    with open_video(path) as video:
        out = create_video(tmp_path / "b.mp4", like=video, options=EncodeOptions("h264"))
    assert out.pixel_format == "yuv444p10le"
    assert out.notes == ["libx264 has no yuv444p12le; written as yuv444p10le, which does not keep everything"]


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_odd_size_is_neither_padded_nor_cropped(tmp_path: Path, codec: str) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", size=(101, 67), count=2)
    notes = rewrite(path, tmp_path / "b.mp4", EncodeOptions(codec))
    info = open_video(tmp_path / "b.mp4").info
    assert (info.width, info.height, info.pixel_format.name) == (101, 67, "yuv444p")
    assert len(notes) == 1
    assert "cannot hold 101x67 as yuv420p; written as yuv444p" in notes[0]


def test_hdr_metadata_is_written_by_hevc_and_noted_otherwise(tmp_path: Path) -> None:
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    path = make_clip(
        tmp_path / "a.mp4", codec="libx265", name="yuv420p10le", count=4,
        setup=tag(Color("bt2020", False, 1, 9, 9, 16)),
        options={"x265-params": f"master-display={display}:max-cll=1000,400:log-level=none"},
    )  # fmt: skip
    expected = f"master-display={display}:max-cll=1000,400"
    assert open_video(path).hdr_parameters == expected
    assert rewrite(path, tmp_path / "b.mp4", EncodeOptions("hevc")) == []
    assert open_video(tmp_path / "b.mp4").hdr_parameters == expected
    notes = rewrite(path, tmp_path / "b.mkv", FFV1)
    assert notes == ["ffv1 does not write the HDR mastering metadata; its colour tags are kept"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("b.avi", EncodeOptions(), r"cannot write \.avi; use \.mp4, \.mov, \.m4v, \.mkv, \.webm or \.mxf"),
        ("b", EncodeOptions(), "cannot write a file without suffix"),
        ("b.%04d.mp4", EncodeOptions(), r"a frame number makes no sense in a \.mp4 file"),
        ("b.mp4", EncodeOptions("prores"), r"prores does not fit a \.mp4 file; use \.mov or \.mkv"),
        ("b.mp4", EncodeOptions("ffv1"), r"ffv1 does not fit a \.mp4 file; use \.mkv"),
        ("b.mp4", EncodeOptions("rawvideo"), r"rawvideo does not fit a \.mp4 file; use \.mov or \.mkv"),
        ("b.mp4", EncodeOptions("h265"), "no encoder is called h265; use h264, hevc, prores, ffv1"),
        ("b.mp4", EncodeOptions("aac"), "aac encodes audio, not video"),
        ("b.mp4", EncodeOptions(pixel_format="gbrp"), "libx264 has no pixel format gbrp; it has yuv420p"),
        ("b.mov", EncodeOptions("prores", crf=3), "prores_ks has no crf; leave it out"),
        ("b.mkv", EncodeOptions("ffv1", preset="slow"), "ffv1 has no preset; leave it out"),
        ("b.%d.png", EncodeOptions("h264"), "pictures take no codec, crf, preset or profile"),
        ("b.%d.png", EncodeOptions(pixel_format="yuv420p"), "png has no pixel format yuv420p; it has rgb24"),
    ],
)
def test_bad_options(clip: Path, name: str, options: EncodeOptions, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        create_video(clip.with_name(name), like=open_video(clip), options=options)
    assert sorted(p.name for p in clip.parent.iterdir()) == ["a.mp4"]


def test_odd_size_in_a_format_that_cannot_hold_it(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", size=(101, 67), count=1)
    with pytest.raises(OptionError, match="libx264 cannot hold 101x67 as yuv420p; leave the pixel format open"):
        create_video(tmp_path / "b.mp4", like=open_video(path), options=EncodeOptions(pixel_format="yuv420p"))


def test_x264_makes_the_same_bytes_of_the_same_frames() -> None:
    """Whatever was in the memory before. With AVX-512 it does not, most often without a pyramid of B-frames."""
    settings = _encoder_settings(Path("out.mp4"), "libx264", EncodeOptions(threads=1))
    settings["x264-params"] = ":".join([*settings.get("x264-params", "").split(), "b-pyramid=none"])
    random, made = np.random.default_rng(0), set()
    for _ in range(24):
        litter = [random.integers(0, 256, size, np.uint8) for size in random.integers(100, 200_000, 300)]
        del litter
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = 64, 48, "yuv420p"
        context.time_base, context.framerate, context.bit_rate = TICK, Fraction(24), 0
        context.options = dict(settings)
        packets = []
        for i in range(16):
            frame = picture(i, "yuv420p")
            frame.pts, frame.time_base = 25 * i, TICK
            packets += context.encode(frame)
        made.add(b"".join(map(bytes, packets + context.encode(None))))
    assert len(made) == 1


@pytest.mark.parametrize("name", ["rgb24", "rgba", "gray", "rgb48be"])
def test_pictures_become_film_that_players_open(tmp_path: Path, name: str) -> None:
    still = make_picture(tmp_path / "a.png", name, size=(33, 21))
    notes = rewrite(still, tmp_path / "b.mp4", EncodeOptions())
    frame = next(iter(open_video(tmp_path / "b.mp4")))
    assert (frame.pixel_format.name, frame.width, frame.height) == ("yuv420p", 34, 22)
    assert "33x21 is written as 34x22" in notes[0]
    np.testing.assert_allclose(frame.planes[0][:, 32].astype(int), frame.planes[0][:, 33], atol=8)


def test_pictures_are_what_is_asked_for(tmp_path: Path) -> None:
    still = make_picture(tmp_path / "a.png", "rgb24", size=(33, 21))
    rewrite(still, tmp_path / "b.mp4", EncodeOptions(pixel_format="yuv444p"))
    info = open_video(tmp_path / "b.mp4").info
    assert (info.pixel_format.name, info.width, info.height) == ("yuv444p", 33, 21)
    rewrite(still, tmp_path / "c.mkv", FFV1)
    assert open_video(tmp_path / "c.mkv").info.width == 33


def test_the_header_comes_first(clip: Path) -> None:
    for suffix in (".mp4", ".mov"):
        rewrite(clip, clip.with_name(f"b{suffix}"), EncodeOptions())
        data = clip.with_name(f"b{suffix}").read_bytes()
        assert data.index(b"moov") < data.index(b"mdat")


def test_pcm_in_mp4_is_warned_of(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mov", count=2, audio=["pcm_s16le"])
    assert rewrite(path, tmp_path / "b.mov", EncodeOptions()) == []
    (note,) = rewrite(path, tmp_path / "b.mp4", EncodeOptions())
    assert "is PCM: players of before 2023 play it as noise in .mp4; write .mov" in note
