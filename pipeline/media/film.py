"""A film being written: the video that is encoded, and beside it what is copied of the source."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags as CodecFlags
from av.codec.context import ThreadType
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from retarget.model.files import Part

from ..errors import VideoWriteError
from ..files import parse_pattern, part_of
from ..records import Frame, VideoInfo
from .completeness import Seen
from .containers import MUXER_BY_SUFFIX, main_video, open_container
from .convert import Preparation
from .description import copy_description
from .encode import Encoding
from .fields import code_of
from .film_pieces import ENCODERS_IN_PIECES, PieceEncoder
from .finish import Written, complete_header, told_losses
from .flush import flushed
from .movie_header import MovieSource
from .orientation import matrix_of
from .pieces import Pieces
from .planes import is_untouched
from .streams import StreamCopies
from .trim import WHOLE_SPAN, Span

# Matroska's own field for the aspect is out of PyAV's reach; these write it into the video stream as well.
_ASPECT_IN_STREAM = frozenset({"libx264", "libx265", "h264_nvenc", "hevc_nvenc", "mpeg4"})


@dataclass
class PlannedFilm:
    """A film that can be made, and what is known of it before it is begun."""

    path: Path
    info: VideoInfo
    span: Span | None
    """What of the source's other streams goes with it; None: all."""
    encoding: Encoding
    overwrite: bool = False
    check: Callable[[], None] = lambda: None
    """Called when all is written, before the film appears; if it raises, nothing is left."""
    pieces: Pieces | None = None

    def __post_init__(self) -> None:
        self.notes = list(self.encoding.notes)
        self.pixel_format = self.encoding.pixel_format
        aspect, encoder = self.info.sample_aspect_ratio, self.encoding.encoder
        if aspect != 1 and self.path.suffix.lower() == ".mkv" and encoder not in _ASPECT_IN_STREAM:
            self.notes.append(f"{encoder} in .mkv cannot be given the pixel aspect {aspect}; it will look square")

    def use_pieces(self, pieces: Pieces) -> None:
        """Makes the film in pieces, if its encoder is known to work so."""
        if self.encoding.encoder in ENCODERS_IN_PIECES:
            self.pieces = pieces

    def start(self) -> OpenFilm:
        """Begins the hidden file."""
        return OpenFilm(self)


class OpenFilm:
    """One output container being written into a hidden file."""

    def __init__(self, plan: PlannedFilm) -> None:
        """Raises FFmpegError, OSError or ValueError if it cannot be begun; nothing is left behind then."""
        self._notes = plan.notes
        self._path, self._info, self._encoding = plan.path, plan.info, plan.encoding
        self._span = _without_negative_start(plan.span or WHOLE_SPAN, plan.info, plan.notes)
        self._preparation = Preparation(
            plan.info, plan.encoding.pixel_format, plan.encoding.color, size=plan.encoding.size
        )
        self._shift_pts = round(self._span.shift_seconds / plan.info.time_base)
        self._frames = self._packets = 0
        self._part, self._overwrite = Part(part_of(plan.path)), plan.overwrite
        self._check = plan.check
        self._seen = Seen(plan.info.time_base, plan.info.frame_rate)
        self._pieces: PieceEncoder | None = None
        self._source: InputContainer | None = None
        self._copies: StreamCopies | None = None
        self._container: OutputContainer | None = None
        try:
            self._start()
            if plan.pieces is not None:
                self._pieces = self._piece_encoder(plan.pieces)
        except BaseException:
            self.abandon()
            raise
        pieces = self._pieces
        self.piece_frames = None if pieces is None else pieces.frames
        self.kept_frames = 0 if pieces is None else pieces.kept_frames
        self.kept_changes = 0 if pieces is None else pieces.kept_changes

    def _piece_encoder(self, pieces: Pieces) -> PieceEncoder:
        # Everything that is not the frames': the encoder, what it is told, and its version.
        made_with = repr((self._encoding, self._info.time_base, self._shift_pts, av.__version__))
        return PieceEncoder(
            self._path,
            replace(pieces, belongs_to=f"{pieces.belongs_to} {made_with}"),
            self._stream,
            self._new_stream,
            frames=pieces.frames_at(self._info.frame_rate),
        )

    def _new_stream(self) -> VideoStream:
        """A stream like the output's, of a container that is never written: it encodes just the same."""
        muxer = MUXER_BY_SUFFIX[self._path.suffix.lower()]
        return self._add_video(av.open(io.BytesIO(), "w", format=muxer), muxer)

    def _start(self) -> None:
        if not self._info.is_still and parse_pattern(self._info.path) is None and self._info.path.is_file():
            self._source = open_container(self._info.path)
        muxer = MUXER_BY_SUFFIX[self._path.suffix.lower()]
        self._container = av.open(
            str(self._part.path.absolute()), "w", format=muxer, container_options=self._muxer_options(muxer)
        )
        self._stream = self._add_video(self._container, muxer)
        if self._source is not None:
            self._movie = MovieSource.read(self._info.path)
            main = main_video(self._source, self._info.path)
            self._copies = StreamCopies(
                self._source, self._container, self._span, self._notes, main=main, movie=self._movie
            )
            copy_description(self._source, self._container, self._stream, self._info, self._span)
        self._container.start_encoding()

    def _muxer_options(self, muxer: str) -> dict[str, str]:
        # Packets arrive nearly interleaved; waiting longer than this for a sparse stream only costs memory.
        options = {"max_interleave_delta": "1000000"}
        if muxer == "matroska":
            options["fflags"] = "+bitexact"  # no random numbers in the file: the same run makes the same bytes
        if muxer in ("mp4", "mov"):
            ticks = self._info.time_base.denominator
            # Start offsets are written in the movie's own time scale, which is 1 ms unless told otherwise.
            options |= {"video_track_timescale": str(ticks), "movie_timescale": str(self._movie_ticks(ticks))}
        return options

    def _movie_ticks(self, ticks: int) -> int:
        audio = self._source.streams.audio if self._source is not None else ()
        together = int(np.lcm(ticks, 1000))  # chapters are in this scale too
        for stream in audio:
            together = int(np.lcm(together, stream.time_base.denominator if stream.time_base else 1))
        return together if together < 2**31 else ticks

    def _add_video(self, container: OutputContainer, muxer: str) -> VideoStream:
        info, encoding = self._info, self._encoding
        stream = container.add_stream(encoding.encoder, rate=info.frame_rate, options=dict(encoding.options))
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        (context.width, context.height), context.pix_fmt = encoding.size, encoding.pixel_format
        context.time_base = stream.time_base = info.time_base
        context.sample_aspect_ratio = info.sample_aspect_ratio
        context.color_range, context.colorspace = encoding.color.tag_range, encoding.color.tag_matrix
        context.color_primaries, context.color_trc = encoding.color.tag_primaries, encoding.color.tag_transfer
        context.thread_type = ThreadType.AUTO  # x264 would otherwise slice every picture
        context.flags |= CodecFlags.frame_duration
        if encoding.is_interlaced:
            context.flags |= CodecFlags.interlaced_dct | CodecFlags.interlaced_me
            context.field_order = code_of(info.field_order)
        if encoding.encoder == "libx265" and muxer in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # with hev1, Apple's players show nothing
        if info.display_matrix:
            stream.set_display_matrix(info.display_matrix)
        elif info.rotation_degrees or info.is_mirrored:
            stream.set_display_matrix(matrix_of(info.rotation_degrees, is_mirrored=info.is_mirrored))
        return stream

    def write(self, frame: Frame) -> None:
        """Encodes the next frame, or takes its packets where an earlier run has kept them."""
        self._seen.add(frame.pts, frame.duration)
        if self._frames < self.kept_frames:
            assert self._pieces is not None
            self._mux(self._pieces.keep(self._frames, frame.pts - self._shift_pts))
        else:
            self._mux(self._encoded(frame))
        self._frames += 1

    def _encoded(self, frame: Frame) -> Iterable[Packet[Any]]:
        native = self._preparation.prepare(frame)
        before = native.pts, native.time_base, native.duration, native.pict_type
        # The picture may be shown again (a still, a stand-in for a lost one), so what is set is put back.
        native.pts, native.time_base = frame.pts - self._shift_pts, frame.time_base
        native.duration = frame.duration
        native.pict_type = 0  # otherwise the encoder would repeat the source's choice of key pictures
        try:
            if self._pieces is None:
                return self._stream.encode(native)
            return self._pieces.encode(native, is_changed=not is_untouched(frame))
        finally:
            native.pts, native.duration, native.pict_type = before[0], before[2], before[3]
            if before[1] is not None:
                native.time_base = before[1]

    def _mux(self, packets: Iterable[Packet[Any]]) -> None:
        assert self._container is not None
        for packet in packets:
            time = None if packet.dts is None else packet.dts * packet.time_base
            self._container.mux(packet)
            self._packets += 1
            if self._copies is not None and time is not None:
                self._copies.until(time)

    def finish(self) -> None:
        """Ends the film and puts it in its place."""
        assert self._container is not None
        self._mux(self._last_packets())
        if self._copies is not None:
            self._copies.until(None)
        chapters = len(self._container.chapters())
        self._container.close()
        if self._packets != self._frames:
            failure = VideoWriteError(
                f"{self._path}: {self._encoding.encoder} made {self._packets} pictures of {self._frames}; "
                "use another codec"
            )
            failure.exit_code = 1
            raise failure
        self._complete(chapters)
        self._check()
        self._part.put(self._path, replace=self._overwrite)

    def _complete(self, chapters: int) -> None:
        if self._source is None or self._copies is None:
            return
        film = Written(
            self._part.path,
            self._path,
            self._info,
            self._encoding,
            self._source,
            self._movie,
            self._copies.described_by,
            chapters,
            self._seen.seconds,
        )
        self._notes += complete_header(film)
        self._notes += told_losses(film, self._notes)
        self._source.close()

    def _last_packets(self) -> list[Packet[Any]]:
        if self._pieces is not None:
            return self._pieces.finish()
        return flushed(self._stream, is_first=self._packets == 0)

    def abandon(self) -> None:
        """Deletes the hidden file; whole pieces stay. Never raises."""
        if self._pieces is not None:
            self._pieces.abandon()
        for container in (self._container, self._source):
            if container is not None:
                with contextlib.suppress(FFmpegError, OSError, ValueError):
                    container.close()
        self._part.drop()


def _without_negative_start(span: Span, info: VideoInfo, notes: list[str]) -> Span:
    """The span moved so that the first frame is at 0 if it would be before: players cut off what is."""
    start = round(info.start_seconds / info.time_base) * info.time_base - span.origin_seconds
    if start >= 0:
        return span
    notes.append(f"the source starts at {float(start):g} s; the output, sound included, is moved to start at 0")
    return replace(span, origin_seconds=span.origin_seconds + start)
