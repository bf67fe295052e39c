"""What an encoder has made so far of a long clip, kept so that a run that was killed need not make it again.

A piece is so many frames encoded by themselves, the first a key frame: a zip file of packets with their times,
`00003.piece`, that says what it belongs to. It appears whole or not at all, and its parts have checksums. Pieces
that are not whole, belong to something else, or come behind a missing one are deleted.

Pictures of a sequence are pieces by themselves: `pictures.json` says how many of them belong to what.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retarget.model import files
from retarget.model.plain_json import parse_json

from ..files import HeldFolder, drop_folder, is_own_folder, own_folder

LEAST_FRAMES = 16
"""In a piece: more than any encoder here reorders by, so that decode times meet where two pieces do."""

_PICTURES = "pictures.json"
_NAME = re.compile(r"\d{5,}\.piece|\.\d{5,}\.piece\.part|pictures\.json|\.pictures\.part\.json", re.ASCII)

_READ_ERRORS = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """Where the pieces of an output are kept, and of what length they are."""

    folder: Path
    """For the pieces of one output alone; made when needed."""
    belongs_to: str
    """A hash of everything the frames depend on: pieces of another are not used."""
    seconds: float
    """Of each piece."""

    def frames_at(self, rate: Fraction) -> int:
        """Frames of each piece but the last, which may have fewer."""
        return max(LEAST_FRAMES, round(self.seconds * rate))


@dataclass(frozen=True)
class StoredPacket:
    """An encoded picture; times are in the encoder's time base."""

    pts: int
    dts: int
    duration: int
    is_key: bool
    data: bytes


@dataclass(frozen=True, kw_only=True)
class About:
    """What a piece says of itself."""

    belongs_to: str
    first_frame: int
    frames: int
    changed_frames: int
    """Of these, how many differ from the source's."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A whole piece on the disk."""

    path: Path
    about: About
    table: NDArray[np.int64] = field(repr=False)
    """(n, 5): pts, dts, duration, whether a key picture, bytes; in the order of decoding."""

    def shown_pts(self) -> list[int]:
        """The times of its pictures in the order of presentation."""
        return sorted(self.table[:, 0].tolist())

    def packets(self) -> Iterator[StoredPacket]:
        """In the order of decoding. Holds one at a time. Raises OSError or BadZipFile."""
        with zipfile.ZipFile(self.path) as file, file.open("packets") as stream:
            for pts, dts, duration, is_key, size in self.table.tolist():
                yield StoredPacket(pts, dts, duration, bool(is_key), stream.read(size))


class PieceWriter:
    """A piece being written. It appears with `finish`; until then, and after `abandon`, there is none."""

    def __init__(self, folder: Path, number: int) -> None:
        """Raises OSError, as the other methods do."""
        self._path = _path(own_folder(folder), number)
        self._part = files.Part(self._path.with_name(f".{self._path.name}.part"))
        self._rows: list[tuple[int, int, int, int, int]] = []
        self._stream = self._part.path.open("wb")
        self._file = zipfile.ZipFile(self._stream, "w")
        self._packets = self._file.open("packets", "w", force_zip64=True)

    def add(self, packet: StoredPacket) -> None:
        """Takes the next packet in the order of decoding."""
        self._packets.write(packet.data)
        size = len(packet.data)
        self._rows.append((packet.pts, packet.dts, packet.duration, int(packet.is_key), size))

    def finish(self, about: About) -> None:
        """Puts the piece in its place; it is on the disk before this returns."""
        self._packets.close()
        with self._file.open("table.npy", "w") as table:
            np.lib.format.write_array(table, np.array(self._rows, np.int64).reshape(-1, 5), allow_pickle=False)
        self._file.writestr("about.json", json.dumps(asdict(about)))
        self._file.close()
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._part.put(self._path)

    def abandon(self) -> None:
        """Deletes the partial piece; never raises."""
        with contextlib.suppress(OSError, ValueError):
            self._packets.close()
        with contextlib.suppress(OSError, ValueError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._stream.close()
        self._part.drop()


def kept_pieces(folder: Path, belongs_to: str) -> list[Piece]:
    """The whole pieces of that hash from the first on, without a gap; deletes whatever else is there."""
    kept: list[Piece] = []
    next_frame = 0
    while (piece := _read(_path(folder, len(kept)))) is not None:
        if (piece.about.belongs_to, piece.about.first_frame) != (belongs_to, next_frame):
            break
        kept.append(piece)
        next_frame += piece.about.frames
    names = {piece.path.name for piece in kept}
    if is_own_folder(folder):
        held = HeldFolder(folder, lambda name: _is_piece(name) and name not in names)
        held.empty()
        held.release()
    return kept


def note_pictures(folder: Path, about: About) -> None:
    """Notes how many pictures of a sequence are made, from the first on. Raises OSError."""
    files.write_whole(own_folder(folder) / _PICTURES, json.dumps(asdict(about)).encode())


def noted_pictures(folder: Path, belongs_to: str) -> About | None:
    """What was noted, if it is of that hash; a note of another is deleted."""
    note = folder / _PICTURES
    with contextlib.suppress(*_READ_ERRORS):
        about = About(**parse_json(note.read_text(encoding="utf-8")))
        if about.belongs_to == belongs_to:
            return about
    note.unlink(missing_ok=True)
    return None


def drop_pieces(folder: Path) -> None:
    """Deletes the folder of an output's pieces, if there is one."""
    drop_folder(folder, _is_piece)


def _is_piece(name: str) -> bool:
    """Whether files of that name are made here."""
    return _NAME.fullmatch(name) is not None


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.piece"


def _read(path: Path) -> Piece | None:
    """The piece, every byte of it checked; None if it is not there or not whole."""
    try:
        with zipfile.ZipFile(path) as file:
            if file.testzip() is not None:
                return None
            about = About(**parse_json(file.read("about.json")))
            with file.open("table.npy") as stream:
                table = np.lib.format.read_array(stream, allow_pickle=False)
    except _READ_ERRORS:
        return None
    is_whole = len(table) == about.frames > 0
    return Piece(path, about, table) if is_whole else None
