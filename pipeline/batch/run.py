"""Many jobs, unattended: what is missing or changed is done, and what happened is noted.

The batch decides from the manifest what need not run, hands the rest to an `Executor` (processes here, see
`workers.py`; tasks on a cluster, see `cluster.py`), and writes down every outcome as it comes.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ..errors import OptionError, RetargetError
from ..files import Contents, part_of, signature_of
from ..jobs import Job
from ..media import drop_pieces
from ..stream import Stage, say
from .attempt import run_job
from .executor import TICK_SECONDS, Executor, TaskQueue
from .frame_counts import FrameCounts
from .hashes import request_hash
from .leftovers import clear_all_leftovers, end_work
from .manifest import Manifest
from .options import BatchOptions
from .paths import job_folder, pieces_folder, report_path
from .progress import BatchStatus, ProgressBar, Show, show_nothing
from .records import Entry, Event, JobState, Outcome, Progressed, Started, Task, Work
from .results import BatchResult, JobResult, summary
from .stop import Stop
from .workers import LocalWorkers


def run_batch(
    jobs: Sequence[Job], options: BatchOptions, *, progress: Show = show_nothing, work: Work = run_job
) -> BatchResult:
    """Does the jobs on this machine's processes; what is done already is skipped.

    Ctrl-C and SIGTERM stop it cleanly: `interrupted` is set, and running it again goes on where it was.

    Raises:
        RetargetError: the batch as a whole cannot run (locked, no manifest, outputs that meet).
    """
    workers = LocalWorkers(
        options.workers, options.setting, devices=options.devices, overlap=options.overlap, work=work
    )
    return run_with(workers, jobs, options, progress=progress)


def run_with(
    executor: Executor, jobs: Sequence[Job], options: BatchOptions, *, progress: Show = show_nothing
) -> BatchResult:
    """`run_batch` on any executor."""
    _check_outputs(jobs)
    try:
        options.output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(
            f"{options.output_dir}: cannot be made ({error.strerror}); use another --output-dir"
        ) from error
    with Manifest(options.output_dir, is_portable=options.is_portable) as manifest, Stop() as stop:
        clear_all_leftovers(options.output_dir, frozenset(job.output.absolute() for job in jobs))
        books = _Books(jobs, options, manifest, stop, progress)
        books.run(executor)
        manifest.flush()
        return books.result()


class Run(Protocol):
    """`run_batch`, or `cluster.run_on_ray` with its address given."""

    def __call__(self, jobs: Sequence[Job], options: BatchOptions, *, progress: Show) -> BatchResult: ...


def batch_main(
    jobs: Sequence[Job], options: BatchOptions, *, quiet: bool = False, run: Run = run_batch
) -> BatchResult:
    """What the command line does: runs with a progress bar, prints the summary. See `BatchResult.exit_code`."""
    with ProgressBar() as bar:
        result = run(jobs, options, progress=show_nothing if quiet else bar)
    if not quiet:
        say("\n".join(summary(result)))
    return result


def _check_outputs(jobs: Sequence[Job]) -> None:
    taken: dict[Path, Job] = {}
    for job in jobs:
        other = taken.setdefault(part_of(job.output).absolute(), job)
        if other is not job:
            raise OptionError(
                f"{job.where}: its output {job.output} meets that of {other.where} ({other.output}); name one "
                "differently"
            )
    twice = next((name for name, count in Counter(job.name for job in jobs).items() if count > 1), None)
    if twice is not None:
        raise OptionError(f"two jobs are called {twice}; name one differently")


class _Books:
    """The books of one run: what there is to do, what has come of it, how far it is."""

    def __init__(
        self, jobs: Sequence[Job], options: BatchOptions, manifest: Manifest, stop: Stop, show: Show
    ) -> None:
        self._jobs = {job.index: job for job in jobs}
        self._order = [job.index for job in jobs]
        self._options, self._manifest, self._stop, self._show = options, manifest, stop, show
        self._results: dict[int, JobResult] = {}
        self._running: dict[int, float] = {}
        self._started = time.perf_counter()
        self._frames = FrameCounts()
        self._made_frames = 0.0
        self._shown = -1.0

    def run(self, executor: Executor) -> None:
        waiting = [self._jobs[index] for index in self._order if not self._is_settled(self._jobs[index])]
        self._tell()
        tasks = TaskQueue(self._tasks(waiting), is_over=self._is_over)
        with self._frames.counting(waiting), contextlib.closing(executor.run(tasks)) as events:
            for event in events:
                self._take(event)
                if self._stop.asked:
                    break
        self._tell(force=True)

    def result(self) -> BatchResult:
        pending = {
            job.index: JobResult(
                index=job.index, name=job.name, source=job.source, output=job.output, state="pending"
            )
            for job in self._jobs.values()
        }
        results = {**pending, **self._results}
        return BatchResult(
            jobs=tuple(results[index] for index in self._order),
            interrupted=self._stop.asked,
            elapsed_seconds=round(time.perf_counter() - self._started, 3),
            notes=(self._manifest.trouble,) if self._manifest.trouble else (),
        )

    def _is_settled(self, job: Job) -> bool:
        """Whether the manifest and the files' times alone tell that there is nothing to do. Reads no file."""
        previous = self._previous(job)
        if previous is None or not previous.key or previous.request != request_hash(job):
            return False
        known = Contents(previous.inputs)
        if any(known.remembered(Path(content.path)) is None for content in previous.inputs):
            return False
        if previous.state == "failed" and not self._options.retry_failed:
            self._note(job, "failed", previous)
            return True
        made = previous.made
        if previous.state != "failed" and made is not None:
            with contextlib.suppress(OSError, RetargetError):
                if signature_of(job.output) == made.signature:
                    folder = job_folder(self._options.output_dir, job.name)
                    end_work(folder)
                    drop_pieces(pieces_folder(folder))
                    self._note(job, "skipped" if previous.state == "done" else previous.state, previous)
                    return True
        return False

    def _is_over(self) -> bool:
        """Whether no further job is to be started."""
        return self._stop.asked or (self._options.halt_on_error and self._has_failure())

    def _tasks(self, waiting: Sequence[Job]) -> Iterator[Task]:
        known = {content.path: content for entry in self._manifest.entries.values() for content in entry.inputs}
        for job in waiting:
            previous = self._previous(job)
            names = {str(path.absolute()) for path in (job.source, *job.drivers)}
            names |= {content.path for content in previous.inputs} if previous else set()
            yield Task(
                job=job,
                previous=previous,
                known=tuple(known[name] for name in sorted(names) if name in known),
                retry_failed=self._options.retry_failed,
            )

    def _previous(self, job: Job) -> Entry | None:
        return self._manifest.entries.get(str(job.output.absolute()))

    def _has_failure(self) -> bool:
        return any(result.state == "failed" for result in self._results.values())

    def _take(self, event: Event | None) -> None:
        failure = ""
        if isinstance(event, Started):
            self._running[event.index] = 0.0
        elif isinstance(event, Progressed):
            self._running[event.index] = self._frames_done(event)
        elif isinstance(event, Outcome):
            self._running.pop(event.index, None)
            self._made_frames += self._frames.of(event.index)
            self._manifest.record(event.entry)
            if event.state != "failed" and not self._manifest.trouble:
                end_work(job_folder(self._options.output_dir, event.entry.name))
            self._note(self._jobs[event.index], event.state, event.entry)
            failure = f"{event.entry.name}: {event.entry.error}" if event.state == "failed" else ""
        self._tell(failure=failure)

    def _note(self, job: Job, state: JobState, entry: Entry) -> None:
        report = report_path(self._options.output_dir, job.name)
        self._results[job.index] = JobResult(
            index=job.index,
            name=job.name,
            source=job.source,
            output=job.output,
            state=state,
            seconds=entry.seconds,
            error=entry.error,
            report=report if state != "failed" and report.is_file() else None,
        )

    def _frames_done(self, event: Progressed) -> float:
        total = self._frames.of(event.index)
        before = self._running.get(event.index, 0.0)
        if event.stage == Stage.TRACK:
            return max(before, min(event.frames, total) / 2)
        if event.stage == Stage.RETARGET:
            return max(before, (total + min(event.frames, total)) / 2)
        return before

    def _tell(self, *, force: bool = False, failure: str = "") -> None:
        elapsed = time.perf_counter() - self._started
        if not force and not failure and elapsed - self._shown < TICK_SECONDS:
            return
        self._shown = elapsed
        frames, total = self._made_frames + sum(self._running.values()), self._frames.total
        states = [result.state for result in self._results.values()]
        self._show(
            BatchStatus(
                jobs=len(self._jobs),
                finished={state: states.count(state) for state in ("done", "incomplete", "skipped", "failed")},
                running=tuple(self._jobs[index].name for index in self._running),
                frames=frames,
                total_frames=total,
                elapsed_seconds=elapsed,
                seconds_left=elapsed * (total - frames) / frames if frames else None,
                failure=failure,
            )
        )
