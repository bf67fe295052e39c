"""Tracks the clip of a job that comes next while the one in work is being encoded."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ..files import Contents
from ..stream import Stage
from .executor import STOP_SECONDS, TICK_SECONDS
from .records import Setting, Task, Tell


class _Stopped(Exception):  # noqa: N818 - no error, only the way out of a thread
    pass


class TrackingAhead:
    """Tracks the clip of a job that may come next in a thread, into the cache. One at a time."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._task: Task | None = None
        self._thread: threading.Thread | None = None
        self._is_stopped = False
        self._frames = 0
        self._contents = Contents()

    def start(self, task: Task) -> None:
        """Begins with a job's clip; what goes wrong is left to the job to say."""
        self.stop()
        self._task, self._is_stopped, self._frames = task, False, 0
        self._contents = Contents(task.known)
        self._thread = threading.Thread(target=self._track, args=(task,), name="ahead", daemon=True)
        self._thread.start()

    def finished(self, task: Task, tell: Tell) -> Task:
        """Waits if it is this job's clip that is being tracked, else stops; the task, knowing what was read."""
        if self._task is None or self._task.job.index != task.job.index or self._thread is None:
            self.stop()
            return task
        while self._thread.is_alive():
            self._thread.join(TICK_SECONDS)
            tell(Stage.TRACK, self._frames)
        self.stop()
        return replace(task, known=(*task.known, *self._contents.used.values()))

    def stop(self) -> None:
        """Ends the thread, if there is one, and waits for it."""
        self._is_stopped = True
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        self._task = self._thread = None

    def _track(self, task: Task) -> None:
        folder, job = self._setting.cache_dir, task.job
        if folder is None:
            return
        from ..faces import TrackingCache  # both bring the tracker
        from ..run import track_ahead

        cache = TrackingCache(folder, limit_bytes=self._setting.cache_limit_bytes, contents=self._contents)
        with contextlib.suppress(Exception):
            track_ahead(job.source, job.drivers, job.options, cache=cache, progress=self._counted)

    def _counted(self, items: Iterable[Any], label: str, total: int) -> Iterator[Any]:  # noqa: ARG002 - a Progress
        for item in items:
            if self._is_stopped:
                raise _Stopped
            self._frames += 1
            yield item
