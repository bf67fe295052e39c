"""Pieces on the disk: whole or not at all, and only those that belong."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from retarget.pipeline.media.pieces import (
    LEAST_FRAMES,
    About,
    Pieces,
    PieceWriter,
    StoredPacket,
    drop_pieces,
    kept_pieces,
)


def keep(folder: Path, number: int, *, first: int, belongs_to: str = "a", count: int = 3) -> Path:
    writer = PieceWriter(folder, number)
    for i in range(count):
        writer.add(StoredPacket(first + i, first + i - 2, 1, i == 0, bytes([number, i]) * (i + 1)))
    writer.finish(About(belongs_to=belongs_to, first_frame=first, frames=count, changed_frames=1))
    return folder / f"{number:05d}.piece"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_piece_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    keep(tmp_path / "new" / "folder", 0, first=0)
    (piece,) = kept_pieces(tmp_path / "new" / "folder", "a")
    assert piece.about == About(belongs_to="a", first_frame=0, frames=3, changed_frames=1)
    assert list(piece.packets()) == [
        StoredPacket(0, -2, 1, True, b"\0\0"),
        StoredPacket(1, -1, 1, False, b"\0\1\0\1"),
        StoredPacket(2, 0, 1, False, b"\0\2\0\2\0\2"),
    ]
    assert piece.shown_pts() == [0, 1, 2]


def test_pieces_count_from_the_first_without_a_gap(tmp_path: Path) -> None:
    for number in (0, 1, 3):
        keep(tmp_path, number, first=3 * number)
    assert [piece.about.first_frame for piece in kept_pieces(tmp_path, "a")] == [0, 3]
    assert names(tmp_path) == ["00000.piece", "00001.piece"]


def test_pieces_of_something_else_go(tmp_path: Path) -> None:
    keep(tmp_path, 0, first=0)
    assert kept_pieces(tmp_path, "b") == []
    assert names(tmp_path) == []


def test_pieces_that_do_not_follow_on_go(tmp_path: Path) -> None:
    keep(tmp_path, 0, first=0)
    keep(tmp_path, 1, first=4)
    assert len(kept_pieces(tmp_path, "a")) == 1
    assert names(tmp_path) == ["00000.piece"]


@pytest.mark.parametrize("harm", ["a byte", "cut off", "empty", "no zip", "a packet too few"])
def test_a_piece_that_is_not_whole_is_none(tmp_path: Path, harm: str) -> None:
    keep(tmp_path, 0, first=0)
    path = keep(tmp_path, 1, first=3)
    data = path.read_bytes()
    if harm == "a packet too few":
        with zipfile.ZipFile(path) as file, zipfile.ZipFile(tmp_path / "other", "w") as other:
            for name in file.namelist():
                text = file.read(name)
                other.writestr(name, text.replace(b'"frames": 3', b'"frames": 4'))
        (tmp_path / "other").replace(path)
    else:
        at = data.index(b"\1\1\1\1")
        harmed = {"a byte": data[:at] + b"\2" + data[at + 1 :], "cut off": data[:-9], "empty": b""}
        path.write_bytes(harmed.get(harm, b"x" * 200))
    assert len(kept_pieces(tmp_path, "a")) == 1
    assert names(tmp_path) == ["00000.piece"]


def test_a_piece_in_work_is_none(tmp_path: Path) -> None:
    writer = PieceWriter(tmp_path, 0)
    writer.add(StoredPacket(0, 0, 1, True, b"x"))
    assert kept_pieces(tmp_path / "nowhere", "a") == []
    assert names(tmp_path) == [".00000.piece.part"]
    writer.abandon()
    assert names(tmp_path) == []
    writer.abandon()
    drop_pieces(tmp_path)
    drop_pieces(tmp_path)
    assert not tmp_path.exists()


def test_how_many_frames_a_piece_has() -> None:
    pieces = Pieces(folder=Path("x"), belongs_to="a", seconds=60)
    assert pieces.frames_at(Fraction(24000, 1001)) == 1439
    assert replace(pieces, seconds=0.1).frames_at(Fraction(24)) == LEAST_FRAMES
