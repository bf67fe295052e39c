"""The whole pipeline on a page: open, analyse, plan, edit, encode.

source -> decode -> shots -> track -> analysis           first reading: who is seen, with what expression
driver -> the same, or a file -> expression curve
analysis + driver -> plan (relative action units)
source -> decode -> crop -> render -> blend -> encode    second reading: the edit
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
import math
import os
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.checkpoint import Checkpoint, default_checkpoint_path, load_checkpoint

from .drivers import (
    DECODE_AHEAD_FRAMES,
    CurveDriver,
    Driver,
    FaceDrivers,
    analyse_clip,
    load_driver,
    no_face,
    picture_expression,
)
from .edit import (
    EditSchedule,
    FaceEdit,
    FacePlan,
    FrameRequest,
    PlanOptions,
    RenderedFrame,
    Renderer,
    blended,
    plan_faces,
)
from .errors import NoFaceError, OptionError, VideoReadError
from .faces import AU_SOURCE, ClipAnalysis, FaceSelection, TrackingCache
from .files import MADE_FROM, check_not_input
from .media import EncodeOptions, Pieces, VideoReader, VideoWriter, create_video, open_video
from .options import RetargetOptions, is_named
from .records import Frame, Report, VideoInfo
from .report import faded_frames, notes_on, plan_details
from .stream import Clock, Progress, Stage, no_progress, prefetched

RENDER_AHEAD_FRAMES = 2
BLEND_AHEAD_FRAMES = 2


@dataclass(frozen=True, eq=False)
class EditedFrame:
    """A frame before and after, and the edits between."""

    source: Frame
    result: Frame
    """The very same as `source` where nothing was changed."""
    edits: Sequence[FaceEdit]


class Resources:
    """What outlasts a run and serves the next: networks on their devices, and the cache of tracked clips.

    For one thread at a time.
    """

    def __init__(self, *, cache: TrackingCache | None = None, cores: int | None = None) -> None:
        """`cache`: None tracks every clip anew. `cores`: the share of the machine for a run; None is all of it."""
        self.cache, self.cores = cache, cores
        self._checkpoints: dict[tuple[Path, int, int], Checkpoint] = {}
        self._renderers: dict[tuple[Path, int, int, str, int], Renderer] = {}

    def checkpoint(self, path: Path | None) -> Checkpoint:
        """The checkpoint of a file (None: the built-in one), read again only if the file has changed."""
        file = path or default_checkpoint_path()
        if not file.is_file():
            return load_checkpoint(file)  # which says what is wrong
        key = _version(file)
        if key not in self._checkpoints:
            self._checkpoints[key] = load_checkpoint(file)
        return self._checkpoints[key]

    def renderer(self, options: RetargetOptions, info: VideoInfo) -> Renderer:
        """The options' network on the options' device, for the frames of a video."""
        checkpoint = self.checkpoint(options.checkpoint)
        key = (*_version(options.checkpoint or default_checkpoint_path()), options.device, options.batch)
        if key not in self._renderers:
            self._renderers[key] = Renderer(
                checkpoint, info, device=options.device, batch=options.batch, cores=self.cores
            )
        return self._renderers[key].for_video(info)


def _version(file: Path) -> tuple[Path, int, int]:
    stat = file.stat()
    return file.absolute(), stat.st_size, stat.st_mtime_ns


def retarget_video(
    source: str | Path,
    driver: str | Path | Sequence[str | Path],
    output: str | Path,
    options: RetargetOptions | None = None,
    *,
    progress: Progress[Any] = no_progress,
    resources: Resources | None = None,
    check: Callable[[], None] = lambda: None,
    pieces: Pieces | None = None,
) -> Report:
    """Changes the expression of the faces in `source` to what `driver` asks, and writes `output`.

    The output has the source's frames, times, sound and tags; only the edited faces' pixels differ. It appears
    under its name when it is whole.

    Args:
        driver: or one for each of the selected faces of a shot, in the order of `options.faces` (left to right
            where that is not said).
        resources: what earlier runs left to be used again.
        check: called when all is written, before the output appears; if it raises, nothing is left.
        pieces: a film longer than one of these is encoded in such pieces, and those that an earlier run left are
            neither rendered nor encoded again; removing them afterwards is the caller's business.

    Raises:
        RetargetError: anything the user can put right, in one line; see pipeline.errors.
    """
    options, resources = options or RetargetOptions(), resources or Resources()
    started, clock = time.perf_counter(), Clock()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_shared_cores(resources.cores))
        session = Session(
            stack, Path(source), driver, options, clock=clock, progress=progress, resources=resources
        )
        # Before the long work: what is wrong with the output is said at once.
        check_not_input(Path(output), dict.fromkeys((*session.drivers, *options.neutral_pictures()), MADE_FROM))
        encode = _share_of_encoder(options.encode, resources.cores)
        writer = create_video(output, like=session.reader, options=encode, overwrite=options.overwrite)
        session.analyse()
        if pieces is not None and session.frame_count > pieces.frames_at(session.reader.info.frame_rate):
            writer.use_pieces(pieces)
        with writer, contextlib.closing(prefetched(session.frames_for(writer), BLEND_AHEAD_FRAMES)) as frames:
            for frame in progress(frames, Stage.RETARGET, session.frame_count):
                with clock.running("encode"):
                    writer.write(frame)
            session.check_count()
            check()
        report = session.report()
    report.notes += [note for note in writer.notes if note not in report.notes]
    report.details["output"] = str(output)
    report.seconds = {**clock.seconds(), "elapsed": round(time.perf_counter() - started, 3)}
    return report


def track_ahead(
    source: str | Path,
    drivers: Sequence[str | Path],
    options: RetargetOptions,
    *,
    cache: TrackingCache,
    progress: Progress[Any] = no_progress,
) -> None:
    """Fills the cache with what the first reading of such a run will look for, and needs no network for it.

    Raises:
        RetargetError: as the run will.
    """
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(_open_source(Path(source), options))
        if reader.info.is_still:
            return
        for driver in drivers:
            load_driver(driver, options, frame_rate=reader.info.frame_rate, progress=progress, cache=cache)
        analyse_clip(stack, reader, options, clock=Clock(), progress=progress, label=Stage.TRACK, cache=cache)


def _share_of_encoder(encode: EncodeOptions, cores: int | None) -> EncodeOptions:
    """x264 takes three threads for two cores; so does the share of a machine."""
    return encode if cores is None or encode.threads else replace(encode, threads=max(1, cores * 3 // 2))


@contextlib.contextmanager
def _shared_cores(cores: int | None) -> Iterator[None]:
    """OpenCV on a quarter of the cores: it works beside decoder, landmarker, network and encoder, and on few cores
    its second thread costs more than it brings (a fifth of the edit's time, measured on two)."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(max(1, (cores or os.cpu_count() or 1) // 4))
    try:
        yield
    finally:
        cv2.setNumThreads(before)


class Session:
    """A source, a driver and a checkpoint, opened together: what the main job and the preview share."""

    analysis: ClipAnalysis
    plans: list[FacePlan]
    schedule: EditSchedule

    def __init__(
        self,
        stack: contextlib.ExitStack,
        source: Path,
        driver: str | Path | Sequence[str | Path],
        options: RetargetOptions,
        *,
        clock: Clock,
        progress: Progress[Any] = no_progress,
        resources: Resources | None = None,
    ) -> None:
        """Opens everything; `stack` closes it. Fails before any long work where something does not fit."""
        self.options, self._source, self.drivers = options, source, _drivers(driver, options)
        self._stack, self._clock, self._progress = stack, clock, progress
        resources = resources or Resources()
        self._cache = resources.cache
        self._edited = self._written = 0
        self.checkpoint = resources.checkpoint(options.checkpoint)
        self.reader = stack.enter_context(_open_source(source, options))
        self.driver = self._load_drivers()
        if self.reader.info.is_still and math.isfinite(self.driver.duration_seconds):
            seconds = self.driver.duration_seconds
            self.reader = stack.enter_context(_open_source(source, options, still_seconds=seconds))
        self.renderer = resources.renderer(options, self.reader.info)
        self._neutral = _source_neutral(options, self._cache)

    @property
    def frame_count(self) -> int:
        """Frames of the source, as counted while analysing."""
        return self.analysis.frame_count

    def analyse(self) -> None:
        """The first reading: tracks every face, chooses, and plans."""
        source = self._source
        self.analysis, rejected = analyse_clip(
            self._stack,
            self.reader,
            self.options,
            clock=self._clock,
            progress=self._progress,
            label=Stage.TRACK,
            cache=self._cache,
        )
        if not self.analysis.tracks:
            raise no_face(source, rejected, self.options)
        with self._clock.running("plan"):
            self.plans = plan_faces(self.analysis, self.driver, self._plan_options())
            if not self.plans:
                raise NoFaceError(
                    f"{source}: no shot has as many faces as --face asks for; at most "
                    f"{max(t.face_id for t in self.analysis.tracks) + 1} are seen"
                )
            self.schedule = EditSchedule(self.analysis, self.plans, self.checkpoint.crop)

    def edited_frames(self) -> Iterator[Frame]:
        """The second reading: every frame of the source in order, edited where the plan says so.

        Holds `DECODE_AHEAD_FRAMES` decoded frames, a batch for each rendering thread, and `RENDER_AHEAD_FRAMES`.
        """
        with contextlib.closing(self.edits()) as edits:
            for edited in edits:
                yield edited.result

    def frames_for(self, writer: VideoWriter) -> Iterator[Frame]:
        """`edited_frames` for a writer that makes its output in pieces, or does not.

        Frames of pieces that are there are only decoded. A batch of faces never reaches over the joint of two, so
        that a run which goes on from there computes what an undisturbed one would, to the bit.
        """
        self._edited += writer.kept_changes
        with contextlib.closing(self.edits(kept=writer.kept_frames, group=writer.piece_frames)) as edits:
            for edited in edits:
                yield edited.result

    def edits(
        self, only: Collection[int] | None = None, *, kept: int = 0, group: int | None = None
    ) -> Generator[EditedFrame, None, None]:
        """The frames of `edited_frames` before and after, with what was done; of some frames only if so asked.

        Reading stops behind the last of `only`. The first `kept` frames are given as they are. Of each `group`
        frames the faces are rendered in batches of their own. Holds as much as `edited_frames`.
        """
        clock, reader = self._clock, self.reader
        # Closed here, whatever happens downstream: no thread must outlive the reader it decodes.
        with contextlib.ExitStack() as stack:
            decoded = stack.enter_context(
                contextlib.closing(prefetched(clock.stage("decode", _picked(reader, only)), DECODE_AHEAD_FRAMES))
            )
            for frame in itertools.islice(decoded, kept):
                self._written += 1
                yield EditedFrame(frame, frame, ())
            requests = (FrameRequest(frame, self.schedule.faces(frame.index)) for frame in decoded)
            rendering = clock.stage("render", self._rendered(clock.stage("crop", requests), group))
            for rendered in stack.enter_context(contextlib.closing(prefetched(rendering, RENDER_AHEAD_FRAMES))):
                with clock.running("blend"):
                    frame = blended(rendered.frame, rendered.edits, reader.info)
                self._edited += frame is not rendered.frame
                self._written += 1
                yield EditedFrame(rendered.frame, frame, rendered.edits)

    def _rendered(self, requests: Iterator[FrameRequest], group: int | None) -> Iterator[RenderedFrame]:
        if group is None:
            yield from self.renderer.render(requests)
            return
        for first in requests:
            yield from self.renderer.render(itertools.chain([first], itertools.islice(requests, group - 1)))

    def check_count(self) -> None:
        """Both readings must have seen the same frames, or times and faces would not belong together."""
        if self._written != self.frame_count:
            raise VideoReadError(
                f"{self._source}: changed while it was read ({self.frame_count} frames, then {self._written}); "
                "run again"
            )

    def report(self) -> Report:
        """What was done, so far as this session knows."""
        return Report(
            frames=self._written,
            frames_edited=self._edited,
            frames_without_face=self.analysis.frames_without_face,
            frames_faded=faded_frames(self.plans),
            decode_failures=self.reader.decode_failures,
            shots=len(self.analysis.shots),
            faces=len(self.plans),
            seconds=self._clock.seconds(),
            notes=[*self.driver.notes, *self._unused_drivers(), *notes_on(self.reader, self.analysis)],
            details={
                "retarget": importlib.metadata.version("retarget"),
                "source": str(self._source),
                "driver": str(self.drivers[0]) if len(self.drivers) == 1 else [str(d) for d in self.drivers],
                "checkpoint": str(self.options.checkpoint or "default"),
                "au_source": AU_SOURCE,
                "device": str(self.renderer.device),
                "faces": [plan_details(plan) for plan in self.plans],
            },
        )

    def _load_drivers(self) -> Driver:
        info, options = self.reader.info, self.options
        rate = options.sequence_rate if info.is_still else info.frame_rate
        loaded = [
            load_driver(
                path, options, frame_rate=rate, clock=self._clock, progress=self._progress, cache=self._cache
            )
            for path in self.drivers
        ]
        return loaded[0] if len(loaded) == 1 else FaceDrivers(loaded)

    def _unused_drivers(self) -> list[str]:
        """A note on drivers for faces that no shot has."""
        faces = 1 + max((plan.position for plan in self.plans), default=0)
        unused = [str(path) for path in self.drivers[faces:]]
        return [f"{', '.join(unused)}: not used; no shot has more than {_faces(faces)}"] if unused else []

    def _plan_options(self) -> PlanOptions:
        per_face = len(self.drivers) > 1 or (isinstance(self.driver, CurveDriver) and bool(self.driver.faces))
        everyone = FaceSelection("left-right", None) if per_face else None
        return self.options.plan_options(self._neutral, everyone)


def _picked(frames: Iterable[Frame], only: Collection[int] | None) -> Iterator[Frame]:
    """The frames of those indices, or all; does not read on behind the last."""
    if only is None:
        yield from frames
    elif only:
        last = max(only)
        yield from (frame for frame in itertools.islice(frames, last + 1) if frame.index in only)


def _open_source(path: Path, options: RetargetOptions, *, still_seconds: float | None = None) -> VideoReader:
    return open_video(
        path,
        trim_start=options.trim_start,
        trim_end=options.trim_end,
        sequence_rate=options.sequence_rate,
        still_seconds=still_seconds,
        still_rate=options.sequence_rate,
    )


def _faces(count: int) -> str:
    return f"{count} face{'s' * (count != 1)}"


def _drivers(driver: str | Path | Sequence[str | Path], options: RetargetOptions) -> tuple[Path, ...]:
    """One or several; raises OptionError for none, or several for a single face."""
    paths = (Path(driver),) if isinstance(driver, str | Path) else tuple(Path(d) for d in driver)
    if not paths:
        raise OptionError("no driver is given; name a clip, a curve file or a capture")
    if len(paths) > 1 and options.faces is not None and options.faces.index is not None:
        raise OptionError(
            f"{len(paths)} drivers are for as many faces, but --face selects one; use --face "
            f"{options.faces.order}:all, or one driver"
        )
    return paths


def _source_neutral(options: RetargetOptions, cache: TrackingCache | None) -> NDArray[np.float32] | float | str:
    neutral = options.source_neutral
    return neutral if is_named(neutral) else picture_expression(Path(str(neutral)), options, cache=cache)
