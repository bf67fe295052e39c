"""Who does tasks: the queue they are taken from, and what a batch expects of whatever takes them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Protocol, Self

from .records import Event, Task

TICK_SECONDS = 0.2
"""How often at most a worker says how far it is, and at least the caller is given a chance to stop."""

STOP_SECONDS = 10.0
"""What workers get to clear up before they are ended."""


class TaskQueue:
    """Tasks in their order, an iterator; the next ones can be looked at without being taken."""

    def __init__(self, tasks: Iterable[Task], *, is_over: Callable[[], bool] = lambda: False) -> None:
        """`is_over`: asked before each is handed out; once it says so, tasks are no longer handed out."""
        self._tasks, self._is_over = iter(tasks), is_over
        self._seen: list[Task] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Task:
        if self._is_over() or not self.ahead(1):
            raise StopIteration
        return self._seen.pop(0)

    def ahead(self, count: int) -> Sequence[Task]:
        """The next tasks, so many if there are."""
        self._seen += itertools.islice(self._tasks, max(0, count - len(self._seen)))
        return self._seen[:count]

    def take(self, wanted: Task | None) -> Task | None:
        """A certain task if it is among those that were looked at, else the next; None if there is none."""
        if wanted in self._seen and not self._is_over():
            self._seen.remove(wanted)
            return wanted
        return next(self, None)


class Executor(Protocol):
    """Does tasks somewhere. Tasks are taken one by one as there is room for them.

    The events come as they happen, with None in between now and then; closing the generator stops the work.
    """

    def run(self, tasks: TaskQueue) -> Generator[Event | None, None, None]: ...
