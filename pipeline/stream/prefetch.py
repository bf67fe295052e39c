"""A bounded background iterator: the stage upstream runs while the one downstream works."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

_END = object()


def prefetched(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """The same items in the same order, made in a thread up to `depth` ahead. Holds `depth + 1` of them.

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
        while (item := ready.get()) is not _END:
            yield item  # type: ignore[misc]
        if failure:
            raise failure[0]
    finally:
        stop.set()
        go.put(False)
        if is_started:
            thread.join()
