"""Busy seconds per stage, for the report: own time, without what is spent waiting for the stage upstream."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Clock:
    """Adds up own seconds per stage. Stages may run in several threads."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()
        self._local = threading.local()

    def stage(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """The same items; the time to make each counts for `name`, less that of stages nested in it."""
        iterator = iter(items)
        try:
            while True:
                with self.running(name):
                    try:
                        item = next(iterator)
                    except StopIteration:
                        return
                yield item
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def running(self, name: str) -> _Running:
        """A context whose time counts for `name`."""
        return _Running(self, name)

    def seconds(self) -> dict[str, float]:
        """Own seconds per stage so far, rounded to a millisecond."""
        with self._lock:
            return {name: round(value, 3) for name, value in self._seconds.items()}

    def _enter(self) -> None:
        stack: list[float] = self._local.__dict__.setdefault("nested", [])
        stack.append(0.0)

    def _leave(self, name: str, elapsed: float) -> None:
        stack: list[float] = self._local.nested
        nested = stack.pop()
        if stack:
            stack[-1] += elapsed
        with self._lock:
            self._seconds[name] += elapsed - nested


class _Running:
    def __init__(self, clock: Clock, name: str) -> None:
        self._clock, self._name = clock, name

    def __enter__(self) -> None:
        self._clock._enter()
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._clock._leave(self._name, time.perf_counter() - self._start)
