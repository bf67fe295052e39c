"""How far a batch is, shown to people: one bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, Self

from tqdm import tqdm

from ..stream import Unminded, is_terminal, printable, say_on
from .records import JobState

PLAIN_LINE_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class BatchStatus:
    """How far a batch is."""

    jobs: int
    finished: Mapping[JobState, int]
    running: tuple[str, ...]
    """Names of the jobs in work."""
    frames: float
    """Done, of `total_frames`: tracking and editing count half each."""
    total_frames: int
    """By the headers of the sources; grows while they are being opened."""
    elapsed_seconds: float
    seconds_left: float | None
    """None while there is nothing to tell it from."""
    failure: str = ""
    """Name and reason of the job that has just failed."""


Show = Callable[[BatchStatus], None]


def show_nothing(status: BatchStatus) -> None:
    """Shows nothing."""


class ProgressBar:
    """A Show for people: one bar on a terminal, a plain line now and then elsewhere. A context manager."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream: IO[str] | None = stream or sys.stderr
        self._bar: Any = None
        self._last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, status: BatchStatus) -> None:
        if status.failure:
            self._say(f"failed: {status.failure}")
        if is_terminal(self._stream):
            self._draw(status)
        elif status.elapsed_seconds - self._last >= PLAIN_LINE_SECONDS:
            self._last = status.elapsed_seconds
            self._say(status_line(status))

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        say_on(self._stream, line)

    def _draw(self, status: BatchStatus) -> None:
        if self._bar is None:
            assert self._stream is not None
            form = "{desc} |{bar}| {n:.0f}/{total:.0f} frames {postfix}"
            self._bar = tqdm(
                file=Unminded(self._stream), leave=False, dynamic_ncols=True, total=1, bar_format=form
            )
        finished = sum(status.finished.values())
        self._bar.total, self._bar.n = max(status.total_frames, status.frames, 1), status.frames
        self._bar.set_description_str(f"{finished}/{status.jobs} jobs", refresh=False)
        self._bar.set_postfix_str(f"{_left(status)} {printable(', '.join(status.running))[:40]}", refresh=True)


def status_line(status: BatchStatus) -> str:
    """How far a batch is, in a line for a log."""
    failed = status.finished.get("failed", 0)
    parts = [
        f"{sum(status.finished.values())} of {status.jobs} jobs" + (f" ({failed} failed)" if failed else ""),
        f"{status.frames:.0f} of {status.total_frames} frames",
        _left(status),
    ]
    return ", ".join(part for part in parts if part)


def _left(status: BatchStatus) -> str:
    if status.seconds_left is None:
        return ""
    minutes, seconds = divmod(round(status.seconds_left), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d} left"
