"""The boxes of a movie's header."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from retarget.pipeline.media.boxes import (
    Box,
    BoxError,
    _moved,
    add_to_video,
    boxes_in,
    entry_of,
    header_of,
    replace_header,
    track_id,
    video_boxes,
)

from .conftest import assert_same_pictures, make_clip


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "a.mov", audio=["aac"])


def test_a_header_is_read_and_written_as_it_was(film: Path) -> None:
    header = header_of(film)
    assert header is not None
    assert header.to_bytes() in film.read_bytes()
    tracks = header.all(b"trak")
    assert [track_id(track) for track in tracks] == [1, 2]
    assert [entry_of(track)[4:8] for track in tracks] == [b"avc1", b"mp4a"]
    assert b"avcC" in video_boxes(entry_of(tracks[0]))


def test_what_is_no_movie_has_no_header(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"no movie, but long enough")
    assert header_of(tmp_path / "a.txt") is None
    assert header_of(tmp_path / "gone.mov") is None


def test_a_changed_header_comes_first_and_leads_to_the_same_samples(film: Path, tmp_path: Path) -> None:
    before = tmp_path / "before.mov"
    before.write_bytes(film.read_bytes())
    header = header_of(film)
    assert header is not None
    add_to_video(header.all(b"trak")[0], {b"clli": struct.pack(">HH", 1000, 400)})
    header.put(Box(b"free", bytes(5000)))
    replace_header(film, header)
    names = [box.name for box in boxes_in(film.read_bytes())]
    assert names[:2] == [b"ftyp", b"moov"]
    assert names.count(b"moov") == 1
    assert_same_pictures(before, film)
    again = header_of(film)
    assert again is not None
    assert video_boxes(entry_of(again.all(b"trak")[0]))[b"clli"] == struct.pack(">HH", 1000, 400)


def test_places_beyond_32_bits(film: Path) -> None:
    header = header_of(film)
    assert header is not None
    table = header.all(b"trak")[0].find(b"mdia", b"minf", b"stbl", b"stco")
    assert table is not None
    table.data = struct.pack(">III", 0, 1, (1 << 32) - 8)
    moved = next(boxes_in(_moved(header, 0)))
    found = moved.all(b"trak")[0].find(b"mdia", b"minf", b"stbl", b"co64")
    assert found is not None
    assert struct.unpack(">IIQ", found.data)[2] == (1 << 32) - 8 + len(moved.to_bytes())


def test_a_file_without_such_a_header_is_left(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", count=1)
    data = path.read_bytes()
    with pytest.raises(BoxError, match="is no film with one header"):
        replace_header(path, Box(b"moov"))
    assert path.read_bytes() == data


def test_a_damaged_tail_is_left_out() -> None:
    whole = Box(b"free", b"1234").to_bytes()
    assert [box.data for box in boxes_in(whole + whole[:6])] == [b"1234"]
    assert [box.name for box in boxes_in(whole + struct.pack(">I4s", 99, b"free"))] == [b"free"]
