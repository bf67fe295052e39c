"""What goes on in a worker's own process: a task in, events out, until the channel closes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import NoReturn

from ..stream import Stage
from .executor import TICK_SECONDS
from .records import Progressed, Setting, Task, Work
from .tracking_ahead import TrackingAhead


@dataclass(frozen=True)
class Ahead:
    """To a worker: the task whose clip it is to track meanwhile."""

    task: Task


class Halfway:
    """From a worker: its clip is tracked, the second reading has begun."""


def serve(channel: Connection, setting: Setting, work: Work) -> None:
    """A worker's life."""
    for name in ("SIGINT", "SIGHUP", "SIGQUIT"):  # they reach the whole group; the parent says what happens
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    tracking = TrackingAhead(setting)
    given: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(channel, given, tracking), name="inbox", daemon=True).start()
    try:
        with contextlib.suppress(OSError):
            while (task := given.get()) is not None:
                tell = Teller(channel, task.job.index)
                task = tracking.finished(task, tell)
                channel.send(work(task, setting, tell))
    finally:
        tracking.stop()


def _receive(channel: Connection, given: queue.SimpleQueue[Task | None], tracking: TrackingAhead) -> None:
    """Takes what the parent sends, also while the worker works."""
    try:
        with contextlib.suppress(EOFError, OSError):
            while True:
                message: Task | Ahead = channel.recv()
                if isinstance(message, Ahead):
                    tracking.start(message.task)
                else:
                    given.put(message)
    finally:  # whatever happens, or the worker would wait for ever
        given.put(None)


def _leave(signum: int, frame: object) -> NoReturn:  # noqa: ARG001 - the signal module's signature
    raise SystemExit(128 + signum)  # unwinds, so that half-written files go


def _follow_parent() -> None:
    """Without its parent a worker must not go on: a new batch may be starting on the same outputs."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows has but the one, which ends it


class Teller:
    """A Tell that sends over the channel, not too often."""

    def __init__(self, channel: Connection, index: int) -> None:
        self._channel, self._index = channel, index
        self._last = 0.0
        self._is_halfway = False

    def __call__(self, stage: str, frames: int) -> None:
        if stage == Stage.RETARGET and not self._is_halfway:
            self._is_halfway = True
            self._channel.send(Halfway())
        if time.monotonic() - self._last >= TICK_SECONDS:
            self._last = time.monotonic()
            self._channel.send(Progressed(self._index, stage, frames))
