"""A bounded background iterator: the stage upstream runs while the one downstream works."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_END = object()


class _StalledError(Exception):
    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.failure = failure


PATIENCE_SECONDS = 600.0
"""Without any progress, before it is given up: more than a slow disk or network needs for a picture."""


@dataclass(frozen=True)
class Watch:
    """How to tell that what is waited for will never come, such as from a disk that does not answer."""

    progress: Callable[[], int]
    """Changes for as long as there is progress."""
    failure: Callable[[], Exception]
    """What to raise where there was none for `PATIENCE_SECONDS`."""


def prefetched(items: Iterable[T], depth: int, *, watch: Watch | None = None) -> Generator[T, None, None]:
    """The same items in the same order, made in a thread up to `depth` ahead. Holds `depth + 1` of them.

    With `watch`, a thread that makes no progress is left behind, and its failure raised.

    Pays where the work releases the GIL (decoding, encoding, OpenCV, torch and the landmarker all do). An
    exception upstream is raised here at its place; closing this iterator stops and joins the thread.
    """
    assert depth >= 1  # a queue of 0 has no bound
    ready: queue.Queue[object] = queue.Queue(depth)
    stop = threading.Event()
    go: queue.SimpleQueue[bool] = queue.SimpleQueue()
    failure: list[BaseException] = []

    def put(item: object) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        if not go.get():
            return
        try:
            iterator = iter(items)
            try:
                for item in iterator:
                    if not put(item):
                        break
            finally:
                close = getattr(iterator, "close", None)
                if close is not None:
                    close()
        except BaseException as error:
            failure.append(error)
        finally:  # whatever happens, or the consumer would wait for ever
            put(_END)

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    is_started = False
    try:
        thread.start()
        # Ctrl-C may come while this waits for the thread to start, and one that is not joined must touch nothing.
        is_started = True
        go.put(True)
        while (item := _next(ready, watch)) is not _END:
            yield item  # type: ignore[misc]
        if failure:
            raise failure[0]
    except _StalledError as stalled:
        is_started = False  # nothing could end it; it ends with the process
        raise stalled.failure from None
    finally:
        stop.set()
        go.put(False)
        if is_started:
            thread.join()


def _next(ready: queue.Queue[object], watch: Watch | None) -> object:
    if watch is None:
        return ready.get()
    before = watch.progress()
    while True:
        try:
            return ready.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            now = watch.progress()
            if now == before:
                raise _StalledError(watch.failure()) from None
            before = now
