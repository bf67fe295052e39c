"""Processes of this machine that do jobs: each keeps its network loaded, and one that dies is replaced.

While a worker is in the second reading of a clip (render, encode), a thread of it can do the first reading
(tracking) of the clip that comes next, into the tracking cache. That fills cores that would wait; on a machine
that is busy already it only makes both slower, so it is done where a worker has `CORES_TO_OVERLAP`, or if asked.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import wait

from ..errors import RetargetError
from ..stream import usable_cores
from .attempt import failure_of, run_job
from .executor import STOP_SECONDS, TICK_SECONDS, TaskQueue
from .leftovers import clear_leftovers
from .locks import job_lock
from .paths import job_folder
from .records import Event, Outcome, Setting, Started, Task, Work
from .worker_process import Ahead, Halfway, serve

CORES_TO_OVERLAP = 4
"""That a worker has, for it to track its next clip meanwhile."""


class LocalWorkers:
    """An Executor of spawned processes. Each keeps its network loaded; one that dies is replaced."""

    def __init__(
        self,
        count: int,
        setting: Setting,
        *,
        devices: Sequence[str] = (),
        overlap: bool | None = None,
        work: Work = run_job,
    ) -> None:
        """`devices` are handed out in turn; without any, each job's own counts. `overlap`: see `BatchOptions`."""
        self._count, self._devices, self._work = count, tuple(devices), work
        self._setting = replace(setting, cores=share_of_cores(count))
        has_cores = (self._setting.cores or usable_cores()) >= CORES_TO_OVERLAP
        self._overlap = setting.cache_dir is not None and (has_cores if overlap is None else overlap)
        self._workers: list[_Worker] = []

    def run(self, tasks: TaskQueue) -> Generator[Event | None, None, None]:
        """See `Executor`."""
        try:
            yield from self._hand_out(tasks)
            while any(worker.task for worker in self._workers):
                yield from self._listen(tasks)
                yield from self._hand_out(tasks)
        finally:
            self._end()

    def _hand_out(self, tasks: TaskQueue) -> Iterator[Event]:
        for worker in self._idle():
            task = tasks.take(worker.ahead if worker else None)
            if task is None:
                return
            worker = worker or self._hire()
            worker.give(task)
            yield Started(task.job.index)

    def _idle(self) -> Iterator[_Worker | None]:
        """Workers with nothing to do, then a None for each that could be started."""
        idle = [worker for worker in self._workers if worker.task is None]
        for worker in idle:
            if not worker.process.is_alive():  # it died between two jobs, and none is to blame
                self._workers.remove(worker)
        yield from [worker for worker in idle if worker in self._workers]
        while len(self._workers) < self._count:
            yield None

    def _hire(self) -> _Worker:
        used = {worker.number for worker in self._workers}
        number = next(n for n in range(self._count) if n not in used)
        setting = self._setting
        if self._devices:
            setting = replace(setting, device=self._devices[number % len(self._devices)])
        worker = _Worker(number, setting, self._work)
        self._workers.append(worker)
        return worker

    def _listen(self, tasks: TaskQueue) -> Iterator[Event | None]:
        busy = [worker for worker in self._workers if worker.task]
        ready = wait(
            [thing for worker in busy for thing in (worker.channel, worker.process.sentinel)], TICK_SECONDS
        )
        if not ready:
            yield None
        for worker in busy:
            if worker.channel in ready or worker.process.sentinel in ready:
                for event in worker.events():
                    if isinstance(event, Halfway):
                        self._look_ahead(worker, tasks)
                    else:
                        yield event
                if worker.is_dead:
                    self._workers.remove(worker)

    def _look_ahead(self, worker: _Worker, tasks: TaskQueue) -> None:
        """Has the worker track the next clip that no other one tracks."""
        if self._overlap:
            taken = [other.ahead for other in self._workers]
            task = next((task for task in tasks.ahead(len(taken)) if task not in taken), None)
            if task is not None:
                worker.track(task)

    def _end(self) -> None:
        """Idle workers leave; busy ones are told to drop what they do, and clear up."""
        for worker in self._workers:
            worker.dismiss()
        until = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            worker.process.join(max(0.0, until - time.monotonic()))
            if worker.process.is_alive():
                worker.kill()
        self._workers.clear()


class _Worker:
    """A process, its channel, and what it is doing."""

    def __init__(self, number: int, setting: Setting, work: Work) -> None:
        self.number, self.is_dead = number, False
        self.task: Task | None = None
        self.ahead: Task | None = None
        """What it tracks meanwhile, and is to get next if nobody else has taken it."""
        self._folder_of = functools.partial(job_folder, setting.output_dir)
        context = multiprocessing.get_context("spawn")
        self.channel, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, setting, work), name=f"retarget-{number}")
        with _thread_limits(setting.cores):
            self.process.start()
        theirs.close()

    def give(self, task: Task) -> None:
        self.task, self.ahead = task, None
        with contextlib.suppress(OSError):  # it has died: `events` will find that out
            self.channel.send(task)

    def track(self, task: Task) -> None:
        self.ahead = task
        with contextlib.suppress(OSError):
            self.channel.send(Ahead(task))

    def events(self) -> Iterator[Event | Halfway]:
        """What it has said; if it has died, the failure of its job."""
        try:
            while self.channel.poll():
                event: Event | Halfway = self.channel.recv()
                if isinstance(event, Outcome):
                    self.task = None
                yield event
        except (EOFError, OSError):
            self.process.join(STOP_SECONDS)
        if self.process.exitcode is None:
            return
        self.is_dead = True
        self.channel.close()
        if self.task is not None:
            yield self._buried(self.task)

    def _buried(self, task: Task) -> Outcome:
        """The outcome of a job whose process died; what it left half-written is removed."""
        self._clear(task)
        return failure_of(task, f"{task.job.source}: {death(self.process.exitcode)}")

    def _clear(self, task: Task) -> None:
        folder = self._folder_of(task.job.name)
        with contextlib.suppress(RetargetError, OSError), job_lock(folder, wait_seconds=STOP_SECONDS):
            clear_leftovers(folder, task.job.output.absolute().__eq__)

    def dismiss(self) -> None:
        if self.task is None:
            self.channel.close()
        else:
            self.process.terminate()

    def kill(self) -> None:
        """Ends it though it does not listen, and clears up in its place."""
        self.process.kill()
        self.process.join()
        if self.task is not None:
            self._clear(self.task)


def death(exitcode: int | None) -> str:
    """How a worker ended, and what to do, in words."""
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        if name == "SIGKILL":
            return "its worker was killed, most likely for lack of memory; use fewer workers and run again"
        return f"its worker crashed ({name}); run again, and leave this clip out if it crashes once more"
    return f"its worker ended with status {exitcode}; run again"


def share_of_cores(workers: int) -> int | None:
    """Cores for each of several workers; None for a single one, which may take what it finds."""
    return None if workers == 1 else max(1, usable_cores() // workers)


@contextlib.contextmanager
def _thread_limits(cores: int | None) -> Iterator[None]:
    """The environment in which a worker starts: its numeric libraries count their threads when they load."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    added = [] if cores is None else [name for name in names if name not in os.environ]
    os.environ.update({name: str(cores) for name in added})
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
