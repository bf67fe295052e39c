"""What is put into a movie's header, as FFmpeg reads it back."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import pytest

from retarget.pipeline.media.boxes import Box, entry_of, video_boxes
from retarget.pipeline.media.movie_header import HeaderChanges, MovieSource, finish_movie
from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.reader import open_video

from .conftest import CLAP, film_with, make_clip, rewrite

DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


@pytest.fixture
def reel(tmp_path: Path) -> Path:
    """Its timecode track names a reel."""
    name = Box(b"name", struct.pack(">HH", 4, 0) + b"A001").to_bytes()
    return film_with(tmp_path / "reel.mov", lambda entry: entry[4:34] + name)


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """Its second track is a camera's own, of which FFmpeg knows nothing but that it is data."""
    inner = bytes(6) + b"\0\1" + Box(b"keys", b"12345678").to_bytes()
    return film_with(tmp_path / "camera.mov", lambda _: b"mebx" + inner)


def test_what_a_source_says(reel: Path, camera: Path) -> None:
    kinds = [[movie.kind(n) for n in movie.tracks] for movie in map(MovieSource.read, (reel, camera))]
    assert kinds == [["apch", "tmcd"], ["apch", "mebx"]]
    assert MovieSource.read(camera).clean_aperture(1) == CLAP
    assert MovieSource.read(reel).reel_boxes().endswith(b"A001")
    assert MovieSource.read(reel.with_name("gone")).kind(1) == ""


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_reel_and_aperture_are_kept(reel: Path, suffix: str) -> None:
    assert rewrite(reel, reel.with_name(f"b{suffix}"), EncodeOptions()) == []
    after = MovieSource.read(reel.with_name(f"b{suffix}"))
    assert after.clean_aperture(1) == CLAP
    with av.open(str(reel.with_name(f"b{suffix}"))) as out:
        assert "A001" in [s.metadata.get("reel_name") for s in out.streams if s.type == "data"]


def test_a_camera_s_data_is_kept_with_its_description(camera: Path) -> None:
    assert rewrite(camera, camera.with_name("b.mov"), EncodeOptions()) == []
    before, after = MovieSource.read(camera), MovieSource.read(camera.with_name("b.mov"))
    assert entry_of(after.tracks[2]) == entry_of(before.tracks[2])
    with av.open(str(camera)) as source, av.open(str(camera.with_name("b.mov"))) as out:
        found = [[bytes(p) for p in film.demux(film.streams[1]) if p.size] for film in (source, out)]
    assert found[0] == found[1] != []


def test_data_that_cannot_be_kept_is_named_by_its_kind(camera: Path) -> None:
    """Not taken for a timecode track, whatever tags it has."""
    notes = rewrite(camera, camera.with_name("b.mp4"), EncodeOptions())
    assert "data stream 1 (mebx) left out: mp4 cannot hold it" in notes


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_tags_of_any_name(tmp_path: Path, suffix: str) -> None:
    path = make_clip(tmp_path / f"a{suffix}", count=1)
    tags = {"scene": "12A", "com.arri.camera.ReelName": "A001", "ünicode": "ä"}
    finish_movie(path, HeaderChanges(tags=tags, described_by={}, video=0, is_quicktime=suffix == ".mov"))
    with av.open(str(path)) as film:
        assert tags.items() <= film.metadata.items()


@pytest.mark.parametrize(
    ("name", "codec"), [("b.mov", "prores"), ("b.mov", "dnxhd"), ("b.mp4", "h264"), ("b.mkv", "h264")]
)
def test_hdr_metadata_is_kept(tmp_path: Path, name: str, codec: str) -> None:
    path = make_clip(
        tmp_path / "a.mp4", codec="libx265", name="yuv420p10le", count=6, size=(256, 144),
        options={"x265-params": f"master-display={DISPLAY}:max-cll=1000,400:log-level=none"},
    )  # fmt: skip
    notes = rewrite(path, tmp_path / name, EncodeOptions(codec))
    assert not [note for note in notes if "HDR" in note]
    assert open_video(tmp_path / name).hdr_parameters == f"master-display={DISPLAY}:max-cll=1000,400"
    if codec != "h264":
        found = video_boxes(entry_of(MovieSource.read(tmp_path / name).tracks[1]))
        assert struct.unpack(">2H", found[b"clli"]) == (1000, 400)
