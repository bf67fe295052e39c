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
import json
import math
import os
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.checkpoint import Checkpoint, default_checkpoint_path, load_checkpoint

from .analysis import ClipAnalysis, FaceSelection, whole_series
from .blend import blend
from .clock import Clock
from .curves import CurveDriver, load_curves
from .drivers import Driver, DriverOptions, SeriesDriver, neutral_of, read_series
from .errors import DriverError, NoFaceError, OptionError, VideoReadError, VideoWriteError
from .expression import AU_SOURCE
from .plan import EditSchedule, FacePlan, PlanOptions, plan_faces
from .prefetch import prefetch
from .records import ExpressionSeries, Frame, Report, TrackedFrame, VideoInfo
from .render import FaceEdit, FrameRequest, Renderer
from .shots import PROXY_PX, detect_shots
from .track import FaceTracker, TrackOptions
from .trajectory import smooth
from .video import EncodeOptions, VideoReader, create_video, open_video, proxy

T = TypeVar("T")

Progress = Callable[[Iterable[T], str, int], Iterable[T]]
"""Wraps an iterable to show how far it is: (items, label, expected count or 0)."""

DECODE_AHEAD_FRAMES = 4
RENDER_AHEAD_FRAMES = 2
BLEND_AHEAD_FRAMES = 2

GAZE_UNITS = ("AU61", "AU62", "AU63", "AU64")

CURVE_SUFFIXES = frozenset({".yaml", ".yml"})
CAPTURE_SUFFIXES = frozenset({".csv"})


def no_progress(items: Iterable[T], label: str, total: int) -> Iterable[T]:  # noqa: ARG001 - the silent Progress
    """Shows nothing."""
    return items


@dataclass(frozen=True, kw_only=True)
class RetargetOptions:
    """Everything the command line can say, with its defaults."""

    mode: str = "match"
    """match: take on the driver's expression. add: add its departure from neutral to the performance."""
    strength: float = 1.0
    gains: Mapping[str, float] = field(default_factory=dict)
    """Per action unit, by any of its names."""
    regions: tuple[str, ...] = ()
    """upper, lower, eyes, mouth and action units that may change; empty: all."""
    smooth_seconds: float = 0.2
    source_neutral: float | str | Path = "auto"
    """auto, none, a second of the clip, or a picture of the resting face."""
    driver_neutral: float | str | Path = "auto"
    trim_start: float | None = None
    """Only frames from this second (from the first frame) reach the output."""
    trim_end: float | None = None
    driver_offset_seconds: float = 0.0
    """The driver starts at this second of the output."""
    after: str | None = None
    """release, hold or loop once the driver has ended; None: release for clips and captures, hold for curves."""
    release_seconds: float = 0.5
    faces: FaceSelection | None = None
    """None: the largest of each shot, or all, left to right, if the driver has sections per face."""
    driver_faces: FaceSelection = field(default_factory=FaceSelection)
    """Whose expression a driver clip gives; a capture file's faces are counted by id."""
    min_face_px: int | None = None
    checkpoint: Path | None = None
    """None: the one that comes with the package."""
    gaze: bool = False
    """Whether a measured driver (clip or capture) also moves the eyes' direction. An actor's eyeline belongs to
    the scene, so it is kept unless asked; curves that name AU61..AU64 always move it."""
    device: str = "auto"
    batch: int = 0
    """Faces a forward pass; 0: by the device."""
    sequence_rate: Fraction = Fraction(24)
    """Frames a second of an image sequence, and of a still shown as a video."""
    encode: EncodeOptions = field(default_factory=EncodeOptions)
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("match", "add"):
            raise OptionError(f"mode {self.mode!r} is unknown; use match or add")
        if self.after not in (None, "release", "hold", "loop"):
            raise OptionError(f"after {self.after!r} is unknown; use release, hold or loop")
        self.plan_options()  # says at once what is wrong with the rest

    def plan_options(
        self, neutral: NDArray[np.float32] | float | str = "auto", faces: FaceSelection | None = None
    ) -> PlanOptions:
        """The part that is about turning what the driver asks into an edit."""
        return PlanOptions(
            strength=self.strength,
            gains=self.gains,
            regions=self.regions,
            smooth_seconds=self.smooth_seconds,
            neutral=neutral,
            faces=self.faces or faces or FaceSelection(),
        )

    def driver_options(self) -> DriverOptions:
        """The part that is about playing the driver."""
        neutral = self.driver_neutral
        return DriverOptions(
            mode=self.mode,  # type: ignore[arg-type]
            offset_seconds=self.driver_offset_seconds,
            after=self.after,  # type: ignore[arg-type]
            release_seconds=self.release_seconds,
            neutral=neutral if isinstance(neutral, float | int) or neutral in ("auto", "none") else "auto",  # type: ignore[arg-type]
            face=self.driver_faces.index or 0,
        )


@dataclass(frozen=True, eq=False)
class EditedFrame:
    """A frame before and after, and the edits between."""

    source: Frame
    result: Frame
    """The very same as `source` where nothing was changed."""
    edits: Sequence[FaceEdit]


def retarget_video(
    source: str | Path,
    driver: str | Path,
    output: str | Path,
    options: RetargetOptions | None = None,
    *,
    progress: Progress[Any] = no_progress,
) -> Report:
    """Changes the expression of the faces in `source` to what `driver` asks, and writes `output`.

    The output has the source's frames, times, sound and tags; only the edited faces' pixels differ. It appears
    under its name when it is whole.

    Raises:
        RetargetError: anything the user can put right, in one line; see pipeline.errors.
    """
    options = options or RetargetOptions()
    started, clock = time.perf_counter(), Clock()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_shared_cores())
        session = Session.open(stack, Path(source), Path(driver), options, clock=clock, progress=progress)
        # Opened before the long work: what is wrong with the output is said at once.
        writer = create_video(output, like=session.reader, options=options.encode, overwrite=options.overwrite)
        session.analyse()
        with writer, contextlib.closing(prefetch(session.edited_frames(), BLEND_AHEAD_FRAMES)) as frames:
            for frame in progress(frames, "retarget", session.frame_count):
                with clock.running("encode"):
                    writer.write(frame)
        session.check_count(Path(output))
        report = session.report()
    report.notes += [note for note in writer.notes if note not in report.notes]
    report.details["output"] = str(output)
    report.seconds = {**clock.seconds(), "elapsed": round(time.perf_counter() - started, 3)}
    return report


@contextlib.contextmanager
def _shared_cores() -> Iterator[None]:
    """OpenCV on a quarter of the cores: it works beside decoder, landmarker, network and encoder, and on few cores
    its second thread costs more than it brings (a fifth of the edit's time, measured on two)."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(max(1, (os.cpu_count() or 1) // 4))
    try:
        yield
    finally:
        cv2.setNumThreads(before)


class Session:
    """A source, a driver and a checkpoint, opened together: what the main job and the preview share."""

    def __init__(
        self,
        stack: contextlib.ExitStack,
        reader: VideoReader,
        driver: Driver,
        checkpoint: Checkpoint,
        options: RetargetOptions,
        *,
        clock: Clock,
        progress: Progress[Any],
    ) -> None:
        self.reader, self.driver, self.checkpoint, self.options = reader, driver, checkpoint, options
        self._stack, self._clock, self._progress = stack, clock, progress
        self._names: tuple[Path, Path] = (reader.info.path, reader.info.path)
        self._neutral: NDArray[np.float32] | float | str = "auto"
        self._edited = 0
        self._written = 0

    @classmethod
    def open(
        cls,
        stack: contextlib.ExitStack,
        source: Path,
        driver: Path,
        options: RetargetOptions,
        *,
        clock: Clock,
        progress: Progress[Any] = no_progress,
    ) -> Session:
        """Opens everything; what `stack` closes. Fails before any long work where something does not fit."""
        checkpoint = load_checkpoint(options.checkpoint or default_checkpoint_path())
        reader = stack.enter_context(_open_source(source, options))
        loaded = load_driver(
            driver, options, frame_rate=_rate(reader.info, options), clock=clock, progress=progress
        )
        if reader.info.is_still and math.isfinite(loaded.duration_seconds):
            reader = stack.enter_context(_open_source(source, options, still_seconds=loaded.duration_seconds))
        session = cls(stack, reader, loaded, checkpoint, options, clock=clock, progress=progress)
        session._names = (source, driver)
        neutral = options.source_neutral
        if isinstance(neutral, float | int) or _is_named(neutral):
            session._neutral = neutral if isinstance(neutral, float | int) else str(neutral)
        else:
            session._neutral = picture_expression(Path(str(neutral)), options)
        session.renderer = Renderer(checkpoint, reader.info, device=options.device, batch=options.batch)
        return session

    renderer: Renderer
    analysis: ClipAnalysis
    plans: list[FacePlan]
    schedule: EditSchedule

    @property
    def frame_count(self) -> int:
        """Frames of the source, as counted while analysing."""
        return self.analysis.frame_count

    def analyse(self) -> None:
        """The first reading: tracks every face, chooses, and plans."""
        source, _ = self._names
        self.analysis, rejected = analyse_clip(
            self._stack, self.reader, self.options, clock=self._clock, progress=self._progress, label="track"
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

        Holds `DECODE_AHEAD_FRAMES` decoded frames, one batch, and `RENDER_AHEAD_FRAMES`.
        """
        with contextlib.closing(self.edits()) as edits:
            for edited in edits:
                yield edited.result

    def edits(self, only: Collection[int] | None = None) -> Generator[EditedFrame, None, None]:
        """The frames of `edited_frames` before and after, with what was done; of some frames only if so asked.

        Reading stops behind the last of `only`. Holds as much as `edited_frames`.
        """
        clock, reader = self._clock, self.reader
        # Closed here, whatever happens downstream: no thread must outlive the reader it decodes.
        with contextlib.ExitStack() as stack:
            decoded = stack.enter_context(
                contextlib.closing(prefetch(clock.stage("decode", _picked(reader, only)), DECODE_AHEAD_FRAMES))
            )
            requests = (FrameRequest(frame, self.schedule.faces(frame.index)) for frame in decoded)
            rendering = clock.stage("render", self.renderer.render(clock.stage("crop", requests)))
            for rendered in stack.enter_context(contextlib.closing(prefetch(rendering, RENDER_AHEAD_FRAMES))):
                with clock.running("blend"):
                    frame = blend(rendered.frame, rendered.edits, reader.info)
                self._edited += frame is not rendered.frame
                self._written += 1
                yield EditedFrame(rendered.frame, frame, rendered.edits)

    def check_count(self, output: Path) -> None:
        """Both readings must have seen the same frames, or times and faces would not belong together."""
        if self._written != self.frame_count:
            raise VideoReadError(
                f"{self._names[0]}: changed while it was read ({self.frame_count} frames, then {self._written}); "
                f"{output} is not trustworthy, run again"
            )

    def report(self) -> Report:
        """What was done, so far as this session knows."""
        source, driver = self._names
        return Report(
            frames=self._written,
            frames_edited=self._edited,
            frames_without_face=self.analysis.frames_without_face,
            frames_faded=_faded_frames(self.plans),
            decode_failures=self.reader.decode_failures,
            shots=len(self.analysis.shots),
            faces=len(self.plans),
            seconds=self._clock.seconds(),
            notes=[*self.driver.notes, *_notes(self.reader, self.analysis)],
            details={
                "retarget": importlib.metadata.version("retarget"),
                "source": str(source),
                "driver": str(driver),
                "checkpoint": str(self.options.checkpoint or "default"),
                "au_source": AU_SOURCE,
                "device": str(self.renderer.device),
                "faces": [_plan_details(plan) for plan in self.plans],
            },
        )

    def _plan_options(self) -> PlanOptions:
        per_face = isinstance(self.driver, CurveDriver) and bool(self.driver.faces)
        everyone = FaceSelection("left-right", None) if per_face else None
        return self.options.plan_options(self._neutral, everyone)


def analyse_clip(
    stack: contextlib.ExitStack,
    reader: VideoReader,
    options: RetargetOptions,
    *,
    clock: Clock,
    progress: Progress[Any] = no_progress,
    label: str,
) -> tuple[ClipAnalysis, float]:
    """Every face of a clip, and the size of the largest one left out as too small (0: none)."""
    analysis = stack.enter_context(ClipAnalysis())
    with FaceTracker(reader.info, TrackOptions(min_face_px=options.min_face_px)) as tracker:
        with contextlib.closing(tracked_frames(reader, tracker, clock=clock)) as tracked:
            for _ in progress(analysis.collect(tracked), label, reader.info.frame_count_from_header):
                pass
        return analysis, tracker.largest_rejected_px


def tracked_frames(
    reader: VideoReader, tracker: FaceTracker, *, clock: Clock
) -> Generator[TrackedFrame, None, None]:
    """decode -> shots -> track; decoding and cut detection run ahead in a thread, which closing this ends."""
    info = reader.info
    shots = detect_shots(clock.stage("decode", reader), lambda frame: proxy(frame, info, PROXY_PX))
    with contextlib.closing(prefetch(clock.stage("shots", shots), DECODE_AHEAD_FRAMES)) as ahead:
        yield from clock.stage("track", tracker.track(ahead))


def load_driver(
    path: str | Path,
    options: RetargetOptions | None = None,
    *,
    frame_rate: Fraction = Fraction(25),
    clock: Clock | None = None,
    progress: Progress[Any] = no_progress,
) -> Driver:
    """Any driver: AU curves (.yaml), a capture (.csv), or a clip or picture whose face is tracked.

    `frame_rate` is the source's: what frame numbers and timecodes in a curve file count at.

    Raises:
        RetargetError: the file cannot be used, or shows no face.
    """
    path, options, clock = Path(path), options or RetargetOptions(), clock or Clock()

    def load(file: Path, play: DriverOptions) -> Driver:
        if file.suffix.lower() in CAPTURE_SUFFIXES:
            capture = read_series(file, face=play.face)
            return _series_driver(file, capture.series, play, options, capture.notes)
        series = clip_series(file, options, face=play.face, clock=clock, progress=progress)
        return _series_driver(file, series, play, options)

    if path.suffix.lower() in CURVE_SUFFIXES:
        return load_curves(path, frame_rate=frame_rate, options=options.driver_options(), load_driver=load)
    return load(path, options.driver_options())


def clip_series(
    path: Path,
    options: RetargetOptions,
    *,
    face: int = 0,
    clock: Clock | None = None,
    progress: Progress[Any] = no_progress,
) -> ExpressionSeries:
    """The expression over time of one face of a clip or picture.

    Raises:
        NoFaceError: no face, or not as many as asked for.
    """
    selection = options.driver_faces
    if selection.index != face:
        selection = FaceSelection(selection.order, face)
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(open_video(path, sequence_rate=options.sequence_rate))
        analysis, rejected = analyse_clip(
            stack, reader, options, clock=clock or Clock(), progress=progress, label="driver"
        )
        series = whole_series(analysis, selection)
        if series is None and analysis.tracks:
            raise NoFaceError(f"{path}: has no face {face} in the order {selection.order}; use a smaller number")
        if series is None:
            raise no_face(path, rejected, options)
        return series


def picture_expression(path: Path, options: RetargetOptions) -> NDArray[np.float32]:
    """(C,) float32 expression of the face in a picture (of a clip: its mean), for a neutral."""
    series = clip_series(path, options)
    return np.asarray(series.values.mean(axis=0), np.float32)


def no_face(path: Path, rejected_px: float, options: RetargetOptions) -> NoFaceError:
    """The error for a clip without a usable face."""
    if rejected_px:
        return NoFaceError(
            f"{path}: the largest face is {rejected_px:.0f} px, too small to edit; allow it with --min-face "
            f"{math.floor(rejected_px)}"
        )
    hint = "check that a face is seen from the front at some moment"
    if options.trim_start or options.trim_end:
        hint = "look at another part of it with --trim-start and --trim-end"
    return NoFaceError(f"{path}: no face found in any frame; {hint}")


def write_report(report: Report, path: str | Path) -> None:
    """The report as JSON, under its name when whole.

    Raises:
        VideoWriteError: the file cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(json.dumps(report.as_json(), indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise VideoWriteError(f"{path}: the report cannot be written ({error.strerror or error})") from error
    finally:
        part.unlink(missing_ok=True)


def _series_driver(
    path: Path,
    series: ExpressionSeries,
    play: DriverOptions,
    options: RetargetOptions,
    notes: tuple[str, ...] = (),
) -> SeriesDriver:
    """A measured series, smoothed, on the source's time."""
    values = smooth(series.values, series.seconds, window_seconds=options.smooth_seconds)
    filled = series.filled.copy()
    if not options.gaze:
        filled[[i for name in GAZE_UNITS for i in action_units.resolve(name)]] = False
    steady = ExpressionSeries(series.seconds, np.clip(values, 0, 1).astype(np.float32), filled, series.confidence)
    neutral = options.driver_neutral
    try:
        resting = neutral_of(steady, play.neutral) if _is_named(neutral) else None
    except DriverError as error:
        raise DriverError(f"{path}: {error}") from error
    if resting is None:
        resting = picture_expression(Path(str(neutral)), options)
    return SeriesDriver(steady, resting, options=play, notes=notes)


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


def _rate(info: VideoInfo, options: RetargetOptions) -> Fraction:
    return options.sequence_rate if info.is_still else info.frame_rate


def _is_named(neutral: float | str | Path) -> bool:
    return isinstance(neutral, float | int) or str(neutral) in ("auto", "none")


def _faded_frames(plans: list[FacePlan]) -> int:
    faded = {int(f) for plan in plans for f in plan.track.frames[plan.allowed < 0.99]}
    return len(faded)


def _notes(reader: VideoReader, analysis: ClipAnalysis) -> list[str]:
    notes = []
    if analysis.frames_without_face:
        notes.append(
            f"{analysis.frames_without_face} of {analysis.frame_count} frames show no usable face; passed through"
        )
    if reader.decode_failures:
        notes.append(f"{reader.decode_failures} pictures could not be decoded whole; their place in time is kept")
    return notes


def _plan_details(plan: FacePlan) -> dict[str, Any]:
    """A face's curves, for `retarget curves`: only action units that were asked to move."""
    moved = np.flatnonzero(np.abs(plan.delta_au).max(axis=0) >= 1e-3)
    return {
        "shot": plan.track.shot,
        "face": plan.position,
        "size_px": round(float(np.median(plan.track.size_px)), 1),
        "seconds": np.round(plan.track.seconds, 4).tolist(),
        "allowed": np.round(plan.allowed, 3).tolist(),
        "own": _columns(plan.own, moved),
        "v_rel": _columns(plan.delta_au, moved),
    }


def _columns(values: NDArray[np.float32], which: NDArray[np.intp]) -> dict[str, list[float]]:
    return {action_units.NAMES[i]: np.round(values[:, i].astype(float), 4).tolist() for i in which}
