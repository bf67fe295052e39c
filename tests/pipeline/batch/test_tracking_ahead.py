"""The thread in a worker that tracks the next clip."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.batch.records import Setting, Task
from retarget.pipeline.batch.tracking_ahead import TrackingAhead
from retarget.pipeline.options import RetargetOptions


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert [t.name for t in threading.enumerate() if t.name in ("ahead", "prefetch")] == []


def nobody(stage: str, frames: int) -> None:
    """Tells nobody."""


def test_the_next_clip_is_tracked_and_its_job_finds_it(brief_job_of: Any, cached: Setting, tmp_path: Path) -> None:
    tracking, task = TrackingAhead(cached), Task(job=brief_job_of(1))
    told: list[tuple[str, int]] = []
    tracking.start(task)
    ready = tracking.finished(task, lambda stage, frames: told.append((stage, frames)))
    assert len(list(tmp_path.glob("cache/*/*/*.tracks"))) == 1
    assert told[-1] == ("track", 7)
    assert [content.path for content in ready.known] == [str(task.job.source)], "nor is it read again for its hash"
    assert replace(ready, known=()) == task


def test_tracking_stops_for_another_job(brief_job_of: Any, cached: Setting, tmp_path: Path) -> None:
    tracking = TrackingAhead(cached)
    long = Task(job=brief_job_of(1, options=RetargetOptions(device="cpu")))
    tracking.start(long)
    until = time.monotonic() + 30
    while not tracking._frames and time.monotonic() < until:
        time.sleep(0.01)
    other = Task(job=brief_job_of(2))
    assert tracking.finished(other, nobody) is other
    assert 0 < tracking._frames < 60
    assert not list(tmp_path.glob("cache/*/*/*.tracks"))


def test_what_is_wrong_with_a_clip_is_for_its_job_to_say(
    brief_job_of: Any, cached: Setting, tmp_path: Path
) -> None:
    tracking, task = TrackingAhead(cached), Task(job=brief_job_of(1, source=tmp_path / "nowhere.mp4"))
    tracking.start(task)
    assert tracking.finished(task, nobody) == task
