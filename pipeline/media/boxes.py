"""The boxes of a QuickTime or MP4 file (ISO/IEC 14496-12): what a movie's header says, read and changed.

Only the header (`moov`) is held in memory, never the pictures or the sound.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

_FOLDERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"tref"})
_MOST_HEADER_BYTES = 1 << 28
_BLOCK_BYTES = 1 << 22
_VIDEO_ENTRY_BYTES = 86
"""Of a picture's sample entry before its own boxes, the entry's size and name among them."""


class BoxError(ValueError):
    """A file that is no such file, or is damaged."""


@dataclass
class Box:
    """A box of the header: others, or data."""

    name: bytes
    data: bytes = b""
    children: list[Box] = field(default_factory=list)
    """Of a folder."""

    @property
    def is_folder(self) -> bool:
        """Whether it holds boxes and nothing else."""
        return self.name in _FOLDERS

    def find(self, *path: bytes) -> Box | None:
        """The first box at that path below this one."""
        if not path:
            return self
        inner = (child for child in self.children if child.name == path[0])
        return next((found for child in inner if (found := child.find(*path[1:])) is not None), None)

    def all(self, name: bytes) -> list[Box]:
        """The boxes of that name right below this one."""
        return [child for child in self.children if child.name == name]

    def put(self, box: Box) -> None:
        """In the place of the first of its name below this one, or behind all."""
        for i, child in enumerate(self.children):
            if child.name == box.name:
                self.children[i] = box
                return
        self.children.append(box)

    def to_bytes(self) -> bytes:
        """As in a file."""
        body = b"".join(child.to_bytes() for child in self.children) if self.is_folder else self.data
        return struct.pack(">I4s", len(body) + 8, self.name) + body


def boxes_in(data: bytes) -> Iterator[Box]:
    """The boxes that lie one after the other; a tail that is none is left out."""
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1 and at + 16 <= len(data):
            (size,), start = struct.unpack_from(">Q", data, at + 8), at + 16
        if size == 0:
            size = len(data) - at
        if size < start - at or at + size > len(data):
            return
        body = data[start : at + size]
        yield Box(name, b"", list(boxes_in(body))) if name in _FOLDERS else Box(name, body)
        at += size


def header_of(path: Path) -> Box | None:
    """The header of a film; None if it has none that can be read (or is no such file)."""
    try:
        with path.open("rb") as file:
            at, size = _places(file)[b"moov"]
            if size > _MOST_HEADER_BYTES:
                return None
            file.seek(at)
            return next(boxes_in(file.read(size)), None)
    except (OSError, KeyError, struct.error):
        return None


def track_id(track: Box) -> int:
    """Of a `trak`; 0 if it has none."""
    header = track.find(b"tkhd")
    if header is None or len(header.data) < 24:
        return 0
    at = 20 if header.data[0] == 1 else 12
    return int(struct.unpack_from(">I", header.data, at)[0])


def entry_of(track: Box) -> bytes:
    """A `trak`'s first sample entry, its size and name among it; empty if there is none."""
    table = track.find(b"mdia", b"minf", b"stbl", b"stsd")
    if table is None or len(table.data) < 16:
        return b""
    (size,) = struct.unpack_from(">I", table.data, 8)
    return table.data[8 : 8 + size]


def video_boxes(entry: bytes) -> dict[bytes, bytes]:
    """What a picture's sample entry says in boxes of its own (clap, colr, mdcv ...), by name."""
    return {box.name: box.data for box in boxes_in(entry[_VIDEO_ENTRY_BYTES:])}


def add_to_video(track: Box, boxes: dict[bytes, bytes]) -> None:
    """Puts boxes into a picture's sample entry, in the place of others of their names."""
    table, entry = track.find(b"mdia", b"minf", b"stbl", b"stsd"), entry_of(track)
    assert table is not None
    own = Box(b"trak", b"", list(boxes_in(entry[_VIDEO_ENTRY_BYTES:])))
    for name, data in boxes.items():
        own.put(Box(name, data))
    inner = b"".join(box.to_bytes() for box in own.children)
    head = entry[4:_VIDEO_ENTRY_BYTES]
    made = struct.pack(">I", 4 + len(head) + len(inner)) + head + inner
    table.data = table.data[:8] + made + table.data[8 + len(entry) :]


def replace_header(path: Path, header: Box) -> None:
    """Puts a changed header in the place of a file's own, and before its pictures, so that a player need not have
    the whole file to begin. Works in the file itself.

    Raises:
        BoxError: the file has no such parts, or holds its pictures in fragments.
        OSError: it cannot be written.
    """
    with path.open("r+b") as file:
        places = _places(file)
        if b"moov" not in places or b"mdat" not in places or b"moof" in places:
            raise BoxError(f"{path}: is no film with one header")
        (old, old_size), (pictures, _) = places[b"moov"], places[b"mdat"]
        end = file.seek(0, os.SEEK_END)
        if old + old_size != end or old < pictures:
            raise BoxError(f"{path}: its header is not at its end")
        begin = min(at for name, (at, _) in places.items() if name != b"ftyp")
        data = _moved(header, begin)
        _shift(file, begin, old, len(data))
        file.seek(begin)
        file.write(data)
        file.truncate(old + len(data))


def _moved(header: Box, begin: int) -> bytes:
    """The header with all places in the file behind `begin` moved by its own length."""
    tables = list(_offset_tables(header))
    offsets = [_offsets(table) for table in tables]
    length = len(header.to_bytes())
    while True:
        for table, places in zip(tables, offsets, strict=True):
            _set_offsets(table, [at + length if at >= begin else at for at in places])
        data = header.to_bytes()
        if len(data) == length:
            return data
        length = len(data)  # a table has outgrown 32 bits


def _offset_tables(box: Box) -> Iterator[Box]:
    if box.name in (b"stco", b"co64"):
        yield box
    for child in box.children:
        yield from _offset_tables(child)


def _offsets(table: Box) -> list[int]:
    (count,) = struct.unpack_from(">I", table.data, 4)
    return list(struct.unpack_from(f">{count}{'I' if table.name == b'stco' else 'Q'}", table.data, 8))


def _set_offsets(table: Box, places: list[int]) -> None:
    if table.name == b"stco" and max(places, default=0) >= 1 << 32:
        table.name = b"co64"
    table.data = table.data[:8] + struct.pack(f">{len(places)}{'I' if table.name == b'stco' else 'Q'}", *places)


def _shift(file: BinaryIO, begin: int, end: int, by: int) -> None:
    """Moves what lies between two places of a file towards its end, from the back."""
    at = end
    while at > begin:
        size = min(_BLOCK_BYTES, at - begin)
        at -= size
        file.seek(at)
        block = file.read(size)
        file.seek(at + by)
        file.write(block)


def _places(file: BinaryIO) -> dict[bytes, tuple[int, int]]:
    """(where, bytes) of the first box of each name at the top of a file."""
    end, at = file.seek(0, os.SEEK_END), 0
    found: dict[bytes, tuple[int, int]] = {}
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size, name = struct.unpack_from(">I4s", head)
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack_from(">Q", head, 8)
        if size == 0:
            size = end - at
        if size < 8:
            break
        found.setdefault(name, (at, size))
        at += size
    return found
