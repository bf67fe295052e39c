"""Decoding: every picture of a file at its own place in time, whatever of it is damaged.

Holds the decoder's own pictures and the last good one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from av.codec.context import Flags as CodecFlags
from av.codec.context import ThreadType
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..errors import VideoReadError
from .alpha import decoder_of
from .containers import main_video, open_container


@dataclass(frozen=True)
class Picture:
    """A decoded picture before it is unpacked into a `Frame`."""

    native: VideoFrame
    pts: int
    """In the stream's time base."""
    is_corrupt: bool
    """The decoder patched it up, or it stands in for one that is lost."""


class Timestamps:
    """Gives every picture of a stream its place in time, and says which never came out of the decoder.

    Expects the pts of every packet sent to the decoder (`expect`) and every picture as it comes out
    (`place`), which is in presentation order.
    """

    def __init__(self, stream: VideoStream) -> None:
        rate, base = stream.average_rate or stream.guessed_rate, stream.time_base
        self._step = max(1, round(1 / (rate * base))) if rate and base else 1
        self.latest_pts = -(1 << 62)
        """The latest time any packet had; before all times at first."""
        self._waiting: list[int] = []
        self._last_pts: int | None = None
        self._last_duration = 0

    def expect(self, packet: Packet[Any]) -> None:
        """Notes the time of a picture that a packet promises."""
        if packet.size and not packet.is_discard and packet.pts is not None:
            heappush(self._waiting, packet.pts)
            self.latest_pts = max(self.latest_pts, packet.pts)

    def place(self, native: VideoFrame) -> int:
        """The picture's pts: its own, else its dts, else the one after the previous; always increasing."""
        pts = native.pts if native.pts is not None else native.dts
        if pts is None:
            pts = 0 if self._last_pts is None else self._last_pts + (self._last_duration or self._step)
        if self._last_pts is not None and pts <= self._last_pts:
            pts = self._last_pts + 1  # two pictures at one time: neither is dropped
        self._last_pts, self._last_duration = pts, native.duration
        return pts

    def skipped(self, before: int | None) -> list[int]:
        """The pts that were expected before that one (None: at all) and not placed; forgets them."""
        missing = []
        while self._waiting and (before is None or self._waiting[0] <= before):
            pts = heappop(self._waiting)
            if pts != before and (self._last_pts is None or pts > self._last_pts):
                missing.append(pts)
        return missing

    def conceal(self, pts: int) -> None:
        """Notes that a stand-in was given that time."""
        self._last_pts, self._last_duration = pts, 0


class Decoding:
    """One pass over a file: decodes, and fills the place of pictures that do not come out."""

    def __init__(self, path: Path, *, seek_seconds: Fraction | None = None, frame_threads: bool = True) -> None:
        """Begins at or before `seek_seconds` (absolute). Raises VideoOpenError."""
        self.path = path
        self.first_packet: Packet[Any] | None = None
        self._frame_threads = frame_threads
        self._open()
        self._timestamps = Timestamps(self.stream)
        self._error_until: int | None = None
        """After an error: pictures up to this time, and on to the next key picture, may be missing."""
        self._previous: Picture | None = None
        self._filled: set[int] = set()
        """Places already given to a stand-in."""
        self._early: list[int] = []
        """Places before the first picture that came out; filled with that picture."""
        if seek_seconds is not None:
            self._seek(seek_seconds)

    def _open(self) -> None:
        self.container = open_container(self.path)
        self.stream = main_video(self.container, self.path)
        self._decoder = context = decoder_of(self.stream)
        context.thread_type = ThreadType.AUTO if self._frame_threads else ThreadType.SLICE
        # Pictures the decoder had to patch up are wanted, marked, rather than missing.
        context.flags |= CodecFlags.output_corrupt
        for other in self.container.streams:
            if other.index != self.stream.index:
                other.discard = Discard.all

    def close(self) -> None:
        """Closes the file."""
        self.container.close()

    def _seek(self, seconds: Fraction) -> None:
        """Goes to a key picture at or before that time, or stays at the beginning.

        Only in containers with an index of key pictures. The packet found is checked: a seek by decode time
        may land on a key picture that is shown only after the wanted one.
        """
        if not {"mov", "matroska"} & set(self.container.format.name.split(",")):
            return
        base = self.stream.time_base or Fraction(1)
        wanted = int(seconds / base)
        with contextlib.suppress(FFmpegError):
            self.container.seek(wanted, stream=self.stream)
            packet = next(self.container.demux(self.stream))
            if packet.pts is not None and packet.is_keyframe and packet.pts <= wanted:
                self.container.seek(wanted, stream=self.stream)
                return
        self.container.close()
        self._open()

    def pictures(self) -> Iterator[Picture]:
        """Every picture in order of time, each at its own place."""
        for packet in self._packets():
            if self.first_packet is None:
                self.first_packet = packet
            self._timestamps.expect(packet)
            for native in self._decode(packet):
                yield from self._placed(native)
        yield from self._tail()

    def _packets(self) -> Iterator[Packet[Any]]:
        try:
            yield from self.container.demux(self.stream)
        except FFmpegError:
            # The file ends in the middle of something: what was read is what there is.
            self._note_error()
            yield Packet()

    def _decode(self, packet: Packet[Any]) -> list[VideoFrame]:
        try:
            return self._decoder.decode(packet if packet.size else None)
        except EOFError:
            return []
        except FFmpegError:
            self._note_error()
            return []

    def _note_error(self) -> None:
        self._error_until = self._timestamps.latest_pts

    def _placed(self, native: VideoFrame) -> Iterator[Picture]:
        own_pts = native.pts
        if own_pts in self._filled:
            return  # damage can make a decoder hand a picture out late; its place is taken by then
        if own_pts is not None:
            missing = self._timestamps.skipped(own_pts)
            # Without an error, a packet that shows no picture is one that is never meant to (VP8, AV1).
            if self._error_until is not None or native.is_corrupt:
                yield from self._concealed(missing)
            if self._error_until is not None and native.key_frame and own_pts > self._error_until:
                self._error_until = None
        picture = Picture(native, self._timestamps.place(native), bool(native.is_corrupt))
        for pts in self._early:
            yield Picture(native, pts, True)
        self._early = []
        self._previous = picture
        yield picture

    def _concealed(self, missing: list[int]) -> Iterator[Picture]:
        self._filled.update(missing)
        for pts in missing:
            self._timestamps.conceal(pts)
            if self._previous is None:
                self._early.append(pts)
            else:
                yield Picture(self._previous.native, pts, True)

    def _tail(self) -> Iterator[Picture]:
        """The places left when the decoder is drained.

        A frame-threaded decoder that fails while draining keeps the pictures behind the failure to itself,
        so the end is decoded once more without frame threads.
        """
        missing = self._timestamps.skipped(None)
        if not missing or self._previous is None:
            return
        again: dict[int, VideoFrame] = {}
        if self._frame_threads:
            again, failed = _decode_again(self.path, missing[0], self.stream.time_base or Fraction(1))
            if failed:
                self._note_error()
        for pts in missing:
            if pts in again:
                self._previous = Picture(again[pts], pts, bool(again[pts].is_corrupt))
                yield self._previous
            elif self._error_until is not None:
                yield Picture(self._previous.native, pts, True)


def _decode_again(path: Path, first_pts: int, time_base: Fraction) -> tuple[dict[int, VideoFrame], bool]:
    """The pictures from `first_pts` to the end by pts, decoded plainly; and whether any failed."""
    decoding = Decoding(path, seek_seconds=first_pts * time_base, frame_threads=False)
    pictures: dict[int, VideoFrame] = {}
    try:
        for packet in decoding._packets():
            for native in decoding._decode(packet):
                if native.pts is not None and native.pts >= first_pts:
                    pictures[native.pts] = native
        return pictures, decoding._error_until is not None
    finally:
        decoding.close()


def decode_still(path: Path) -> VideoFrame:
    """The one picture of a file. Raises VideoReadError if it cannot be decoded, VideoOpenError if not opened."""
    decoding = Decoding(path, frame_threads=False)
    try:
        picture = next(decoding.pictures(), None)
    finally:
        decoding.close()
    if picture is None:
        raise VideoReadError(f"{path}: the picture cannot be decoded; is the file complete?")
    return picture.native
