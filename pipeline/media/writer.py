"""Writing: frames in, and the output under its name only when it is whole."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from av.error import FFmpegError

from retarget.model.files import InTheWayError, check_free

from ..errors import OptionError, VideoReadError, VideoWriteError
from ..files import SequencePattern, check_output, parse_pattern, part_of, write_failure
from ..records import Frame, VideoInfo
from .containers import reason
from .encode import film_encoding, picture_encoding, with_hdr
from .fields import woven
from .film import PlannedFilm
from .options import EncodeOptions, check_output_name, check_picture_options, is_picture
from .pictures import PlannedPictures
from .pieces import Pieces
from .reader import VideoReader


def create_video(
    path: str | Path, *, like: VideoReader | VideoInfo, options: EncodeOptions, overwrite: bool = False
) -> VideoWriter:
    """A writer of a video, an image sequence (`out.%04d.png`) or one picture (`out.png`), as `like` is.

    Times, colour tags, aspect and rotation are those of `like`; audio, subtitles, chapters and metadata are
    copied from its file, restricted to the reader's trim range. The writer is a context manager.

    Args:
        like: what the frames come from: a reader, or the info of frames that were made.
        overwrite: whether the output may be there already. It stays as it was until the new one is whole.

    Raises:
        VideoWriteError: the destination exists (without `overwrite`), is the source, or cannot be made.
        OptionError: an encoder, pixel format or option that does not exist or does not fit the file.
    """
    path = Path(path)
    shown = like if isinstance(like, VideoInfo) else like.info
    info = shown.in_frames()
    reader = like if isinstance(like, VideoReader) else None
    pattern = parse_pattern(path)
    check_output_name(path)
    if is_picture(path):
        plan: PlannedOutput = _planned_pictures(path, pattern, info, reader, options, overwrite=overwrite)
        return VideoWriter(path, plan, shown)
    check_output(path, inputs={info.path: "the source itself"}, overwrite=overwrite)
    encoding = film_encoding(path, info, options)
    if reader is not None and reader.hdr_parameters:
        encoding = with_hdr(encoding, reader.hdr_parameters, path)
    span = reader.span if reader else None
    _check_alone(path)
    planned = PlannedFilm(path, info, span, encoding, overwrite=overwrite, check=_source_check(reader))
    return VideoWriter(path, planned, shown)


def _planned_pictures(
    path: Path,
    pattern: SequencePattern | None,
    info: VideoInfo,
    reader: VideoReader | None,
    options: EncodeOptions,
    *,
    overwrite: bool,
) -> PlannedPictures:
    check_picture_options(path, options)
    files = [path] if pattern is None else list(pattern.files().values())
    source_pattern = parse_pattern(info.path)
    source = info.path if source_pattern is None else next(iter(source_pattern.files().values()), info.path)
    check_output(path, inputs={source: "the source itself"}, overwrite=overwrite, files=files)
    first_number = reader.first_number if reader and reader.first_number is not None else 1
    encoding = picture_encoding(path, info, options)
    check = _source_check(reader)
    plan = PlannedPictures(path, pattern, first_number, info, encoding, overwrite=overwrite, check=check)
    if reader is not None and reader.hdr_parameters:
        plan.notes.append("the HDR mastering metadata is lost: pictures hold none")
    return plan


def _source_check(reader: VideoReader | None) -> Callable[[], None]:
    """Raises VideoReadError if the source is no longer as it was when it was first read."""
    return (lambda: None) if reader is None else reader.seen.check_all


def _check_alone(path: Path) -> None:
    """Raises VideoWriteError if another run is making the same file; said before the long work."""
    try:
        check_free(part_of(path))
    except InTheWayError as error:
        raise VideoWriteError(f"{path}: {error}") from error


class PlannedOutput(Protocol):
    """What a writer will do once it is entered."""

    notes: list[str]
    """What cannot be kept as it was, a line each."""
    pixel_format: str
    """FFmpeg's name."""

    def use_pieces(self, pieces: Pieces) -> None:
        """Keeps what is made in pieces, if that is known to go well."""

    def start(self) -> OpenOutput:
        """Begins the hidden part of the output."""
        ...


class OpenOutput(Protocol):
    """Where a writer's frames go until they are whole."""

    piece_frames: int | None
    kept_frames: int
    kept_changes: int

    def write(self, frame: Frame) -> None:
        """Takes the next frame."""

    def finish(self) -> None:
        """Writes what is left and puts the output in its place."""

    def abandon(self) -> None:
        """Deletes what was made, but for whole pieces; never raises."""


class VideoWriter:
    """Writes frames; the output appears under its name only when it is whole.

    A context manager. On any exception, Ctrl-C included, nothing remains. `notes` holds what could not be
    kept as it was, one line each. Where the source's frames come as fields, so are they taken, and counted in what
    is said here; two of them make a frame of the output.
    """

    def __init__(self, path: Path, plan: PlannedOutput, info: VideoInfo) -> None:
        """`info`: of the frames, or fields, that come."""
        self.path = path
        """The output's own name."""
        self.notes: list[str] = plan.notes
        self.pixel_format: str = plan.pixel_format
        """FFmpeg's name of the pixel format in the file."""
        self.frames_written = 0
        """Frames taken so far."""
        self.piece_frames: int | None = None
        """Frames in each piece, if the output is made in pieces; known once it is entered."""
        self.kept_frames = 0
        """The first so many frames were kept by an earlier run: `write` takes them, but does not look at their
        pixels. Known once it is entered."""
        self.kept_changes = 0
        """How many frames of the output among those differ from the source's."""
        self._plan, self._info = plan, info
        self._earlier: Frame | None = None
        self._open: OpenOutput | None = None
        self._last_pts: int | None = None

    def __enter__(self) -> Self:
        try:
            self._open = self._plan.start()
        except (FFmpegError, OSError, ValueError) as error:
            if isinstance(error, VideoWriteError | OptionError):
                raise
            if isinstance(error, InTheWayError):
                raise VideoWriteError(f"{self.path}: {error}") from error
            raise VideoWriteError(
                f"{self.path}: cannot be started ({reason(error)}); check the encoder's options"
            ) from error
        n, piece = self._info.pictures_per_frame, self._open.piece_frames
        self.piece_frames = None if piece is None else piece * n
        self.kept_frames, self.kept_changes = self._open.kept_frames * n, self._open.kept_changes
        return self

    def use_pieces(self, pieces: Pieces) -> None:
        """Makes the output of pieces that outlast a killed process; before it is entered.

        The output is the same whether pieces were kept or not, but not the same as without pieces: the encoder
        begins anew with each. A single picture, and a film of an encoder not known to work in pieces, are made as
        without them. Of a sequence, the pictures stay in their hidden folder instead. Deleting the pieces, and
        that folder if the output is given up, is the caller's business.
        """
        assert self._open is None, "use_pieces() inside `with`"
        self._plan.use_pieces(pieces)

    def write(self, frame: Frame) -> None:
        """Encodes one frame; frames come in order of time.

        Raises:
            VideoWriteError: the output cannot be continued (disk full).
            ValueError: a frame out of order.
        """
        assert self._open is not None, "write() outside `with`"
        if self._last_pts is not None and frame.pts <= self._last_pts:
            raise ValueError(f"frame {frame.index} at pts {frame.pts} comes after pts {self._last_pts}")
        self._last_pts = frame.pts
        self.frames_written += 1
        if self._info.pictures_per_frame == 2:
            self._earlier, earlier = (frame, None) if self._earlier is None else (None, self._earlier)
            if earlier is None:
                return
            frame = woven(earlier, frame, self._info.in_frames())
        with self._as_write_error():
            self._open.write(frame)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._open is not None
        output, self._open = self._open, None
        if kind is not None:
            output.abandon()
            return
        try:
            with self._as_write_error():
                if self.frames_written == 0:
                    raise VideoWriteError(f"{self.path}: no frame was written; nothing is left behind")
                output.finish()
        except BaseException:
            output.abandon()
            raise

    @contextlib.contextmanager
    def _as_write_error(self) -> Iterator[None]:
        try:
            yield
        except (VideoWriteError, VideoReadError):
            raise
        except (FFmpegError, OSError) as error:
            raise _failure(self.path, error) from error


def _failure(path: Path, error: BaseException) -> VideoWriteError:
    """The error for an output that broke off midway."""
    return write_failure(path, error, f"writing failed ({reason(error)}); check the disk's free space")
