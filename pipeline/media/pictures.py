"""Pictures being written: one, or an image sequence."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.video.codeccontext import VideoCodecContext

from retarget.model.files import put_in_place

from ..errors import VideoWriteError
from ..files import HeldFolder, SequencePattern, is_named_for, part_of
from ..records import Frame, VideoInfo
from .convert import Preparation
from .encode import Encoding
from .kept import unkept_description
from .pieces import About, Pieces, note_pictures, noted_pictures
from .planes import is_untouched


@dataclass
class PlannedPictures:
    """Pictures that can be made, and what is known of them before they are begun."""

    path: Path
    pattern: SequencePattern | None
    """None: one picture."""
    first_number: int
    """In the name of the first picture of a sequence."""
    info: VideoInfo
    encoding: Encoding
    overwrite: bool = False
    check: Callable[[], None] = lambda: None
    """Called when all is written, before the pictures appear; if it raises, nothing is left."""
    pieces: Pieces | None = None

    def __post_init__(self) -> None:
        self.notes: list[str] = list(self.encoding.notes)
        self.pixel_format = self.encoding.pixel_format
        if self.info.audio_streams:
            self.notes.append("pictures hold no sound: the source's audio is left out")
        if self.info.rotation_degrees or self.info.is_mirrored:
            self.notes.append("pictures hold no rotation: they lie as the source's were stored")

        if self.info.field_order != "progressive":
            self.notes.append(
                f"field order {self.info.field_order} is lost: pictures hold none; the fields lie in them as they "
                "were"
            )
        self.notes += unkept_description(self.info)
        if self.info.start_timecode:
            self.notes.append(f"pictures hold no timecode: the first is {self.info.start_timecode}")

    def use_pieces(self, pieces: Pieces) -> None:
        """Keeps the pictures of a sequence that are made if the run breaks off."""
        if self.pattern is not None:
            self.pieces = pieces

    def start(self) -> OpenPictures:
        """Begins the hidden folder."""
        return OpenPictures(self)


class OpenPictures:
    """Pictures being written into a hidden folder beside their destination."""

    def __init__(self, plan: PlannedPictures) -> None:
        self._plan = plan
        self._preparation = Preparation(plan.info, plan.encoding.pixel_format, plan.encoding.color)
        self._folder = HeldFolder(part_of(plan.path), is_named_for(plan.path))
        self._files: list[Path] = []
        self.piece_frames: int | None = None
        self.kept_frames = self.kept_changes = self._changed = 0
        try:
            if plan.pieces is not None:
                self._find_kept(plan.pieces)
            if not self.kept_frames:
                self._folder.empty()
            self._context = self._encoder()
        except BaseException:
            self.abandon()
            raise

    def _find_kept(self, pieces: Pieces) -> None:
        """How many pictures are there, from the first on, of those that an earlier run has noted."""
        self.piece_frames = pieces.frames_at(self._plan.info.frame_rate)
        made_with = repr((self._plan.encoding, self._plan.first_number, self.piece_frames, av.__version__))
        self._belongs_to = hashlib.sha256(f"{pieces.belongs_to} {made_with}".encode()).hexdigest()
        noted = noted_pictures(pieces.folder, self._belongs_to)
        if noted is not None and all(self._is_kept(i) for i in range(noted.frames)):
            self.kept_frames, self.kept_changes = noted.frames, noted.changed_frames
            self._changed = noted.changed_frames

    def _is_kept(self, index: int) -> bool:
        picture = self._folder.path / self._target(index).name
        return picture.is_file() and not picture.is_symlink()

    def _target(self, index: int) -> Path:
        pattern = self._plan.pattern
        return self._plan.path if pattern is None else pattern.path(self._plan.first_number + index)

    def _encoder(self) -> VideoCodecContext:
        encoding, info = self._plan.encoding, self._plan.info
        context = av.CodecContext.create(encoding.encoder, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = info.width, info.height, encoding.pixel_format
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.sample_aspect_ratio = info.sample_aspect_ratio
        context.thread_count = 1  # a threaded encoder would hand pictures out late
        return context

    def write(self, frame: Frame) -> None:
        """Makes the next picture, unless an earlier run has kept it."""
        plan = self._plan
        if plan.pattern is None and self._files:
            raise VideoWriteError(
                f"{plan.path}: is one picture, but there are more frames; name a sequence such as "
                f"{plan.path.stem}.%04d{plan.path.suffix}"
            )
        target = self._target(len(self._files))
        if len(self._files) >= self.kept_frames:
            self._make(frame, target)
        self._files.append(target)
        if plan.pieces is not None and self.piece_frames and len(self._files) % self.piece_frames == 0:
            self._note(plan.pieces)

    def _make(self, frame: Frame, target: Path) -> None:
        native = self._preparation.prepare(frame)
        self._changed += not is_untouched(frame)
        data = b"".join(bytes(packet) for packet in self._context.encode(native))
        self._folder.write(target.name, data)

    def _note(self, pieces: Pieces) -> None:
        count = len(self._files)
        if count > self.kept_frames:
            self.kept_frames = count
            about = About(belongs_to=self._belongs_to, first_frame=0, frames=count, changed_frames=self._changed)
            note_pictures(pieces.folder, about)

    def finish(self) -> None:
        """Puts the pictures in their place; those of a longer sequence that was there go last."""
        plan = self._plan
        plan.check()
        there = [] if plan.pattern is None else list(plan.pattern.files().values())
        if there and not plan.overwrite:
            raise FileExistsError(plan.path)
        for file in self._files:
            put_in_place(self._folder.path / file.name, file, replace=plan.overwrite)
        new = frozenset(self._files)
        for stale in there:
            if stale not in new:
                stale.unlink()
        self._folder.drop()

    def abandon(self) -> None:
        """Deletes the hidden folder, unless pictures in it are noted as kept."""
        if self._plan.pieces is None or not self.kept_frames:
            self._folder.drop()
        else:
            self._folder.release()
