"""Many jobs, unattended: what is missing or changed is done, and what happened is noted.

The batch decides from the manifest what need not run, hands the rest to an `Executor` (processes here, see
`workers.py`; tasks on a cluster, see `cluster.py`), and writes down every outcome as it comes.
"""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from tqdm import tqdm

from ..errors import OptionError, RetargetError
from ..faces import DEFAULT_LIMIT_BYTES, Contents, default_cache_dir, signature_of
from ..files import part_of
from ..media import drop_pieces, open_video
from ..stream import Stage
from .attempt import (
    Event,
    JobState,
    Outcome,
    Progressed,
    Setting,
    Started,
    Task,
    TaskQueue,
    Work,
    request_hash,
    run_job,
)
from .manifest import (
    Entry,
    Manifest,
    clear_all_leftovers,
    end_work,
    job_folder,
    pieces_folder,
    report_path,
)
from .workers import TICK_SECONDS, LocalWorkers

if TYPE_CHECKING:
    from .jobs import Job


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """How a batch runs; what each job does is the job's."""

    output_dir: Path
    """Where the manifest is."""
    workers: int = 1
    """Processes. Each takes its share of the cores."""
    halt_on_error: bool = False
    """Start no job after one has failed."""
    retry_failed: bool = False
    """Also run jobs again that failed before and of which nothing has changed."""
    cache_dir: Path | None = None
    """Of tracking results; None: `default_cache_dir()`."""
    cache_limit_bytes: int = DEFAULT_LIMIT_BYTES
    use_cache: bool = True
    devices: tuple[str, ...] = ()
    """Handed out to the workers in turn, instead of each job's own: ("cuda:0", "cuda:1")."""
    chunk_seconds: float = 60.0
    """Clips longer than this are encoded in pieces of this length: a killed batch goes on from the last whole one
    when it is started again (with the same number of workers). 0: never."""
    overlap: bool | None = None
    """Whether a worker tracks its next clip while it encodes the one in work; it needs the cache. None: where each
    worker has four cores or more (see `workers.py`)."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise OptionError(f"{self.workers} workers make no batch; use 1 or more")
        if self.cache_limit_bytes < 0:
            raise OptionError(f"a cache of {self.cache_limit_bytes} bytes makes no sense; use --no-cache for none")
        if not (math.isfinite(self.chunk_seconds) and self.chunk_seconds >= 0):
            raise OptionError(f"chunks of {self.chunk_seconds:g} s make no sense; use more than 0, or 0 for none")

    @property
    def setting(self) -> Setting:
        """What each worker is told."""
        return Setting(
            output_dir=self.output_dir,
            cache_dir=(self.cache_dir or default_cache_dir()) if self.use_cache else None,
            cache_limit_bytes=self.cache_limit_bytes,
            chunk_seconds=self.chunk_seconds,
        )


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """How a job ended, for the summary and the report."""

    index: int
    name: str
    source: Path
    output: Path
    state: JobState
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Per stage, and "elapsed"; of the run that made it, also if that was an earlier one."""
    error: str = ""
    """One line; empty unless failed."""
    report: Path | None = None
    """The run's report, if there is one."""


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """How a batch ended."""

    jobs: tuple[JobResult, ...]
    """In the order of the jobs."""
    interrupted: bool = False
    elapsed_seconds: float = 0.0
    notes: tuple[str, ...] = ()
    """Warnings for the user, one line each."""

    def count(self, state: JobState) -> int:
        return sum(job.state == state for job in self.jobs)

    @property
    def exit_code(self) -> int:
        """0: every output is there. 1: a job failed. 130: interrupted."""
        if self.interrupted:
            return 130
        return int(self.count("failed") > 0)


# The batch ---------------------------------------------------------------------------------------------


class Executor(Protocol):
    """Does tasks somewhere. Tasks are taken one by one as there is room for them.

    The events come as they happen, with None in between now and then; closing the generator stops the work.
    """

    def run(self, tasks: TaskQueue) -> Generator[Event | None, None, None]: ...


@dataclass(frozen=True, kw_only=True)
class BatchStatus:
    """How far a batch is."""

    jobs: int
    finished: Mapping[JobState, int]
    running: tuple[str, ...]
    """Names of the jobs in work."""
    frames: float
    """Done, of `total_frames`: tracking and editing count half each."""
    total_frames: int
    """By the headers of the sources; grows while they are being opened."""
    elapsed_seconds: float
    seconds_left: float | None
    """None while there is nothing to tell it from."""
    failure: str = ""
    """Name and reason of the job that has just failed."""


Show = Callable[[BatchStatus], None]


def show_nothing(status: BatchStatus) -> None:
    """Shows nothing."""


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
    with Manifest(options.output_dir) as manifest, _Stop() as stop:
        clear_all_leftovers(options.output_dir)
        batch = _Batch(jobs, options, manifest, stop, progress)
        batch.run(executor)
        manifest.flush()
        return batch.result()


def _check_outputs(jobs: Sequence[Job]) -> None:
    taken: dict[Path, Job] = {}
    for job in jobs:
        other = taken.setdefault(part_of(job.output).absolute(), job)
        if other is not job:
            raise OptionError(
                f"{job.where}: its output {job.output} meets that of {other.where} ({other.output}); name one "
                "differently"
            )
    names = [job.name for job in jobs]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise OptionError(f"two jobs are called {twice}; name one differently")


class _Stop:
    """Remembers Ctrl-C and SIGTERM instead of acting on them anywhere; a second one acts as usual."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _ask(self, number: int, frame: object) -> None:  # noqa: ARG002 - the signal module's signature
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()


class _Batch:
    """The books of one run: what is to do, what has come of it, how far it is."""

    def __init__(
        self, jobs: Sequence[Job], options: BatchOptions, manifest: Manifest, stop: _Stop, show: Show
    ) -> None:
        self._jobs = {job.index: job for job in jobs}
        self._order = [job.index for job in jobs]
        self._options, self._manifest, self._stop, self._show = options, manifest, stop, show
        self._results: dict[int, JobResult] = {}
        self._running: dict[int, float] = {}
        self._started = time.perf_counter()
        self._frames = _FrameCounts()
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
        if previous.state == "done" and made is not None:
            with contextlib.suppress(OSError, RetargetError):
                if signature_of(job.output) == made.signature:
                    folder = job_folder(self._options.output_dir, job.name)
                    end_work(folder)
                    drop_pieces(pieces_folder(folder))
                    self._note(job, "skipped", previous)
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
                finished={state: states.count(state) for state in ("done", "skipped", "failed")},
                running=tuple(self._jobs[index].name for index in self._running),
                frames=frames,
                total_frames=total,
                elapsed_seconds=elapsed,
                seconds_left=elapsed * (total - frames) / frames if frames else None,
                failure=failure,
            )
        )


class _FrameCounts:
    """Frames of each job by its source's header, counted in a thread while the work begins."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._stop = threading.Event()

    @property
    def total(self) -> int:
        return sum(list(self._counts.values()))

    def of(self, index: int) -> int:
        return self._counts.get(index, 0)

    @contextlib.contextmanager
    def counting(self, jobs: Sequence[Job]) -> Iterator[None]:
        thread = threading.Thread(target=self._count, args=(jobs,), name="frame counts", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _count(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if self._stop.is_set():
                return
            self._counts[job.index] = frames_of(job)


def frames_of(job: Job) -> int:
    """Frames of the job's source as its header has them, within its trim range; 0 if it cannot be opened."""
    options = job.options
    try:
        with open_video(job.source, sequence_rate=options.sequence_rate) as reader:
            count, rate = reader.info.frame_count_from_header, float(reader.info.frame_rate)
    except Exception:  # the job itself will say what is wrong with it
        return 0
    first = min(count, round((options.trim_start or 0) * rate))
    last = count if options.trim_end is None else min(count, round(options.trim_end * rate))
    return max(0, last - first)


# Talking -----------------------------------------------------------------------------------------------


PLAIN_LINE_SECONDS = 15.0


class ProgressBar:
    """A Show for people: one bar on a terminal, a plain line now and then elsewhere. A context manager."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bar: Any = None
        self._last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, status: BatchStatus) -> None:
        if status.failure:
            self._say(f"failed: {status.failure}")
        if self._stream.isatty():
            self._draw(status)
        elif status.elapsed_seconds - self._last >= PLAIN_LINE_SECONDS:
            self._last = status.elapsed_seconds
            self._say(status_line(status))

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        print(line, file=self._stream, flush=True)

    def _draw(self, status: BatchStatus) -> None:
        if self._bar is None:
            form = "{desc} |{bar}| {n:.0f}/{total:.0f} frames {postfix}"
            self._bar = tqdm(file=self._stream, leave=False, dynamic_ncols=True, total=1, bar_format=form)
        finished = sum(status.finished.values())
        self._bar.total, self._bar.n = max(status.total_frames, status.frames, 1), status.frames
        self._bar.set_description_str(f"{finished}/{status.jobs} jobs", refresh=False)
        self._bar.set_postfix_str(f"{_left(status)} {', '.join(status.running)[:40]}", refresh=True)


def status_line(status: BatchStatus) -> str:
    """How far a batch is, in a line for a log."""
    failed = status.finished.get("failed", 0)
    parts = [
        f"{sum(status.finished.values())} of {status.jobs} jobs" + (f" ({failed} failed)" if failed else ""),
        f"{status.frames:.0f} of {status.total_frames} frames",
        _left(status),
    ]
    return ", ".join(part for part in parts if part)


def _left(status: BatchStatus) -> str:
    if status.seconds_left is None:
        return ""
    minutes, seconds = divmod(round(status.seconds_left), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d} left"


def summary(result: BatchResult) -> list[str]:
    """The table at the end: a line a job that was not simply skipped, then the counts, then what to do."""
    width = max((len(job.name) for job in result.jobs), default=0)
    lines = []
    for job in result.jobs:
        if job.state in ("done", "failed"):
            said = job.error if job.state == "failed" else f"{job.seconds.get('elapsed', 0):.1f} s"
            lines.append(f"{job.state:<7}  {job.name:<{width}}  {said}")
    counts = [f"{result.count(state)} {state}" for state in ("done", "skipped", "failed", "pending")]
    lines.append(", ".join(count for count in counts if not count.startswith("0 ")) or "no jobs")
    lines += result.notes
    if result.interrupted:
        lines.append("interrupted; run the same command again to go on from here")
    elif result.count("failed"):
        lines.append("failed jobs run again when their files or options change, or with --retry-failed")
    return lines


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
        print("\n".join(summary(result)))
    return result
