"""Tasks spread over processes, each with its own tracker."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.util
import os
import signal
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

import cv2

from retarget.pipeline.faces import Landmarker

from .parts import Task, measure

_in_process: Landmarker | None = None
"""A worker's graphs, loaded once for all its tasks."""


def run(tasks: Sequence[Task], jobs: int) -> Generator[Task, None, None]:
    """The tasks as they are done, in any order. Whatever goes wrong, none is begun after it."""
    jobs = min(jobs or os.cpu_count() or 1, len(tasks))
    if jobs <= 1:
        with Landmarker() if tasks else contextlib.nullcontext() as landmarker:
            for task in tasks:
                assert landmarker is not None
                measure(task, landmarker)
                yield task
        return
    context = multiprocessing.get_context("spawn")  # forking would copy the threads of torch and the tracker
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker)
    try:
        running: dict[Future[None], Task] = {pool.submit(_measure_in_worker, task): task for task in tasks}
        for future in as_completed(running):
            future.result()
            yield running[future]
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    global _in_process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    cv2.setNumThreads(1)
    _in_process = Landmarker().__enter__()
    multiprocessing.util.Finalize(_in_process, _in_process.__exit__, (None, None, None), exitpriority=10)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends a worker whose parent was killed; it would wait for its next task for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _measure_in_worker(task: Task) -> None:
    assert _in_process is not None
    measure(task, _in_process)
