"""How many frames each job has, counted in a thread while the work begins."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from .. import media
from ..jobs import Job


class FrameCounts:
    """Frames of each job by its source's header, counted in a thread while the work begins."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._stop = threading.Event()

    @property
    def total(self) -> int:
        return sum(list(self._counts.values()))

    def of(self, index: int) -> int:
        return self._counts.get(index, 0)

    @contextlib.contextmanager
    def counting(self, jobs: Sequence[Job]) -> Iterator[None]:
        thread = threading.Thread(target=self._count, args=(jobs,), name="frame counts", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _count(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if self._stop.is_set():
                return
            self._counts[job.index] = frames_of(job)


def frames_of(job: Job) -> int:
    """Frames of the job's source as its header has them, within its trim range; 0 if it cannot be opened."""
    options = job.options
    try:
        with media.open_video(job.source, sequence_rate=options.sequence_rate) as reader:
            count, rate = reader.info.frame_count_from_header, float(reader.info.frame_rate)
    except Exception:  # the job itself will say what is wrong with it
        return 0
    first = min(count, round((options.trim_start or 0) * rate))
    last = count if options.trim_end is None else min(count, round(options.trim_end * rate))
    return max(0, last - first)
