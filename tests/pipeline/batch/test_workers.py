"""Worker processes: who does what, what they cost, how they die."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.batch import workers
from retarget.pipeline.batch.executor import TaskQueue
from retarget.pipeline.batch.manifest import read_entries
from retarget.pipeline.batch.options import BatchOptions
from retarget.pipeline.batch.paths import manifest_path, report_path
from retarget.pipeline.batch.progress import BatchStatus
from retarget.pipeline.batch.records import Setting, Task
from retarget.pipeline.batch.run import run_batch
from retarget.pipeline.batch.workers import LocalWorkers, death, share_of_cores
from retarget.pipeline.run import retarget_video


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert [t.name for t in threading.enumerate() if t.name in ("ahead", "prefetch")] == []


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
    monkeypatch.setattr("retarget.pipeline.batch.workers.usable_cores", lambda: 3)
    monkeypatch.setattr(workers, "share_of_cores", lambda _: cores)
    setting = cached if cache else replace(cached, cache_dir=None)
    assert LocalWorkers(2, setting, overlap=overlap)._overlap is tracks


def test_each_worker_tracks_a_clip_of_its_own(brief_job_of: Any, cached: Setting) -> None:
    class Listed(workers._Worker):
        def __init__(self) -> None:
            self.task = self.ahead = None
            self.given: list[str] = []

        def track(self, task: Task) -> None:
            self.ahead = task
            self.given.append(task.job.name)

    pool = LocalWorkers(2, cached, overlap=True)
    one, two = pool._workers = [Listed(), Listed()]
    tasks = TaskQueue([Task(job=brief_job_of(i)) for i in (1, 2)])
    for worker in (one, two):
        pool._look_ahead(worker, tasks)
    assert (one.given, two.given) == (["j1"], ["j2"])
    assert tasks.take(two.ahead).job.name == "j2", "and is to do it"
    one.ahead = None
    pool._look_ahead(one, TaskQueue([]))
    assert one.ahead is None


def test_overlap_changes_nothing_but_who_tracks(brief_job_of: Any, tmp_path: Path) -> None:
    out, jobs = tmp_path / "out", [brief_job_of(i) for i in range(2)]
    result = run_batch(jobs, BatchOptions(output_dir=out, cache_dir=tmp_path / "cache", overlap=True))
    assert result.exit_code == 0
    stages = [json.loads(report_path(out, job.name).read_text())["seconds"] for job in jobs]
    assert ["track" in seconds for seconds in stages] == [True, False]
    for job in jobs:
        retarget_video(job.source, job.drivers, tmp_path / "single.mp4", replace(job.options, overwrite=True))
        assert job.output.read_bytes() == (tmp_path / "single.mp4").read_bytes()


@pytest.mark.parametrize(("count", "workers"), [(200, 1), pytest.param(1000, 2, marks=pytest.mark.slow)])
def test_many_jobs_and_a_death(
    job_of: Any, out: Path, fakes: Any, tmp_path: Path, count: int, workers: int
) -> None:
    names = {80: "killed"}
    jobs = [job_of(i, tmp_path / "none.mp4", name=names.get(i, f"j{i}")) for i in range(1, count + 1)]
    shown: list[BatchStatus] = []
    result = run_batch(
        jobs,
        BatchOptions(output_dir=out, workers=workers, use_cache=False),
        progress=shown.append,
        work=fakes.fake,
    )
    assert (result.count("done"), result.count("failed")) == (count - 1, 1)
    assert "its worker was killed, most likely for lack of memory; use fewer workers" in result.jobs[79].error
    assert len(read_entries(manifest_path(out))) == count
    assert shown[-1].finished == {"done": count - 1, "incomplete": 0, "skipped": 0, "failed": 1}
    assert [s.failure.split(":")[0] for s in shown if s.failure] == ["killed"]


def test_deaths_in_words() -> None:
    assert death(-signal.SIGKILL).startswith("its worker was killed, most likely for lack of memory")
    assert death(-signal.SIGBUS) == (
        "its worker crashed (SIGBUS); run again, and leave this clip out if it crashes once more"
    )
    assert death(3) == "its worker ended with status 3; run again"


def test_cores_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    assert [share_of_cores(n) for n in (1, 2, 3, 40)] == [None, 8, 5, 1]
