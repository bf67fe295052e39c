"""Pictures and sequences that are written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from retarget.pipeline.errors import VideoWriteError
from retarget.pipeline.media.convert import proxy
from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.reader import open_video
from retarget.pipeline.records import Color

from .conftest import (
    BLUE,
    COUNT,
    FILM,
    GREEN,
    RED,
    WHITE,
    Killed,
    assert_same_pictures,
    corner_colors,
    corners,
    darkened,
    make_clip,
    make_picture,
    noise_picture,
    pieces_in,
    rewrite,
    tag,
    times,
    write,
)


@pytest.mark.parametrize(
    ("suffix", "name", "planar"),
    [
        (".png", "rgb24", "gbrp"),
        (".png", "rgb48be", "gbrp16le"),
        (".png", "rgba", "gbrap"),
        (".png", "gray", "gray"),
        (".png", "gray16be", "gray16le"),
        (".tif", "rgb24", "gbrp"),
        (".tif", "rgb48le", "gbrp16le"),
        (".tif", "gray16le", "gray16le"),
    ],
)
@pytest.mark.parametrize("pattern", ["%04d", "####"])
def test_image_sequences_in_and_out(tmp_path: Path, suffix: str, name: str, planar: str, pattern: str) -> None:
    for number in range(1001, 1004):
        make_picture(tmp_path / f"in.{number}{suffix}", name, number)
    source = tmp_path / f"in.{pattern}{suffix}"
    rewrite(source, tmp_path / f"out.{pattern}{suffix}", EncodeOptions())
    with open_video(source) as video:
        assert times(video) == [0, FILM, 2 * FILM]
    assert (video.info.pixel_format.name, video.first_number, video.info.is_still) == (planar, 1001, False)
    assert video.info.color.full_range
    assert video.info.color.matrix == ("rgb" if planar.startswith("gb") else "bt601")
    assert sorted(p.name for p in tmp_path.glob("out.*")) == [f"out.{n}{suffix}" for n in (1001, 1002, 1003)]
    assert_same_pictures(source, tmp_path / f"out.{pattern}{suffix}")
    assert not list(tmp_path.glob(".*"))


def test_video_to_pictures_and_one_picture(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.mkv", codec="ffv1", name="yuv444p", count=2, picture=corners, size=(96, 64),
        setup=tag(Color("bt709", False, 1, 1, 1, 1)),
    )  # fmt: skip
    rewrite(path, tmp_path / "out.%04d.png", EncodeOptions())
    with open_video(tmp_path / "out.%04d.png") as video:
        frames = list(video)
    assert video.first_number == 1
    assert corner_colors(proxy(frames[1], video.info, 96)) == [RED, GREEN, BLUE, WHITE]
    ten_bit = make_clip(tmp_path / "t.mkv", codec="ffv1", name="yuv422p10le", count=1, picture=noise_picture)
    rewrite(ten_bit, tmp_path / "one.png", EncodeOptions())
    assert open_video(tmp_path / "one.png").info.pixel_format.name == "gbrp16le"
    with pytest.raises(VideoWriteError, match=r"is one picture, but there are more frames; .*two\.%04d\.png"):
        rewrite(path, tmp_path / "two.png", EncodeOptions())
    assert not (tmp_path / "two.png").exists()


def test_pictures_of_a_sequence_are_not_made_again(film: Path, tmp_path: Path) -> None:
    out, folder = tmp_path / "out.%04d.png", tmp_path / "pieces"
    write(film, tmp_path / "whole.%04d.png", EncodeOptions(), None, change=darkened)
    for kill_at, left in ((10, 0), (17, 17), (39, 39)):
        with pytest.raises(Killed):
            write(film, out, EncodeOptions(), pieces_in(folder), kill_at=kill_at, change=darkened)
        assert not list(tmp_path.glob("out.*.png"))
        assert len(list(tmp_path.glob(".out.part/*.png"))) == left
    assert write(film, out, EncodeOptions(), pieces_in(folder), change=darkened) == (32, 32)
    made, whole = (sorted(tmp_path.glob(f"{name}.*.png")) for name in ("out", "whole"))
    assert [path.read_bytes() for path in made] == [path.read_bytes() for path in whole]
    assert len(made) == COUNT
    assert not (tmp_path / ".out.part").exists()


@pytest.mark.parametrize("harm", ["another", "length", "gone", "no note"])
def test_pictures_that_do_not_belong_are_made_again(film: Path, tmp_path: Path, harm: str) -> None:
    out, pieces = tmp_path / "out.%04d.png", pieces_in(tmp_path / "pieces")
    with pytest.raises(Killed):
        write(film, out, EncodeOptions(), pieces, kill_at=40)
    if harm == "another":
        pieces = replace(pieces, belongs_to="b")
    elif harm == "length":
        pieces = replace(pieces, seconds=3.0)
    elif harm == "gone":
        (tmp_path / ".out.part" / "out.0003.png").unlink()
    else:
        (tmp_path / "pieces" / "pictures.json").write_text("{")
    assert write(film, out, EncodeOptions(), pieces) == (0, 0)
    assert len(list(tmp_path.glob("out.*.png"))) == COUNT
