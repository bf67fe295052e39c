"""A source, a driver and a network opened together; analyse once, plan many times, edit what was planned.

    source -> decode -> shots -> track -> analysis     first reading: who is seen, with what expression
    driver -> the same, or a file -> expression curve
    analysis + driver -> plans                         relative action units
    source -> decode -> crop -> render -> blend        second reading: the edit

Each of the three is a function from values to values: one analysis serves any number of plans.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec

from .drivers import CurveDriver, Driver, DriverReader, FaceDrivers
from .edit import (
    EditedFrame,
    EditSchedule,
    FrameRequest,
    Plans,
    References,
    RenderedFrame,
    Renderer,
    blended,
    borrowing,
    lender_of,
    plan_faces,
)
from .errors import NoFaceError, OptionError, VideoReadError
from .faces import (
    DECODE_AHEAD_FRAMES,
    ClipAnalysis,
    FaceSelection,
    TrackingCache,
    descriptor_of,
    no_face,
    read_faces,
    settled,
)
from .files import SeenFiles
from .media import VideoReader, open_video
from .options import RetargetOptions, is_named
from .records import Frame
from .resources import Resources
from .stream import Clock, Progress, Stage, no_progress, prefetched

RENDER_AHEAD_FRAMES = 2


# The three steps, by file


def load_driver(
    path: str | Path | Sequence[str | Path],
    options: RetargetOptions | None = None,
    *,
    frame_rate: Fraction = Fraction(25),
    clock: Clock | None = None,
    progress: Progress[Any] = no_progress,
    cache: TrackingCache | None = None,
) -> Driver:
    """Any driver: AU curves (.yaml), a capture (.csv), or a clip or picture whose face is tracked.

    Args:
        path: or several, one for each of the selected faces of a shot.
        frame_rate: the source's: what frame numbers and timecodes in a curve file count at.
        cache: what it has is not tracked.

    Raises:
        RetargetError: a file cannot be used, or shows no face.
    """
    options = options or RetargetOptions()
    paths = driver_paths(path, options)
    reader = DriverReader(options.measuring(), clock or Clock(), progress, cache)
    loaded = [reader.read(file, options.driver_options(), frame_rate=frame_rate) for file in paths]
    return loaded[0] if len(loaded) == 1 else FaceDrivers(loaded)


def analyse_clip(
    source: str | Path,
    options: RetargetOptions | None = None,
    *,
    progress: Progress[Any] = no_progress,
    cache: TrackingCache | None = None,
) -> ClipAnalysis:
    """The first reading of a source: every face from beginning to end, as a value that any number of plans share.

    Of the options, those count that say which part of the source is read and how small a face may be. About 0.4 kB
    of memory a face and frame, and 5.7 kB on disk in a temporary file that goes with the value.

    Raises:
        RetargetError: the source cannot be read, or shows no face.
    """
    options = options or RetargetOptions()
    with open_source(Path(source), options) as reader:
        return _analysis(reader, options, progress=progress, cache=cache)


def read_references(
    options: RetargetOptions,
    *,
    clock: Clock | None = None,
    progress: Progress[Any] = no_progress,
    cache: TrackingCache | None = None,
) -> tuple[ClipAnalysis, ...]:
    """The faces of the options' references, by file.

    Raises:
        NoFaceError: one of them shows no face.
        RetargetError: one of them cannot be read.
    """
    return tuple(
        _reference(file, options, clock=clock, progress=progress, cache=cache)
        for file in dict.fromkeys(options.reference_files())
    )


def plan_edits(
    analysis: ClipAnalysis,
    driver: Driver,
    options: RetargetOptions | None = None,
    *,
    neutral: NDArray[np.float32] | float | str | None = None,
    references: Sequence[ClipAnalysis] | None = None,
) -> Plans:
    """What will be done to whom: relative action units for every selected face and frame. Touches no picture.

    Args:
        driver: from `load_driver`, at `analysis.info.frame_rate`.
        neutral: what `source_neutral` gave for the options. Only needed to plan many times where that is a
            picture, which is else measured each time.
        references: what `read_references` gave for the options; those are else read each time.

    Raises:
        NoFaceError: no shot has as many faces as the options select, or the person they select is not there; or a
            reference shows nobody who is edited.
        OptionError: the source's neutral is asked for at a time at which no face is seen.
    """
    options = options or RetargetOptions()
    neutral = source_neutral(options) if neutral is None else neutral
    everyone = FaceSelection("left-right", None) if is_per_face(driver) else None
    wanted = settled(options.faces or everyone or FaceSelection(), analysis, options.tracker)
    plans = plan_faces(analysis, driver, options.plan_options(neutral, wanted))
    if not plans.faces:
        raise NoFaceError(
            f"{analysis.info.path}: no shot has as many faces as --face asks for; at most "
            f"{max(track.face_id for track in analysis.tracks) + 1} are seen"
        )
    references = read_references(options) if references is None else references
    lenders = (lender_of(r, plans.edited_persons, anybody=options.any_reference) for r in references)
    return replace(plans, lenders=tuple(lenders))


def edited_frames(
    plans: Plans,
    options: RetargetOptions | None = None,
    *,
    only: Collection[int] | None = None,
    resources: Resources | None = None,
) -> Generator[EditedFrame, None, None]:
    """The second reading: the frames of the planned clip in order, edited where the plans say so.

    Holds `DECODE_AHEAD_FRAMES` decoded frames, a batch for each rendering thread, and `RENDER_AHEAD_FRAMES`.

    Args:
        only: indices of the frames that are wanted; None: all. Reading stops behind the last.
        resources: networks that are loaded already.

    Raises:
        RetargetError: the source, the checkpoint or the device cannot be used.
    """
    options, resources = options or RetargetOptions(), resources or Resources()
    with open_planned(plans, options) as reader:
        renderer = resources.renderer(options, reader.info)
        with contextlib.closing(edits(reader, renderer, plans, only)) as edited:
            yield from edited


# What is opened together


@dataclass(frozen=True, eq=False)
class Session:
    """A source, its driver and a network, opened together: what the main job and the preview share."""

    options: RetargetOptions
    source: Path
    driver_files: tuple[Path, ...]
    reader: VideoReader
    driver: Driver
    renderer: Renderer
    neutral: NDArray[np.float32] | float | str
    """What the source is measured from; see `source_neutral`."""
    references: tuple[ClipAnalysis, ...]
    """Further clips of the actors."""
    resources: Resources
    clock: Clock
    progress: Progress[Any]

    def analyse(self) -> ClipAnalysis:
        """The first reading of the source; raises as `analyse_clip`."""
        return _analysis(
            self.reader, self.options, clock=self.clock, progress=self.progress, cache=self.resources.cache
        )

    def plan(self, analysis: ClipAnalysis) -> Plans:
        """What the driver asks of it; raises as `plan_edits`."""
        with self.clock.running("plan"):
            plans = plan_edits(
                analysis, self.driver, self.options, neutral=self.neutral, references=self.references
            )
        with self.clock.running("borrow"):
            return borrowing(plans, self.renderer)

    def edits(
        self, plans: Plans, only: Collection[int] | None = None, *, kept: int = 0, group: int | None = None
    ) -> Generator[EditedFrame, None, None]:
        """The second reading; see `edits`."""
        return edits(self.reader, self.renderer, plans, only, kept=kept, group=group, clock=self.clock)


@contextlib.contextmanager
def open_session(
    source: str | Path,
    driver: str | Path | Sequence[str | Path],
    options: RetargetOptions,
    *,
    clock: Clock | None = None,
    progress: Progress[Any] = no_progress,
    resources: Resources | None = None,
) -> Iterator[Session]:
    """Opens everything, and fails before any long work where something does not fit.

    A still source is shown for as long as its driver lasts.

    Raises:
        RetargetError: something cannot be used, or does not go together.
    """
    source, clock, resources = Path(source), clock or Clock(), resources or Resources()
    files = driver_paths(driver, options)
    resources.checkpoint(options.checkpoint)
    for picture in options.face_pictures():
        descriptor_of(picture, options.tracker)  # one without a face is told before any clip is tracked
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(open_source(source, options))
        loaded = load_driver(
            files,
            options,
            frame_rate=options.sequence_rate if reader.info.is_still else reader.info.frame_rate,
            clock=clock,
            progress=progress,
            cache=resources.cache,
        )
        if reader.info.is_still and math.isfinite(loaded.duration_seconds):
            reader = stack.enter_context(
                open_source(source, options, still_seconds=loaded.duration_seconds, seen=reader.seen)
            )
        yield Session(
            options=options,
            source=source,
            driver_files=files,
            reader=reader,
            driver=loaded,
            renderer=resources.renderer(options, reader.info),
            neutral=source_neutral(options, resources.cache),
            references=read_references(options, clock=clock, progress=progress, cache=resources.cache),
            resources=resources,
            clock=clock,
            progress=progress,
        )


def open_source(
    path: Path,
    options: RetargetOptions,
    *,
    still_seconds: float | None = None,
    seen: SeenFiles | None = None,
) -> VideoReader:
    """The part of a source that the options are about, opened (see `open_video`); raises RetargetError."""
    return open_video(
        path,
        trim_start=options.trim_start,
        trim_end=options.trim_end,
        sequence_rate=options.sequence_rate,
        still_seconds=still_seconds,
        still_rate=options.sequence_rate,
        seen=seen,
    )


def open_planned(plans: Plans, options: RetargetOptions) -> VideoReader:
    """The source of plans, opened as it was analysed; raises RetargetError."""
    info = plans.analysis.info
    shown_seconds = info.duration_seconds_from_header if info.is_still else None
    return open_source(info.path, options, still_seconds=shown_seconds, seen=plans.analysis.seen)


def driver_paths(driver: str | Path | Sequence[str | Path], options: RetargetOptions) -> tuple[Path, ...]:
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


def is_per_face(driver: Driver) -> bool:
    """Whether a driver asks something else of each face, so that by default all of them are meant."""
    return isinstance(driver, FaceDrivers) or (isinstance(driver, CurveDriver) and bool(driver.faces))


def source_neutral(
    options: RetargetOptions, cache: TrackingCache | None = None
) -> NDArray[np.float32] | float | str:
    """What the source is measured from: auto, none, a second of the clip, or (C,) what a picture shows."""
    neutral = options.source_neutral
    if is_named(neutral):
        return neutral
    picture = options.faces.picture if options.faces else None
    how = replace(options.measuring(), faces=FaceSelection(picture=picture))
    return DriverReader(how, cache=cache).picture_expression(Path(str(neutral)))


def _analysis(
    reader: VideoReader,
    options: RetargetOptions,
    *,
    stage: Stage = Stage.TRACK,
    clock: Clock | None = None,
    progress: Progress[Any] = no_progress,
    cache: TrackingCache | None = None,
) -> ClipAnalysis:
    analysis = read_faces(
        reader, options.track_options(), stage=stage, clock=clock, progress=progress, cache=cache
    )
    if not analysis.tracks:
        raise no_face(reader.info.path, analysis.largest_rejected_px, is_trimmed=options.is_trimmed)
    return analysis


def _reference(file: Path, options: RetargetOptions, **how: Any) -> ClipAnalysis:
    with open_video(file, sequence_rate=options.sequence_rate) as reader:
        whole = replace(options, trim_start=None, trim_end=None)
        return _analysis(reader, whole, stage=Stage.REFERENCES, **how)


# The second reading


def edits(
    reader: VideoReader,
    renderer: Renderer,
    plans: Plans,
    only: Collection[int] | None = None,
    *,
    kept: int = 0,
    group: int | None = None,
    clock: Clock | None = None,
) -> Generator[EditedFrame, None, None]:
    """Every frame before and after, with what was done; of some frames only if so asked.

    Reading stops behind the last of `only`. The first `kept` frames are given as they are. Of each `group`
    frames the faces are rendered in batches of their own, so that a run which resumes at the joint of two computes
    what an undisturbed one would, to the bit. Holds as much as `edited_frames`.
    """
    clock = clock or Clock()
    if plans.loans is None:
        with clock.running("borrow"):
            plans = borrowing(plans, renderer)
    with clock.running("references"):
        schedule = EditSchedule(plans, renderer.crop, _references(reader, plans, renderer.crop, only))
    # Closed here, whatever happens downstream: no thread must outlive the reader it decodes.
    with contextlib.ExitStack() as stack:
        decoded = stack.enter_context(
            contextlib.closing(
                prefetched(clock.stage("decode", _picked(reader, only)), DECODE_AHEAD_FRAMES, watch=reader.watch)
            )
        )
        for frame in itertools.islice(decoded, kept):
            yield EditedFrame(frame, frame, ())
        requests = (FrameRequest(frame, schedule.faces(frame.index)) for frame in decoded)
        rendering = clock.stage("render", _rendered(renderer, clock.stage("crop", requests), group))
        for rendered in stack.enter_context(contextlib.closing(prefetched(rendering, RENDER_AHEAD_FRAMES))):
            with clock.running("blend"):
                result = blended(rendered.frame, rendered.edits, reader.info)
            yield EditedFrame(rendered.frame, result, rendered.edits)


def _references(
    reader: VideoReader, plans: Plans, crop: CropSpec, only: Collection[int] | None
) -> References | None:
    """What the plans borrow, or what those frames do, read."""
    if plans.loans is None:
        return None
    references = References(reader.info, crop, [lender.analysis.info for lender in plans.lenders])
    for clip, wanted in (plans.loans.sightings if only is None else plans.sightings(only)).items():
        with contextlib.ExitStack() as stack:
            lent = plans.lenders[clip - 1].analysis if clip else plans.analysis
            path = lent.info.path
            frames = stack.enter_context(open_video(path, seen=lent.seen)) if clip else reader
            read = sum(1 for _ in references.collect(_picked(frames, wanted.keys()), wanted, clip))
        if read < len(wanted):
            raise VideoReadError(f"{path}: changed while it was read; run again")
    return references


def _rendered(renderer: Renderer, requests: Iterator[FrameRequest], group: int | None) -> Iterator[RenderedFrame]:
    if group is None:
        yield from renderer.render(requests)
        return
    for first in requests:
        yield from renderer.render(itertools.chain([first], itertools.islice(requests, group - 1)))


def _picked(frames: Iterable[Frame], only: Collection[int] | None) -> Iterator[Frame]:
    """The frames of those indices, or all; does not read on behind the last."""
    if only is None:
        yield from frames
    elif only:
        last = max(only)
        yield from (frame for frame in itertools.islice(frames, last + 1) if frame.index in only)
