"""One go at a job, the same wherever it is done.

`run_job` never raises what is the job's own fault; it returns an `Outcome`. It may die at any moment, and may be
run again at once: what a dead process left behind is found by its note and removed, but for the whole pieces of a
long clip, from which the next go resumes.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RetargetError
from ..files import Contents, content_of, is_there, parse_pattern, signature_of
from ..media import Pieces, drop_pieces
from .hashes import content_key, hash_of, request_hash
from .leftovers import begin_work, clear_leftovers, drop_part, end_work
from .locks import job_lock
from .paths import job_folder, pieces_folder, report_path
from .records import Entry, JobState, Outcome, Setting, Task, Tell, now

if TYPE_CHECKING:
    from ..options import RetargetOptions
    from ..resources import Resources


def run_job(task: Task, setting: Setting, tell: Tell) -> Outcome:
    """Makes the job's output, unless it is there already; every failure is an Outcome with a one-line reason.

    What is made stays noted as being worked on until the caller has written the outcome down (`end_work`).

    Safe to run again after it died anywhere, even while the dead one is not quite dead: a lock keeps two
    processes from one output, and what appears under its name is whole.
    """
    attempt = _Attempt(task, setting)
    try:
        return attempt.run(tell)
    except Exception as error:  # one failure never stops the rest
        return attempt.outcome("failed", error=one_line(error))


def one_line(error: BaseException) -> str:
    """An error in a line for the summary; a bug says what kind it is."""
    if isinstance(error, RetargetError):
        text = str(error)
    elif isinstance(error, MemoryError):
        text = "out of memory; use a smaller batch size or fewer workers"
    elif isinstance(error, OSError):
        text = f"{error.filename or 'the system'}: {error.strerror or error}"
    else:
        text = f"unexpected {type(error).__name__}: {error}"
    return " ".join(text.split())


def failure_of(task: Task, error: str) -> Outcome:
    """The outcome of a job that could not say itself how it ended; without a key, so that it is tried again."""
    job, previous = task.job, task.previous
    entry = Entry(
        name=job.name,
        state="failed",
        source=str(job.source),
        output=str(job.output.absolute()),
        key="",
        request=request_hash(job),
        made=previous.made if previous else None,
        error=error,
        finished=now(),
    )
    return Outcome(index=job.index, state="failed", entry=entry)


class _Attempt:
    """One go at a job: what is found out on the way goes into its entry, however it ends."""

    def __init__(self, task: Task, setting: Setting) -> None:
        self._task, self._job, self._setting = task, task.job, setting
        self._contents = Contents(task.known)
        self._folder = job_folder(setting.output_dir, task.job.name)
        self._started = time.perf_counter()
        self._key = ""
        self._made = task.previous.made if task.previous else None

    def run(self, tell: Tell) -> Outcome:
        with job_lock(self._folder):
            unfinished = clear_leftovers(self._folder, self._job.output.absolute().__eq__)
            self._key = content_key(self._job, self._contents)
            previous = self._task.previous
            if previous is not None and previous.key == self._key:
                if previous.state != "failed" and self._is_as_made():
                    drop_pieces(pieces_folder(self._folder))
                    state: JobState = "skipped" if previous.state == "done" else previous.state
                    return self.outcome(state, seconds=previous.seconds, error=previous.error)
                is_same = previous.request == request_hash(self._job)
                if previous.state == "failed" and is_same and not self._task.retry_failed:
                    return self.outcome("failed", seconds=previous.seconds, error=previous.error)
            return self._make(unfinished, tell)

    def _make(self, unfinished: Path | None, tell: Tell) -> Outcome:
        from ..report import write_report  # what follows brings torch and the tracker
        from ..run import retarget_video

        job = self._job
        is_ours = self._made is not None or unfinished == job.output.absolute()
        options = replace(
            job.options,
            overwrite=job.options.overwrite or is_ours,
            device=self._setting.device or job.options.device,
        )
        job.output.parent.mkdir(parents=True, exist_ok=True)
        was_there = is_there(job.output)
        begin_work(
            self._folder, job.output, owns_output=is_ours or not was_there, keeps_part=self._keeps_pictures()
        )
        report_file = report_path(self._setting.output_dir, job.name)
        try:
            report = retarget_video(
                job.source,
                job.drivers,
                job.output,
                options,
                progress=_telling(tell),
                resources=self._resources(),
                check=self._contents.check_unchanged,
                pieces=self._pieces(options),
            )
            write_report(report, report_file, is_portable=self._setting.is_portable)
            self._made = content_of(job.output)
            drop_pieces(pieces_folder(self._folder))
        except BaseException as error:
            if isinstance(error, Exception):  # an interrupted job is resumed, a failed one makes room
                drop_pieces(pieces_folder(self._folder))
                if self._keeps_pictures():
                    drop_part(job.output)
            if was_there or not is_there(job.output):  # an output without an entry stays known as ours
                end_work(self._folder)
            raise
        if report.missing_frames:
            said = f"made, but about {report.missing_frames} frames are missing at the source's end"
            return self.outcome("incomplete", seconds=report.seconds, error=said)
        return self.outcome("done", seconds=report.seconds)

    def _keeps_pictures(self) -> bool:
        """Whether the hidden folder of a sequence outlasts a killed process."""
        return bool(self._setting.chunk_seconds) and parse_pattern(self._job.output) is not None

    def _pieces(self, options: RetargetOptions) -> Pieces | None:
        seconds = self._setting.chunk_seconds
        if not seconds:
            return None
        how = [options.device, options.batch, self._setting.cores or os.cpu_count()]
        return Pieces(
            folder=pieces_folder(self._folder),
            belongs_to=hash_of({"key": self._key, "how": how, "torch": importlib.metadata.version("torch")}),
            seconds=seconds,
        )

    def _is_as_made(self) -> bool:
        made, output = self._made, self._job.output
        if made is None or not is_there(output):
            return False
        try:
            if signature_of(output) == made.signature:
                return True
            current = content_of(output)  # touched or copied back, perhaps the same
        except OSError:  # a sequence with a gap, or what cannot be read
            return False
        if current.sha256 == made.sha256:
            self._made = current
        return current.sha256 == made.sha256

    def _resources(self) -> Resources:
        resources = _resources_of(self._setting)
        if resources.cache is not None:
            resources.cache.contents = self._contents  # each clip is read for its hash once a job
        return resources

    def outcome(self, state: JobState, *, seconds: Mapping[str, float] | None = None, error: str = "") -> Outcome:
        job = self._job
        elapsed = round(time.perf_counter() - self._started, 3)
        entry = Entry(
            name=job.name,
            state=state if state in ("failed", "incomplete") else "done",
            source=str(job.source),
            output=str(job.output.absolute()),
            key=self._key,
            request=request_hash(job),
            inputs=tuple(self._contents.used.values()),
            made=self._made,
            seconds=seconds or {"elapsed": elapsed},
            error=error,
            finished=now(),
        )
        return Outcome(index=job.index, state=state, entry=entry)


@functools.cache
def _resources_of(setting: Setting) -> Resources:
    """One set a process: that is what makes the second job start at once."""
    from ..faces import TrackingCache
    from ..resources import Resources

    cache = None
    if setting.cache_dir is not None:
        cache = TrackingCache(setting.cache_dir, limit_bytes=setting.cache_limit_bytes)
    return Resources(cache=cache, cores=setting.cores)


def _telling(tell: Tell) -> Callable[[Iterable[Any], str, int], Iterable[Any]]:
    def progress(items: Iterable[Any], label: str, total: int) -> Iterator[Any]:  # noqa: ARG001 - a Progress
        for count, item in enumerate(items, 1):
            yield item
            tell(label, count)

    return progress
