"""The report of a batch: every output looked at, the page and its table, and a timeline with markers."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..editorial import Delivered, Timeline, write_timeline
from ..errors import ReportError, RetargetError
from ..files import is_there, parse_pattern, portable, write_whole
from ..jobs import Job, JobSheet
from ..report import Report, read_report
from ..review import ClipQuality, QcInput, markers_of, measure_quality, quality_from_json, write_qc
from ..stream import Progress, Stage, no_progress
from .paths import quality_path
from .results import BatchResult, JobResult

TIMELINE_NAME = "batch.otio"


@dataclass(frozen=True, kw_only=True)
class BatchReview:
    """What the report of a batch came to."""

    page: Path
    """report.html."""
    clips: int
    """In the report."""
    flagged: int
    """Of these, how many have something to look at."""
    notes: tuple[str, ...] = ()
    """Warnings for the user, one line each."""


@dataclass(frozen=True)
class _Clip:
    """A job that was reached, and how it ended."""

    job: Job
    result: JobResult
    output_dir: Path
    is_portable: bool


def review_batch(
    sheet: JobSheet,
    result: BatchResult,
    *,
    title: str,
    workers: int = 1,
    is_portable: bool = False,
    progress: Progress[Any] = no_progress,
) -> BatchReview:
    """Writes report.html, report.csv and batch.otio into the output folder.

    Args:
        title: of the page.
        is_portable: files are told from the output folder, and nothing of whose machine it was.
        workers: processes that look at the outputs; those that have not changed since are not looked at again.

    Raises:
        VideoWriteError: a file cannot be written.
    """
    jobs = {job.index: job for job in sheet.jobs}
    reached = [job for job in result.jobs if job.state != "pending"]
    clips = [_Clip(jobs[job.index], job, sheet.output_dir, is_portable) for job in reached]
    found = list(progress(_qualities(clips, workers), Stage.REPORT, len(clips)))
    write_qc(sheet.output_dir, found, title=title)
    return BatchReview(
        page=sheet.output_dir / "report.html",
        clips=len(found),
        flagged=sum(bool(quality.flags) for quality in found),
        notes=_deliver(sheet.output_dir / TIMELINE_NAME, clips, found, sheet.timeline, is_portable),
    )


def _qualities(clips: Sequence[_Clip], workers: int) -> Iterator[ClipQuality]:
    """In the order of the clips; measured on as many processes as the jobs ran on."""
    if min(workers, len(clips)) < 2:
        yield from map(_quality, clips)
        return
    spawn = multiprocessing.get_context("spawn")  # forking would copy the threads of torch and the tracker
    with ProcessPoolExecutor(min(workers, len(clips)), mp_context=spawn) as pool:
        yield from pool.map(_quality, clips)


def _quality(clip: _Clip) -> ClipQuality:
    quality = _measured(clip)
    return _portable(quality, clip.output_dir) if clip.is_portable else quality


def _measured(clip: _Clip) -> ClipQuality:
    """What is kept from an earlier report, if the clip is as it was, or measured now."""
    job, result = clip.job, clip.result
    kept = quality_path(clip.output_dir, job.name)
    if result.state == "skipped" and (quality := _kept(kept, result.output)) is not None:
        return quality
    quality = measure_quality(
        QcInput(
            name=job.name,
            source=job.source,
            output=result.output if is_there(result.output) else None,
            report=_run_report(result.report),
            state=_state_of(result),
            error=result.error if result.state == "failed" else "",
            seconds=result.seconds,
            options=job.options,
        )
    )
    if result.state != "failed":
        told = _portable(quality, clip.output_dir) if clip.is_portable else quality
        write_whole(kept, told.to_json())
    return quality


def _state_of(result: JobResult) -> Literal["done", "skipped", "failed"]:
    """As the report has it; that a source is not whole is a flag there."""
    if result.state in ("failed", "pending"):
        return "failed"
    return "skipped" if result.state == "skipped" else "done"


def _kept(path: Path, output: Path) -> ClipQuality | None:
    try:
        pattern = parse_pattern(output)
        pictures = [output] if pattern is None else list(pattern.files().values())
        if path.stat().st_mtime_ns < max(picture.stat().st_mtime_ns for picture in pictures):
            return None
        return quality_from_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def _run_report(path: Path | None) -> Report | None:
    """The report of the job's run; None if there is none, or none that can be read."""
    try:
        return read_report(path) if path else None
    except ReportError:
        return None


def _deliver(
    path: Path, clips: Sequence[_Clip], found: Sequence[ClipQuality], base: Timeline | None, is_portable: bool
) -> tuple[str, ...]:
    """Writes the timeline; what is in the way is a note. The clips are done, and it is no failure of theirs."""
    delivered = [_delivered(clip.job, quality) for clip, quality in zip(clips, found, strict=True)]
    try:
        write_timeline(path, delivered, base, is_portable=is_portable)
    except RetargetError as error:
        return (f"no timeline was written: {error}",)
    return ()


def _portable(quality: ClipQuality, folder: Path) -> ClipQuality:
    said = {"source": quality.source, "output": quality.output, "error": quality.error}
    return replace(quality, **portable(said, folder))


def _delivered(job: Job, quality: ClipQuality) -> Delivered:
    return Delivered(
        name=job.name,
        source=job.source,
        drivers=job.drivers,
        output=job.output,
        sequence_rate=job.options.sequence_rate,
        shot=job.shot,
        marks=markers_of(quality),
    )
