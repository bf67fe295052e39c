"""Sound, subtitles, data and attachments of the source, copied packet by packet."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from .description import kept_metadata
from .movie_header import MovieSource
from .trim import SEEK_WORTH_SECONDS, Span


class StreamCopies:
    """Audio, subtitle and data packets of the source, handed on as they are while the video is written.

    Reads the source a second time, in step with the video, so that neither piles up.
    """

    def __init__(
        self,
        source: InputContainer,
        target: OutputContainer,
        span: Span,
        notes: list[str],
        *,
        main: Stream,
        movie: MovieSource,
    ) -> None:
        """Adds a stream to the target for each of the source's that it can hold; the others are noted.

        Args:
            main: of the source: the video that is written anew.
            movie: the source's own header, if it is a QuickTime or MP4 film.
        """
        self._target, self._span, self._notes, self._movie = target, span, notes, movie
        self.described_by: dict[int, int] = {}
        """Data streams that are copied, by their place in the target, and their numbers in the source."""
        self._streams: dict[int, Stream] = {}
        self._last_dts: dict[int, int] = {}
        for stream in source.streams:
            if stream.index == main.index:
                continue
            copy = self._add(stream, source, notes)
            if copy is not None and stream.type != "attachment":
                self._streams[stream.index] = copy
        for stream in source.streams:
            if stream.index not in self._streams and stream.type != "attachment":
                stream.discard = Discard.all
        wanted = [source.streams[index] for index in self._streams]
        if wanted and span.start_seconds is not None and span.start_seconds > SEEK_WORTH_SECONDS:
            # Well before the range: packets are chosen by their time, the seek only saves reading.
            with contextlib.suppress(FFmpegError):
                source.seek(int((span.start_seconds - 2) * 1_000_000))
        self._packets: Iterator[Packet[Any]] = source.demux(wanted) if wanted else iter(())
        self._held: Packet[Any] | None = None

    def _add(self, stream: Stream, source: InputContainer, notes: list[str]) -> Stream | None:
        kind = self._movie.kind(stream.id) if stream.type == "data" else ""
        if self._is_derived(stream, source, kind):
            return None
        name = f"{stream.type} stream {stream.index} ({kind or _stream_codec(stream)})"
        if stream.type == "video" and not stream.disposition & Disposition.attached_pic:
            notes.append(f"{name} left out: only the first video is written")
            return None
        if not _muxer_holds(self._target.format.name, stream):
            notes.append(f"{name} left out: {self._target.format.name} cannot hold it")
            return None
        if self._target.format.name == "mp4" and _stream_codec(stream).startswith("pcm_"):
            notes.append(f"{name} is PCM: players of before 2023 play it as noise in .mp4; write .mov")
        copy = self._target.add_stream_from_template(stream, opaque=True)
        copy.metadata.update(kept_metadata(stream.metadata))
        copy.disposition = stream.disposition
        if kind:
            self.described_by[copy.index] = stream.id
        return copy

    def _is_derived(self, stream: Stream, source: InputContainer, kind: str) -> bool:
        """Whether the muxer makes this stream anew: QuickTime's timecode track and its track of chapter names."""
        if stream.type != "data":
            return False
        return kind == "tmcd" or bool(source.chapters() and _stream_codec(stream) == "bin_data")

    def until(self, seconds: Fraction | None) -> None:
        """Copies the packets up to that time of the output (None: all that are left)."""
        while True:
            packet = self._held or self._next()
            self._held = None
            if packet is None:
                return
            if seconds is not None and packet.dts is not None and packet.dts * packet.time_base > seconds:
                self._held = packet
                return
            self._target.mux(packet)

    def _next(self) -> Packet[Any] | None:
        """The next packet of the kept range, in output time; None at the end."""
        for packet in self._packets:
            if packet.size and self._has_time(packet) and not _is_gap(packet) and self._move(packet):
                self._address(packet)
                return packet
        return None

    def _address(self, packet: Packet[Any]) -> None:
        """Gives the packet to its output stream with times that only increase, as muxers insist on."""
        index = packet.stream_index
        dts = packet.dts if packet.dts is not None else packet.pts
        assert dts is not None
        step = 0 if packet.stream.type in ("subtitle", "data") else 1
        dts = max(dts, self._last_dts.get(index, dts - step) + step)
        if dts < 0 and not self._last_dts and self._target.format.name == "matroska":
            early = float(-dts * packet.time_base)
            self._notes.append(
                f"sound begins {early:.3f} s before 0, which .mkv cannot hold: all starts later by that"
            )
        self._last_dts[index] = dts
        packet.dts = dts
        packet.pts = max(packet.pts if packet.pts is not None else dts, dts)
        packet.stream = self._streams[index]

    def _has_time(self, packet: Packet[Any]) -> bool:
        """Fills in a missing pts where it is known: covers belong to the start, others to their dts."""
        if packet.pts is None:
            packet.pts = 0 if packet.stream.disposition & Disposition.attached_pic else packet.dts
        if packet.pts is None:
            note = f"{packet.stream.type} stream {packet.stream.index}: packets without a time left out"
            self._notes += [note] if note not in self._notes else []
        return packet.pts is not None

    def _move(self, packet: Packet[Any]) -> bool:
        """Shifts the packet into output time; False if it lies outside the kept range."""
        span, base = self._span, packet.time_base
        assert packet.pts is not None
        if packet.stream.disposition & Disposition.attached_pic:
            return True
        start, duration = packet.pts * base, (packet.duration or 0) * base
        if span.end_seconds is not None and start >= span.end_seconds:
            return False
        if span.start_seconds is not None and start < span.start_seconds:
            if packet.stream.type != "subtitle" or start + duration <= span.start_seconds:
                return False
            late = round((span.start_seconds - start) / base)  # a line already on the screen stays on it
            packet.pts, packet.duration = packet.pts + late, (packet.duration or 0) - late
            packet.dts = packet.pts
        shift = round(span.shift_seconds / base)
        packet.pts -= shift
        packet.dts = packet.pts if packet.dts is None else packet.dts - shift
        return True


def _is_gap(packet: Packet[Any]) -> bool:
    """Whether it is QuickTime text that says nothing: the filling between lines, which muxers make."""
    return _stream_codec(packet.stream) == "mov_text" and packet.size == 2


def _stream_codec(stream: Stream) -> str:
    if stream.codec_context is not None:
        return stream.codec_context.name
    return str(getattr(stream, "name", None) or "unknown codec")


def _muxer_holds(muxer: str, stream: Stream) -> bool:
    """Whether a file of that kind can be started with such a stream; tried, for muxers only say so then."""
    if stream.type == "unknown" or (
        stream.type != "data" and stream.type != "attachment" and not stream.codec_context
    ):
        return False
    if stream.type == "attachment":
        return muxer == "matroska"
    if muxer == "mxf":  # says so only with its video, and only when packets come
        rate = getattr(stream.codec_context, "sample_rate", 0)
        return rate == 48000 and _stream_codec(stream) in ("pcm_s16le", "pcm_s24le", "pcm_s32le")
    try:
        with av.open(io.BytesIO(), "w", format=muxer) as trial:
            trial.add_stream_from_template(stream, opaque=True)
            trial.start_encoding()
    except (FFmpegError, ValueError):
        return False
    return True
