"""The jobs on a page: change a film, measure one, or only track what a later job will need."""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from .edit import NORM_KNEE, NOTEWORTHY, EditedFrame, FacePlan, Fade, Plans
from .errors import VideoOpenError, VideoReadError
from .faces import (
    AU_SOURCE,
    ClipAnalysis,
    TrackingCache,
    no_face,
    read_faces,
    rows_of,
    tracker_details,
    write_tracking_csv,
)
from .files import MADE_FROM, check_not_input
from .media import EncodeOptions, Pieces, VideoReader, create_video
from .options import RetargetOptions
from .records import Frame, VideoInfo
from .refine import refined
from .report import FaceReport, Report
from .resources import Resources
from .session import Session, load_driver, open_session, open_source, read_references
from .stream import Clock, Progress, Stage, no_progress, prefetched
from .usage import check_roles, check_table

BLEND_AHEAD_FRAMES = 2

FADES_SHOWN = 6
"""Of a face, in a note; the report has them all."""


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
    several = [driver] if isinstance(driver, str | Path) else driver
    check_roles(Path(source), map(Path, several))
    started, clock = time.perf_counter(), Clock()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_shared_cores(resources.cores))
        session = stack.enter_context(
            open_session(source, driver, options, clock=clock, progress=progress, resources=resources)
        )
        # Before the long work: what is wrong with the output is said at once.
        inputs = (*session.driver_files, *options.files())
        check_not_input(Path(output), dict.fromkeys(inputs, MADE_FROM))
        encode = _share_of_encoder(options.encode, resources.cores)
        writer = create_video(output, like=session.reader, options=encode, overwrite=options.overwrite)
        analysis = session.analyse()
        if options.strict:
            check_whole(session.reader)
        plans = refined(session, session.plan(analysis))
        per_frame = session.reader.info.pictures_per_frame
        count = analysis.frame_count // per_frame
        if pieces is not None and count > pieces.frames_at(session.reader.info.frame_rate):
            writer.use_pieces(pieces)
        with writer:
            tally = Tally(edited=writer.kept_changes, per_frame=per_frame)
            edits = session.edits(plans, kept=writer.kept_frames, group=writer.piece_frames)
            with contextlib.closing(prefetched(tally.results(edits), BLEND_AHEAD_FRAMES)) as frames:
                for frame in progress(frames, Stage.RETARGET, analysis.frame_count):
                    with clock.running("encode"):
                        writer.write(frame)
            check_count(session, plans, tally.pictures)
            check()
        report = report_of_run(session, plans, tally)
    return replace(
        report,
        notes=tuple(dict.fromkeys((*report.notes, *writer.notes))),
        not_kept=tuple(dict.fromkeys(writer.notes)),
        details={**report.details, "output": str(output)},
        seconds={**clock.seconds(), "elapsed": round(time.perf_counter() - started, 3)},
    )


def track_video(
    clip: str | Path,
    output: str | Path,
    options: RetargetOptions | None = None,
    *,
    progress: Progress[Any] = no_progress,
) -> Report:
    """Writes a table of action units, one row a face and frame: OpenFace's columns, then the full schema.

    `face_id` is the face's place by size in its shot, 0 the largest, so that face 0 of the file is the face a
    driver clip is driven by. Frames without a face have a row with success 0. Returns what was found.

    Raises:
        RetargetError: the clip cannot be read or shows no face, or the CSV cannot be written.
    """
    clip, output, options = Path(clip), Path(output), options or RetargetOptions()
    check_table(output, clip, overwrite=options.overwrite)
    clock = Clock()
    with open_source(clip, options) as reader:
        analysis = read_faces(reader, options.track_options(), clock=clock, progress=progress)
        if not analysis.tracks:
            raise no_face(clip, analysis.largest_rejected_px, is_trimmed=options.is_trimmed)
        write_tracking_csv(output, rows_of(analysis), overwrite=options.overwrite)
        return Report(
            frames=analysis.frame_count // analysis.info.pictures_per_frame,
            frames_without_face=_frames(analysis.frames_without_face, analysis),
            decode_failures=reader.decode_failures,
            shots=len(analysis.shots),
            faces=len(analysis.tracks),
            seconds=clock.seconds(),
            notes=_notes_on_fields(analysis.info),
            details={
                "source": str(clip),
                "output": str(output),
                "field_order": analysis.info.field_order,
                **tracker_details(options.tracker),
            },
        )


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
    with open_source(Path(source), options) as reader:
        if reader.info.is_still:
            return
        for driver in drivers:
            load_driver(driver, options, frame_rate=reader.info.frame_rate, progress=progress, cache=cache)
        read_faces(reader, options.track_options(), progress=progress, cache=cache)
        read_references(options, progress=progress, cache=cache)


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


# What was done


@dataclass
class Tally:
    """Counts frames as they pass."""

    pictures: int = 0
    """Frames, or fields."""
    edited: int = 0
    """Frames."""
    per_frame: int = 1
    """Pictures that make a frame."""
    _latest_edited: int = -1

    def results(self, edits: Generator[EditedFrame, None, None]) -> Iterator[Frame]:
        """The frames as they are to be written."""
        with contextlib.closing(edits):
            for edit in edits:
                self.add(edit)
                yield edit.result

    def add(self, edit: EditedFrame) -> None:
        """Counts one more."""
        frame = self.pictures // self.per_frame
        self.pictures += 1
        if edit.result is not edit.source and frame != self._latest_edited:
            self.edited += 1
            self._latest_edited = frame

    @property
    def frames(self) -> int:
        """That passed."""
        return self.pictures // self.per_frame


def check_whole(reader: VideoReader) -> None:
    """Refuses a source of which the latest reading has found something missing.

    Raises:
        VideoOpenError: pictures could not be decoded, or its end is before the one it promises.
    """
    path, failures = reader.info.path, reader.decode_failures
    if reader.shortfall is not None:
        raise VideoOpenError(f"{path}: {reader.shortfall}; copy it again, or leave out --strict")
    if failures:
        raise VideoOpenError(
            f"{path}: {failures} pictures could not be decoded whole; copy it again, or leave out --strict"
        )


def check_count(session: Session, plans: Plans, pictures: int) -> None:
    """Both readings must have seen the same pictures, or times and faces would not belong together.

    Raises:
        VideoReadError: they have not.
    """
    if pictures != plans.analysis.frame_count:
        raise VideoReadError(
            f"{session.source}: changed while it was read ({plans.analysis.frame_count} frames, then {pictures}); "
            "run again"
        )


def report_of_run(session: Session, plans: Plans, tally: Tally) -> Report:
    """What was done, so far as is known when the last frame has passed."""
    analysis, files = plans.analysis, session.driver_files
    references = _references(plans)
    return Report(
        frames=tally.frames,
        frames_edited=tally.edited,
        frames_without_face=_frames(analysis.frames_without_face, analysis),
        frames_faded=_frames(plans.faded_frames, analysis),
        decode_failures=session.reader.decode_failures,
        shots=len(analysis.shots),
        faces=len(plans.faces),
        seconds=session.clock.seconds(),
        missing_frames=shortfall.missing_frames if (shortfall := session.reader.shortfall) else 0,
        notes=(
            *_notes_on_source(session, plans),
            *session.driver.notes,
            *_unused_drivers(session, plans),
            *_unused_references(references),
            *_notes_on_reach(plans),
            *_notes_on_fades(plans),
        ),
        details={
            "retarget": importlib.metadata.version("retarget"),
            "source": str(session.source),
            "field_order": analysis.info.field_order,
            "driver": str(files[0]) if len(files) == 1 else [str(file) for file in files],
            "checkpoint": str(session.options.checkpoint or "default"),
            **({"references": references} if references else {}),
            "au_source": AU_SOURCE,
            **tracker_details(session.options.tracker),
            "device": str(session.renderer.device),
            **_refinement_of(plans),
        },
        curves=tuple(_curves_of(plan) for plan in plans.faces),
    )


def _frames(pictures: int, analysis: ClipAnalysis) -> int:
    """How many frames so many pictures of a clip, frames or fields, make at the least."""
    return -(-pictures // analysis.info.pictures_per_frame)


def _notes_on_fields(info: VideoInfo) -> tuple[str, ...]:
    if info.pictures_per_frame == 1:
        return ()
    return (f"{info.path} is interlaced ({info.field_order}): each field has a row of its own",)


def _refinement_of(plans: Plans) -> dict[str, dict[str, float]]:
    found = plans.refinement
    if found is None:
        return {}
    miss = {
        name: round(value, 4)
        for name, value in (("miss_before", found.miss_before), ("miss_after", found.miss_after))
    }
    return {"refine": {"rounds": found.rounds, "moments": found.moments, **miss}}


def _unused_drivers(session: Session, plans: Plans) -> list[str]:
    """A note on drivers for faces that no shot has."""
    faces = 1 + max((plan.position for plan in plans.faces), default=0)
    unused = [str(path) for path in session.driver_files[faces:]]
    shown = f"{faces} face{'s' * (faces != 1)}"
    return [f"{', '.join(unused)}: not used; no shot has more than {shown}"] if unused else []


def _references(plans: Plans) -> list[dict[str, Any]]:
    """Of each reference, how many of its frames are borrowed from, and how many of the source borrow."""
    lent = ((lender, *plans.frames_lent(clip)) for clip, lender in enumerate(plans.lenders, 1))
    return [
        {"file": str(lender.analysis.info.path), "frames_lent": frames, "frames_borrowing": borrowing}
        for lender, frames, borrowing in lent
    ]


def _unused_references(references: Sequence[Mapping[str, Any]]) -> list[str]:
    """A note on those of which nothing is shown."""
    unused = [reference["file"] for reference in references if not reference["frames_borrowing"]]
    if not unused:
        return []
    return [f"{', '.join(unused)}: not used; nothing there fits better than what else is seen"]


def _notes_on_source(session: Session, plans: Plans) -> list[str]:
    notes, analysis, failures = [], plans.analysis, session.reader.decode_failures
    if session.reader.shortfall is not None:
        notes.append(str(session.reader.shortfall))
    if analysis.frames_without_face:
        missing, frames = (_frames(n, analysis) for n in (analysis.frames_without_face, analysis.frame_count))
        notes.append(f"{missing} of {frames} frames show no usable face; passed through")
    if failures:
        notes.append(f"{failures} pictures could not be decoded whole; their place in time is kept")
    return notes


def _notes_on_reach(plans: Plans) -> list[str]:
    """Notes on what was asked for and is more than can be shown."""
    asked = max((float(plan.asked.max(initial=0)) for plan in plans.faces), default=0.0)
    done = max((float(np.linalg.norm(plan.goal, axis=1).max()) for plan in plans.faces), default=0.0)
    notes = []
    if asked > NORM_KNEE:
        notes.append(f"the driver asks for more than can be shown: {asked:.1f} at the most, rendered {done:.1f}")
    for name, what in (("mouth", "the mouth"), ("eye", "an eye")):
        held = [left for plan in plans.faces for key, left in plan.held_back.items() if name in key]
        frames = {
            int(frame) // plans.analysis.info.pictures_per_frame
            for plan in plans.faces
            for key, left in plan.held_back.items()
            if name in key
            for frame in plan.track.frames[left < NOTEWORTHY]
        }
        if frames:
            least = min(float(left.min()) for left in held)
            notes.append(
                f"{len(frames)} frames open {what} less than was asked ({least:.0%} of it at the least): "
                "no frame of this person shows more; another take may, as --reference"
            )
    return notes


def _notes_on_fades(plans: Plans) -> list[str]:
    """One on each face that is held back: "face 0: less is done in frames 40-61 (turned away)"."""
    notes = []
    for plan in plans.faces:
        if plan.fades:
            shot = f"shot {plan.track.shot}, " if len(plans.analysis.shots) > 1 else ""
            n = plans.analysis.info.pictures_per_frame
            fades = (Fade(fade.first_frame // n, fade.last_frame // n, fade.cause) for fade in plan.fades)
            shown = ", ".join(map(str, itertools.islice(fades, FADES_SHOWN)))
            more = f" and {len(plan.fades) - FADES_SHOWN} more" if len(plan.fades) > FADES_SHOWN else ""
            notes.append(f"{shot}face {plan.position}: less is done in frames {shown}{more}")
    return notes


def _curves_of(plan: FacePlan) -> FaceReport:
    moved = np.flatnonzero(np.abs(plan.goal).max(axis=0) >= 1e-3)
    return FaceReport(
        shot=plan.track.shot,
        face=plan.position,
        size_px=round(float(np.median(plan.track.size_px)), 1),
        seconds=tuple(np.round(plan.track.seconds, 4).tolist()),
        allowed=tuple(np.round(plan.allowed, 3).tolist()),
        held_back={name: tuple(np.round(left, 3).tolist()) for name, left in plan.held_back.items()},
        fades=plan.fades,
        own=_columns(plan.own, moved),
        v_rel=_columns(plan.goal, moved),
        rendered={} if plan.corrected_from is None else _columns(plan.delta_au, moved),
    )


def _columns(values: NDArray[np.float32], which: NDArray[np.intp]) -> dict[str, tuple[float, ...]]:
    return {action_units.NAMES[i]: tuple(np.round(values[:, i].astype(float), 4).tolist()) for i in which}
