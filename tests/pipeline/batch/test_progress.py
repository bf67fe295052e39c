"""How far a batch is, in words."""

from __future__ import annotations

import io
from typing import Any

from retarget.pipeline.batch.progress import BatchStatus, ProgressBar, status_line


def status(**fields: Any) -> BatchStatus:
    values: dict[str, Any] = {
        "jobs": 4,
        "finished": {"done": 1, "skipped": 1, "failed": 1},
        "running": ("sh040",),
        "frames": 30.0,
        "total_frames": 120,
        "elapsed_seconds": 60.0,
        "seconds_left": 3780.0,
    }
    return BatchStatus(**(values | fields))


def test_a_line_for_a_log() -> None:
    assert status_line(status()) == "3 of 4 jobs (1 failed), 30 of 120 frames, 1:03:00 left"
    assert status_line(status(seconds_left=None, finished={})) == "0 of 4 jobs, 30 of 120 frames"


def test_without_a_terminal_there_is_a_line_now_and_then_and_every_failure() -> None:
    stream = io.StringIO()
    with ProgressBar(stream) as bar:
        for second in range(40):
            bar(status(elapsed_seconds=float(second), failure="sh1: broken" if second == 3 else ""))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "failed: sh1: broken"
    assert lines[1:] == [status_line(status())] * 2


def test_on_a_terminal_there_is_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with ProgressBar(stream) as bar:
        bar(status())
        bar(status(failure="sh2: broken", frames=60.0))
    assert "3/4 jobs" in stream.getvalue()
    assert "30/120 frames" in stream.getvalue()
    assert "1:03:00 left sh040" in stream.getvalue()
    assert "failed: sh2: broken\n" in stream.getvalue()
