"""What FFmpeg's writer leaves out of the header of a .mov or .mp4, put in when the film is written.

Tags that it has no place for (a camera's, scene and take), the description of data tracks that it copies, the reel
of the timecode track, the clean aperture and the HDR mastering metadata of codecs that hold none. The header is
then
put before the pictures ("fast start").
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .boxes import (
    Box,
    BoxError,
    add_to_video,
    entry_of,
    header_of,
    replace_header,
    track_id,
    video_boxes,
)

_TIMECODE_ENTRY_BYTES = 34
"""Of a timecode track's sample entry before its own boxes."""


@dataclass(frozen=True)
class MovieSource:
    """The header of a source that is such a film itself; of any other there is nothing."""

    tracks: Mapping[int, Box] = field(default_factory=dict)
    """By number, which is what FFmpeg calls a stream's id."""

    @classmethod
    def read(cls, path: Path) -> MovieSource:
        """Of a file; empty if it is of another kind."""
        header = header_of(path)
        return cls({} if header is None else {track_id(track): track for track in header.all(b"trak")})

    def kind(self, number: int) -> str:
        """The four letters that say what a track's samples are: tmcd, mebx, rtmd; empty if unknown."""
        entry = entry_of(self.tracks[number]) if number in self.tracks else b""
        return entry[4:8].decode("ascii", "replace").strip()

    def clean_aperture(self, number: int) -> bytes:
        """Of a video track; empty if it has none."""
        entry = entry_of(self.tracks[number]) if number in self.tracks else b""
        return video_boxes(entry).get(b"clap", b"")

    def reel_boxes(self) -> bytes:
        """What the first timecode track says beside its rate: the reel; empty if nothing."""
        entries = (entry_of(track) for track in self.tracks.values())
        return next((entry[_TIMECODE_ENTRY_BYTES:] for entry in entries if entry[4:8] == b"tmcd"), b"")


@dataclass(frozen=True)
class HeaderChanges:
    """What is to be put in."""

    tags: Mapping[str, str]
    """Of the film, that the writer has no place for."""
    described_by: Mapping[int, Box]
    """Data tracks by their place among the output's, and the tracks of the source that say what they hold."""
    video: int
    """Place of the video track."""
    clean_aperture: bytes = b""
    reel_boxes: bytes = b""
    hdr_parameters: str = ""
    """In the words of x265; empty where the codec itself says it, or there is none."""
    is_quicktime: bool = False
    """.mov; else .mp4."""


def finish_movie(path: Path, changes: HeaderChanges) -> None:
    """Changes a film's header, in the file itself.

    Raises:
        BoxError: the file has no header that can be changed.
        OSError: it cannot be written.
    """
    header = header_of(path)
    if header is None:
        raise BoxError(f"{path}: has no header that can be read")
    tracks = header.all(b"trak")
    for place, source in changes.described_by.items():
        _describe(tracks[place], source)
    boxes = _hdr_boxes(changes.hdr_parameters)
    if changes.clean_aperture:
        boxes[b"clap"] = changes.clean_aperture
    if boxes:
        add_to_video(tracks[changes.video], boxes)
    if changes.reel_boxes:
        _name_reel(tracks, changes.reel_boxes)
    if changes.tags:
        header.put(_tag_box(changes.tags, is_quicktime=changes.is_quicktime))
    replace_header(path, header)


def _describe(track: Box, source: Box) -> None:
    """Gives a data track the source's handler, media header and sample descriptions: its samples are the same."""
    for path in ((b"mdia", b"hdlr"), (b"mdia", b"minf", b"gmhd"), (b"mdia", b"minf", b"stbl", b"stsd")):
        found, folder = source.find(*path), track.find(*path[:-1])
        if found is not None and folder is not None:
            folder.put(Box(found.name, found.data))


def _name_reel(tracks: list[Box], reel: bytes) -> None:
    for track in tracks:
        table, entry = track.find(b"mdia", b"minf", b"stbl", b"stsd"), entry_of(track)
        if table is not None and entry[4:8] == b"tmcd":
            made = entry[4:_TIMECODE_ENTRY_BYTES] + reel
            table.data = table.data[:8] + struct.pack(">I", len(made) + 4) + made + table.data[8 + len(entry) :]


def _tag_box(tags: Mapping[str, str], *, is_quicktime: bool) -> Box:
    """QuickTime's metadata box: keys of any name, each with its text."""
    version = b"" if is_quicktime else bytes(4)
    handler = Box(b"hdlr", bytes(8) + b"mdta" + bytes(13))
    names = [key.encode() for key in tags]
    keys = struct.pack(">II", 0, len(names)) + b"".join(Box(b"mdta", name).to_bytes() for name in names)
    texts = (
        Box(struct.pack(">I", i), Box(b"data", struct.pack(">II", 1, 0) + text.encode()).to_bytes())
        for i, text in enumerate(tags.values(), 1)
    )
    items = b"".join(text.to_bytes() for text in texts)
    inner = (handler, Box(b"keys", keys), Box(b"ilst", items))
    return Box(b"meta", version + b"".join(box.to_bytes() for box in inner))


def _hdr_boxes(parameters: str) -> dict[bytes, bytes]:
    """Mastering display and content light level as ISO/IEC 14496-12 has them, which counts in x265's units."""
    boxes: dict[bytes, bytes] = {}
    found = re.search(
        r"master-display=G\((\d+),(\d+)\)B\((\d+),(\d+)\)R\((\d+),(\d+)\)WP\((\d+),(\d+)\)L\((\d+),(\d+)\)",
        parameters,
    )
    if found:
        boxes[b"mdcv"] = struct.pack(">8H2I", *map(int, found.groups()))
    light = re.search(r"max-cll=(\d+),(\d+)", parameters)
    if light:
        boxes[b"clli"] = struct.pack(">2H", *map(int, light.groups()))
    return boxes
