"""Reading: the frames of a video, a picture or an image sequence, with their times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Self

from ..errors import OptionError, VideoOpenError, VideoReadError
from ..files import SeenFiles, SequencePattern, check_readable, find_sequence, parse_pattern
from ..records import FieldOrder, Frame, VideoInfo
from ..stream import PATIENCE_SECONDS, Watch
from .completeness import Promise, Seen, Shortfall, shortfall_of
from .convert import Converter
from .decode import Picture
from .fields import fields_of
from .info import STILL_RATE, first_look, hdr_parameters
from .planes import plane_views
from .sources import FileSource, PictureSource, SequenceSource, StillSource
from .trim import SEEK_WORTH_SECONDS, TOLERANCE_SECONDS, Span, Trim, checked_trim, trimmed_info


def open_video(
    path: str | Path,
    *,
    trim_start: float | None = None,
    trim_end: float | None = None,
    sequence_rate: Fraction = Fraction(24),
    still_seconds: float | None = None,
    still_rate: Fraction | None = None,
    seen: SeenFiles | None = None,
    field_order: FieldOrder = "progressive",
) -> VideoReader:
    """A reader of a video file, a still picture, or an image sequence (`shot.%04d.png`, `shot.####.tif`).

    Args:
        trim_start: keeps frames with `trim_start <= seconds from the first frame < trim_end`; None: from there.
        trim_end: in seconds from the first frame, as `trim_start`; None: to its end.
        sequence_rate: frames per second of an image sequence.
        still_seconds: how long a still is shown; None: for one frame.
        still_rate: frames per second of a still; None: 25.
        seen: of an earlier reading; the files must be as they were then.
        field_order: of a film, or sequence, that is interlaced and does not say so.

    Raises:
        VideoOpenError: the file cannot be used, or nothing lies within the trim range.
        VideoReadError: it is another than was seen.
        OptionError: a time or rate that makes no sense.
    """
    trim = checked_trim(trim_start, trim_end)
    for name, value in (("sequence_rate", sequence_rate), ("still_rate", still_rate)):
        if value is not None and value <= 0:
            raise OptionError(f"{name} is {value}; it must be above 0 frames per second")
    if still_seconds is not None and still_seconds <= 0:
        raise OptionError(f"still_seconds is {still_seconds}; it must be above 0")
    path, seen = Path(path), seen or SeenFiles()
    pattern = parse_pattern(path)
    if pattern is not None:
        return _open_sequence(path, pattern, Fraction(sequence_rate), trim, field_order, seen)
    check_readable(path)
    return _open_file(path, trim, still_seconds, Fraction(still_rate or STILL_RATE), field_order, seen)


def _open_file(
    path: Path, trim: Trim, still_seconds: float | None, rate: Fraction, field_order: FieldOrder, seen: SeenFiles
) -> VideoReader:
    seen.check(path)
    look = first_look(path)
    info = look.info
    if info.field_order == "progressive" and not info.is_still:
        info = replace(info, field_order=field_order)
    if not info.is_still:
        source = FileSource(path, info.time_base, seen)
        hdr = hdr_parameters(look.picture.native, info.codec_name)
        return VideoReader(
            source,
            info,
            first_pts=look.picture.pts,
            trim=trim,
            hdr_parameters=hdr,
            promise=look.promise,
            seen=seen,
        )
    count = 1 if still_seconds is None else max(1, round(still_seconds * rate))
    info = _at_rate(info, rate, count)
    return VideoReader(StillSource(path, info.time_base, count, seen), info, first_pts=0, trim=trim, seen=seen)


def _open_sequence(
    path: Path, pattern: SequencePattern, rate: Fraction, trim: Trim, field_order: FieldOrder, seen: SeenFiles
) -> VideoReader:
    files = find_sequence(pattern, shown_as=str(path))
    first_number, first_file = next(iter(files.items()))
    check_readable(first_file)
    seen.check(first_file)
    info = first_look(first_file, named=path, frame_threads=False).info
    info = replace(_at_rate(info, rate, len(files)), is_still=False, field_order=field_order)
    source = SequenceSource(tuple(files.values()), info.time_base, seen)
    return VideoReader(source, info, first_pts=0, trim=trim, first_number=first_number, seen=seen)


def _at_rate(info: VideoInfo, rate: Fraction, count: int) -> VideoInfo:
    """The info of so many pictures that have no times of their own: from 0 on, `rate` of them a second."""
    return replace(
        info,
        time_base=1 / rate,
        frame_rate=rate,
        start_seconds=0.0,
        duration_seconds_from_header=float(count / rate),
        frame_count_from_header=count,
    )


class VideoReader:
    """A video, picture or image sequence: iterate it for its `Frame`s, as often as you like.

    Each iteration decodes from the beginning (of the trim range), in order of presentation, and drops or
    doubles nothing; it raises VideoReadError where the source cannot be read on. Made by `open_video`. A context
    manager, which ends an iteration that was left midway. Holds the decoder's own pictures and the last good one.
    Interlaced film comes as fields (`info.pictures_per_frame`), each at its own time.
    """

    def __init__(
        self,
        source: PictureSource,
        info: VideoInfo,
        *,
        first_pts: int,
        trim: Trim,
        seen: SeenFiles,
        first_number: int | None = None,
        hdr_parameters: str = "",
        promise: Promise | None = None,
    ) -> None:
        self.info = info
        """What is known of the source, lengths restricted to the trim range."""
        self.hdr_parameters = hdr_parameters
        """Mastering display and light level of HDR10 as x265 wants them; empty if the source has none."""
        self.decode_failures = 0
        """Pictures of the latest iteration that the decoder could not make, or only in part."""
        self.shortfall: Shortfall | None = None
        """What the latest iteration that went to the file's end found missing there of what the file promises."""
        self.first_number: int | None = first_number
        """Number in the file name of the first kept picture of an image sequence."""
        self.seen = seen
        """The source's files as they were when they were first read."""
        self.watch = Watch(lambda: self._pictures_read, self._stalled)
        """For what reads it in a thread."""
        self._pictures_read = 0
        self._source = source
        self._first_pts = first_pts
        self._trim, self._promise = trim, promise
        self._iterations: list[Iterator[Frame]] = []
        self.shift_pts = self._find_shift()
        """Pts of the first kept frame minus that of the source's first; 0 without trimming."""
        self.info = trimmed_info(info, trim)
        if self.info.field_order != "progressive":
            self.info = self.info.in_fields()
        if self.first_number is not None:
            self.first_number += self.shift_pts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for iteration in self._iterations:
            iteration.close()  # type: ignore[attr-defined]
        self._iterations.clear()

    def __iter__(self) -> Iterator[Frame]:
        iteration = self._frames()
        self._iterations = [iteration]
        return iteration

    @property
    def _from_seconds(self) -> Fraction | None:
        """Where to seek to, in absolute time; None when it would not pay."""
        start = self._trim.start_seconds
        if start is None or start < SEEK_WORTH_SECONDS:
            return None
        return self._first_pts * self._source.time_base + start - TOLERANCE_SECONDS

    def _kept(self) -> Iterator[Picture]:
        seen = Seen(self._source.time_base, self.info.frame_rate)
        for picture in self._source.pictures(self._from_seconds):
            self._pictures_read += 1
            seconds = (picture.pts - self._first_pts) * self._source.time_base
            if self._trim.is_over(seconds):
                return
            seen.add(picture.pts, picture.native.duration)
            if self._trim.has_begun(seconds):
                yield picture
        self.shortfall = self._missing(seen)

    def _missing(self, seen: Seen) -> Shortfall | None:
        first, end = self._first_pts * self._source.time_base, self._trim.end_seconds
        return shortfall_of(
            self.info.path,
            self._promise,
            seen,
            first_seconds=first,
            until=None if end is None else first + end,
            rate=self.info.frame_rate,
        )

    def _stalled(self) -> VideoReadError:
        return VideoReadError(
            f"{self.info.path}: gave no picture for {PATIENCE_SECONDS / 60:.0f} minutes; check the disk or network"
            " that it is on, and run again"
        )

    def _find_shift(self) -> int:
        if self._trim.is_whole:
            return 0
        first = next(self._kept(), None)
        if first is None:
            raise VideoOpenError(
                f"{self.info.path}: no frame between {self._trim}; "
                f"it lasts {self.info.duration_seconds_from_header:g} s"
            )
        return first.pts - self._first_pts

    def _frames(self) -> Iterator[Frame]:
        self.decode_failures, self.shortfall = 0, None
        converter, info = Converter(), self.info.in_frames()
        for index, picture in enumerate(self._kept()):
            self.decode_failures += picture.is_corrupt
            frame = self._frame(index, picture, converter, info)
            if self.info.pictures_per_frame == 1:
                yield frame
            else:
                yield from fields_of(frame, self.info)

    def _frame(self, index: int, picture: Picture, converter: Converter, info: VideoInfo) -> Frame:
        native = picture.native
        if (native.width, native.height) != (info.width, info.height):
            raise VideoReadError(
                f"{info.path}: the picture changes from {info.width}x{info.height} to {native.width}x"
                f"{native.height} at frame {index}; split it into clips of one size"
            )
        if native.format.name != info.native_format_name:
            native = converter.convert(native, info.pixel_format.name, info.color, info.color)
        planar = converter.to_planar(native, info.pixel_format)
        planes = plane_views(planar, info.pixel_format)
        for plane in planes:
            plane.flags.writeable = False
        return Frame(
            index=index,
            pts=picture.pts,
            time_base=self._source.time_base,
            planes=planes,
            pixel_format=info.pixel_format,
            duration=native.duration,
            is_corrupt=picture.is_corrupt,
            native=planar,
        )

    @property
    def span(self) -> Span:
        """The kept part of the source's other streams."""
        base = self._source.time_base
        start = self._first_pts * base
        return Span(
            None if self._trim.start_seconds is None else start + self.shift_pts * base,
            None if self._trim.end_seconds is None else start + self._trim.end_seconds,
            self.shift_pts * base,
            self.info.origin_seconds,
        )
