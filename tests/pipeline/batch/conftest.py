"""Films, sheets and jobs for the tests of batches."""

from __future__ import annotations

import hashlib
import importlib
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.batch.attempt import run_job
from retarget.pipeline.batch.options import BatchOptions
from retarget.pipeline.batch.records import Entry, Event, Setting, Started, Task
from retarget.pipeline.batch.results import BatchResult
from retarget.pipeline.batch.run import run_with
from retarget.pipeline.files import Content
from retarget.pipeline.jobs import Job
from retarget.pipeline.options import RetargetOptions

TINY = RetargetOptions(trim_end=0.12, device="cpu")
"""Three frames of the sample."""
CHUNKS = 16 / 24
"""Seconds: the shortest that a chunk can be, of the sample."""


def states(result: BatchResult) -> list[str]:
    return [job.state for job in result.jobs]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name != ".retarget"}


class Inline:
    """An executor without processes; remembers what it was given."""

    def __init__(self, setting: Setting, tell: Callable[[str, int], None] = lambda *_: None) -> None:
        self.given: list[str] = []
        self._setting, self._tell = setting, tell

    def run(self, tasks: Iterator[Task]) -> Iterator[Event | None]:
        for task in tasks:
            self.given.append(task.job.name)
            yield Started(task.job.index)
            yield run_job(task, self._setting, self._tell)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out put é"


@pytest.fixture
def job_of(samples: Path, out: Path) -> Callable[..., Job]:
    def make(index: int = 1, source: Path | None = None, **fields: Any) -> Job:
        values: dict[str, Any] = {
            "name": f"j{index}",
            "drivers": (samples / "smile.yaml",),
            "output": out / f"j{index}.mp4",
            "options": TINY,
            "where": f"jobs.yaml:{index}",
        }
        return Job(index=index, source=source or samples / "actress.mp4", **(values | fields))

    return make


@pytest.fixture
def do(out: Path, tmp_path: Path) -> Callable[..., tuple[BatchResult, list[str]]]:
    """`do(jobs, **options)`: the result, and the names of the jobs that were looked into."""

    def run(
        jobs: list[Job], *, tell: Callable[[str, int], None] = lambda *_: None, **fields: Any
    ) -> tuple[BatchResult, list[str]]:
        options = BatchOptions(output_dir=out, cache_dir=tmp_path / "cache", **fields)
        executor = Inline(options.setting, tell)
        return run_with(executor, jobs, options), executor.given

    return run


@pytest.fixture(scope="module")
def disc_clip(tmp_path_factory: Any, samples: Path) -> Path:
    """A picture of nobody."""
    import cv2

    path = tmp_path_factory.mktemp("disc") / "disc.png"
    picture = np.full((120, 160, 3), 90, np.uint8)
    cv2.imwrite(str(path), cv2.circle(picture, (80, 60), 30, (200, 120, 60), -1))
    return Path(path)


FAKES = """
import os, signal, sys
from retarget.pipeline.batch.attempt import run_job
from retarget.pipeline.batch.run import batch_main, run_with
from retarget.pipeline.batch.records import Entry, Outcome

def fake(task, setting, tell):
    job = task.job
    if job.name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    tell("retarget", 1)
    entry = Entry(name=job.name, state="done", source="", output=str(job.output), key="k", request="r")
    return Outcome(index=job.index, state="done", entry=entry)

class Inline:
    def __init__(self, setting):
        self.setting = setting
    def run(self, tasks):
        for task in tasks:
            yield run_job(task, self.setting, lambda *_: None)

def one_process(jobs, options):
    run_with(Inline(options.setting), jobs, options)

def main(jobs, options, said):
    os.setsid()
    with open(said, "w") as sys.stdout:
        code = batch_main(jobs, options).exit_code
    sys.exit(code)
"""


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module that spawned processes can import too."""
    (tmp_path / "batch_fakes.py").write_text(FAKES)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("batch_fakes")
    sys.modules.pop("batch_fakes", None)


@pytest.fixture
def fork() -> Any:
    """Starts processes that have the libraries loaded already: `fork.Process(target=..., args=...)`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["retarget.pipeline.batch.run", "retarget.pipeline.run"])
    return context


@pytest.fixture
def brief_job_of(samples: Path, tmp_path: Path) -> Callable[..., Job]:
    """`brief_job_of(index)`: seven frames of the sample, others for each index."""

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


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., None]:
    """`wait_for(condition)`: fails after 90 s."""

    def wait(condition: Callable[[], bool], seconds: float = 90) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "waited too long"
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="session")
def entry() -> Callable[..., Entry]:
    """`entry(number, **fields)`: how a job ended."""

    def make(number: int = 1, **fields: object) -> Entry:
        values: dict[str, object] = {
            "name": f"shot {number} é",
            "state": "done",
            "source": f"plates/{number}.mov",
            "output": f"/out/{number}.mov",
            "key": "k" * 64,
            "request": "r" * 64,
            "inputs": (Content("/plates/a.mov", "12 bytes 34", "ab" * 32),),
            "made": Content(f"/out/{number}.mov", "5 bytes 6", "cd" * 32),
            "seconds": {"track": 1.5, "elapsed": 2.0},
            "finished": "2026-01-02T03:04:05+00:00",
        }
        return Entry(**(values | fields))  # type: ignore[arg-type]

    return make
