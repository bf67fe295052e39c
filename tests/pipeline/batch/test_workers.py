"""Worker processes, and the thread in each that tracks the next clip."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.batch import workers
from retarget.pipeline.batch.attempt import Setting, Started, Task, TaskQueue
from retarget.pipeline.batch.batch import BatchOptions, run_batch
from retarget.pipeline.batch.jobs import Job
from retarget.pipeline.batch.manifest import report_path
from retarget.pipeline.batch.workers import LocalWorkers, TrackingAhead, _Halfway
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.run import retarget_video


@pytest.fixture
def job_of(samples: Path, tmp_path: Path) -> Callable[..., Job]:
    def make(index: int, **fields: Any) -> Job:
        values: dict[str, Any] = {
            "name": f"j{index}",
            "source": samples / "actress.mp4",
            "drivers": (samples / "smile.yaml",),
            "output": tmp_path / "out" / f"j{index}.mp4",
            "options": RetargetOptions(trim_start=0.1 * index, trim_end=0.1 * index + 0.3, device="cpu"),
            "where": f"jobs.yaml:{index}",
        }
        return Job(index=index, **(values | fields))

    return make


@pytest.fixture
def cached(tmp_path: Path) -> Setting:
    return Setting(output_dir=tmp_path / "out", cache_dir=tmp_path / "cache")


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert [t.name for t in threading.enumerate() if t.name in ("ahead", "prefetch")] == []


def nobody(stage: str, frames: int) -> None:
    """Tells nobody."""


# The queue


def test_tasks_can_be_looked_at_before_they_are_taken(job_of: Any) -> None:
    a, b, c = tasks = [Task(job=job_of(i)) for i in range(3)]
    made: list[Task] = []
    queue = TaskQueue(made.append(task) or task for task in tasks)
    assert (list(queue.ahead(0)), made) == ([], [])
    assert (list(queue.ahead(2)), made) == ([a, b], [a, b])
    assert queue.take(b) is b
    assert queue.take(None) is a
    assert queue.take(b) is c, "another one has taken it"
    assert queue.take(None) is None
    assert list(TaskQueue(tasks)) == tasks


def test_nothing_is_given_out_when_it_is_over_though_it_was_looked_at(job_of: Any) -> None:
    task, over = Task(job=job_of(1)), [False]
    queue = TaskQueue([task], is_over=lambda: over[0])
    assert list(queue.ahead(5)) == [task]
    over[0] = True
    assert queue.take(task) is None
    assert list(queue) == []


# The thread


def test_the_next_clip_is_tracked_and_its_job_finds_it(job_of: Any, cached: Setting, tmp_path: Path) -> None:
    tracking, task = TrackingAhead(cached), Task(job=job_of(1))
    told: list[tuple[str, int]] = []
    tracking.start(task)
    ready = tracking.finished(task, lambda stage, frames: told.append((stage, frames)))
    assert len(list(tmp_path.glob("cache/*/*/*.tracks"))) == 1
    assert told[-1] == ("track", 7)
    assert [content.path for content in ready.known] == [str(task.job.source)], "nor is it read again for its hash"
    assert replace(ready, known=()) == task


def test_tracking_stops_for_another_job(job_of: Any, cached: Setting, tmp_path: Path) -> None:
    tracking = TrackingAhead(cached)
    long = Task(job=job_of(1, options=RetargetOptions(device="cpu")))
    tracking.start(long)
    until = time.monotonic() + 30
    while not tracking._frames and time.monotonic() < until:
        time.sleep(0.01)
    other = Task(job=job_of(2))
    assert tracking.finished(other, nobody) is other
    assert 0 < tracking._frames < 60
    assert not list(tmp_path.glob("cache/*/*/*.tracks"))


def test_what_is_wrong_with_a_clip_is_for_its_job_to_say(job_of: Any, cached: Setting, tmp_path: Path) -> None:
    tracking, task = TrackingAhead(cached), Task(job=job_of(1, source=tmp_path / "nowhere.mp4"))
    tracking.start(task)
    assert tracking.finished(task, nobody) == task


# Whole workers


@pytest.mark.parametrize(
    ("cores", "overlap", "cache", "tracks"),
    [
        (None, None, True, False),  # this machine is said to have 3
        (4, None, True, True),
        (3, None, True, False),
        (1, True, True, True),
        (8, False, True, False),
        (8, True, False, False),
    ],
)
def test_overlap_is_for_workers_with_cores_to_spare(
    cached: Setting, monkeypatch: pytest.MonkeyPatch, cores: int | None, overlap: bool, cache: bool, tracks: bool
) -> None:
    monkeypatch.setattr(workers, "usable_cores", lambda: 3)
    monkeypatch.setattr(workers, "share_of_cores", lambda _: cores)
    setting = cached if cache else replace(cached, cache_dir=None)
    assert LocalWorkers(2, setting, overlap=overlap)._overlap is tracks


def test_each_worker_tracks_a_clip_of_its_own(job_of: Any, cached: Setting) -> None:
    class Listed(workers._Worker):
        def __init__(self) -> None:
            self.task = self.ahead = None
            self.given: list[str] = []

        def track(self, task: Task) -> None:
            self.ahead = task
            self.given.append(task.job.name)

    pool = LocalWorkers(2, cached, overlap=True)
    one, two = pool._workers = [Listed(), Listed()]
    tasks = TaskQueue([Task(job=job_of(i)) for i in (1, 2)])
    for worker in (one, two):
        pool._look_ahead(worker, tasks)
    assert (one.given, two.given) == (["j1"], ["j2"])
    assert tasks.take(two.ahead).job.name == "j2", "and is to do it"
    one.ahead = None
    pool._look_ahead(one, TaskQueue([]))
    assert one.ahead is None


def test_overlap_changes_nothing_but_who_tracks(job_of: Any, tmp_path: Path) -> None:
    out, jobs = tmp_path / "out", [job_of(i) for i in range(2)]
    result = run_batch(jobs, BatchOptions(output_dir=out, cache_dir=tmp_path / "cache", overlap=True))
    assert result.exit_code == 0
    stages = [json.loads(report_path(out, job.name).read_text())["seconds"] for job in jobs]
    assert ["track" in seconds for seconds in stages] == [True, False]
    for job in jobs:
        retarget_video(job.source, job.drivers, tmp_path / "single.mp4", replace(job.options, overwrite=True))
        assert job.output.read_bytes() == (tmp_path / "single.mp4").read_bytes()


def test_the_second_reading_is_told_once() -> None:
    sent: list[Any] = []

    class Channel:
        send = sent.append

    tell = workers._Teller(Channel(), 1)  # type: ignore[arg-type]
    for stage in ("track", "retarget", "retarget"):
        tell(stage, 1)
    assert [type(event) for event in sent if not isinstance(event, workers.Progressed)] == [_Halfway]
    assert not isinstance(sent[0], Started)
