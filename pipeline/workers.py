"""Processes of this machine that do jobs: each keeps its network loaded, and one that dies is replaced."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import NoReturn

from .errors import RetargetError
from .manifest import clear_leftovers, job_folder, job_lock
from .work import Event, Outcome, Progressed, Setting, Started, Task, Work, failure_of, run_job

TICK_SECONDS = 0.2
"""How often at most a worker says how far it is, and at least the caller is given a chance to stop."""

STOP_SECONDS = 10.0
"""What workers get to clear up before they are ended."""


class LocalWorkers:
    """An Executor of spawned processes. Each keeps its network loaded; one that dies is replaced."""

    def __init__(self, count: int, setting: Setting, *, devices: Sequence[str] = (), work: Work = run_job) -> None:
        """`devices` are handed out in turn; without any, each job's own counts."""
        self._count, self._devices, self._work = count, tuple(devices), work
        self._setting = replace(setting, cores=share_of_cores(count))
        self._workers: list[_Worker] = []

    def run(self, tasks: Iterator[Task]) -> Generator[Event | None, None, None]:
        """See `Executor`."""
        try:
            yield from self._hand_out(tasks)
            while any(worker.task for worker in self._workers):
                yield from self._listen()
                yield from self._hand_out(tasks)
        finally:
            self._end()

    def _hand_out(self, tasks: Iterator[Task]) -> Iterator[Event]:
        for worker in self._idle():
            task = next(tasks, None)
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

    def _listen(self) -> Iterator[Event | None]:
        busy = [worker for worker in self._workers if worker.task]
        ready = wait(
            [thing for worker in busy for thing in (worker.channel, worker.process.sentinel)], TICK_SECONDS
        )
        if not ready:
            yield None
        for worker in busy:
            if worker.channel in ready or worker.process.sentinel in ready:
                yield from worker.events()
                if worker.is_dead:
                    self._workers.remove(worker)

    def _end(self) -> None:
        """Idle workers leave; busy ones are told to drop what they do, and clear up."""
        for worker in self._workers:
            worker.dismiss()
        until = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            worker.process.join(max(0.0, until - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()


class _Worker:
    """A process, its channel, and what it is doing."""

    def __init__(self, number: int, setting: Setting, work: Work) -> None:
        self.number, self.is_dead = number, False
        self.task: Task | None = None
        self._folder_of = functools.partial(job_folder, setting.output_dir)
        context = multiprocessing.get_context("spawn")
        self.channel, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, setting, work), name=f"retarget-{number}")
        with _thread_limits(setting.cores):
            self.process.start()
        theirs.close()

    def give(self, task: Task) -> None:
        self.task = task
        with contextlib.suppress(OSError):  # it has died: `events` will find that out
            self.channel.send(task)

    def events(self) -> Iterator[Event]:
        """What it has said; if it has died, the failure of its job."""
        try:
            while self.channel.poll():
                event: Event = self.channel.recv()
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
        folder = self._folder_of(task.job.name)
        with contextlib.suppress(RetargetError, OSError), job_lock(folder, wait_seconds=STOP_SECONDS):
            clear_leftovers(folder)
        return failure_of(task, f"{task.job.source}: {death(self.process.exitcode)}")

    def dismiss(self) -> None:
        if self.task is None:
            self.channel.close()
        else:
            self.process.terminate()


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
    if workers == 1:
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // workers)


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


def _serve(channel: Connection, setting: Setting, work: Work) -> None:
    """A worker's life: a task in, events out, until the channel closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent says what happens
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            task: Task = channel.recv()
            channel.send(work(task, setting, _Teller(channel, task.job.index)))


def _leave(signum: int, frame: object) -> NoReturn:  # noqa: ARG001 - the signal module's signature
    raise SystemExit(128 + signum)  # unwinds, so that half-written files go


def _follow_parent() -> None:
    """Without its parent a worker must not go on: a new batch may be starting on the same outputs."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)


class _Teller:
    """A Tell that sends over the channel, not too often."""

    def __init__(self, channel: Connection, index: int) -> None:
        self._channel, self._index = channel, index
        self._last = 0.0

    def __call__(self, stage: str, frames: int) -> None:
        if time.monotonic() - self._last >= TICK_SECONDS:
            self._last = time.monotonic()
            self._channel.send(Progressed(self._index, stage, frames))
