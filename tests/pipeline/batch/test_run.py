"""Batches run again, side by side and interrupted."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.batch.attempt import failure_of
from retarget.pipeline.batch.locks import LockedError
from retarget.pipeline.batch.manifest import Manifest
from retarget.pipeline.batch.options import BatchOptions
from retarget.pipeline.batch.paths import job_folder, manifest_path, pieces_folder
from retarget.pipeline.batch.progress import BatchStatus
from retarget.pipeline.batch.records import Event, Outcome, Progressed, Started, Task
from retarget.pipeline.batch.run import run_batch, run_with
from retarget.pipeline.errors import OptionError
from retarget.pipeline.files import part_of
from retarget.pipeline.jobs import Job
from retarget.pipeline.options import RetargetOptions

from .conftest import CHUNKS, TINY, digest, states, visible


def test_what_is_done_is_not_even_looked_into(job_of: Any, do: Any, out: Path) -> None:
    do([job_of(1)])
    before = (out / "j1.mp4").stat()
    result, given = do([job_of(1)])
    assert (states(result), given, result.exit_code) == (["skipped"], [], 0)
    assert (out / "j1.mp4").stat() == before
    assert result.jobs[0].seconds["elapsed"] > 0, "of the run that made it"


def test_only_what_is_missing_or_changed_is_done(
    job_of: Any, do: Any, out: Path, samples: Path, tmp_path: Path
) -> None:
    curve = tmp_path / "curve.yaml"
    curve.write_bytes((samples / "smile.yaml").read_bytes())
    jobs = [job_of(1), job_of(2), job_of(3), job_of(4, drivers=(curve,)), job_of(5)]
    do(jobs)
    made = [digest(out / f"j{i}.mp4") for i in range(1, 6)]
    (out / "j1.mp4").unlink()
    with (out / "j2.mp4").open("ab") as stream:
        stream.write(b"altered")
    jobs[2] = job_of(3, options=replace(TINY, strength=0.5))
    curve.write_text("curves:\n  AU12: {0: 0.1}\n")
    os.utime(out / "j5.mp4", ns=(0, 0))
    result, given = do(jobs)
    assert given == ["j1", "j2", "j3", "j4", "j5"]
    assert states(result) == ["done", "done", "done", "done", "skipped"], "5 was touched, but is the same"
    again = [digest(out / f"j{i}.mp4") for i in range(1, 6)]
    assert [a == b for a, b in zip(made, again, strict=True)] == [True, True, False, False, True]
    assert do(jobs)[1] == [], "and all of it is remembered"


def test_failed_jobs_wait_for_a_change_or_retry_failed(job_of: Any, do: Any, disc_clip: Path) -> None:
    jobs = [job_of(1, disc_clip)]
    do(jobs)
    result, given = do(jobs)
    assert (states(result), given, result.exit_code) == (["failed"], [], 1)
    assert "no face found" in result.jobs[0].error
    assert do(jobs, retry_failed=True)[1] == ["j1"]


def test_a_file_that_was_missing_is_looked_for_again(job_of: Any, do: Any, samples: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.mp4"
    assert states(do([job_of(1, late)])[0]) == ["failed"]
    shutil.copy(samples / "actress.mp4", late)
    assert states(do([job_of(1, late)])[0]) == ["done"]


def test_halting_on_an_error_leaves_the_rest(job_of: Any, do: Any, tmp_path: Path) -> None:
    result, given = do([job_of(1, tmp_path / "no.mp4"), job_of(2)], halt_on_error=True)
    assert (states(result), given) == (["failed", "pending"], ["j1"])
    assert result.exit_code == 1


def test_outputs_that_meet_are_refused(job_of: Any, do: Any, out: Path) -> None:
    same = out / "j1.mp4"
    with pytest.raises(OptionError, match=r"jobs\.yaml:2: its output .*j1\.mp4 meets that of jobs\.yaml:1"):
        do([job_of(1), job_of(2, output=same)])
    sequences = [job_of(1, output=out / "a.%04d.png"), job_of(2, output=out / "a.%04d.tif")]
    with pytest.raises(OptionError, match="name one differently"):
        do(sequences)
    with pytest.raises(OptionError, match="two jobs are called j1; name one differently"):
        do([job_of(1), job_of(2, name="j1")])


def test_two_batches_on_one_folder(job_of: Any, do: Any, out: Path) -> None:
    do([job_of(1)])
    before = manifest_path(out).read_bytes()
    with Manifest(out), pytest.raises(LockedError, match="another batch is running on it"):
        do([job_of(1), job_of(2)])
    assert manifest_path(out).read_bytes() == before
    assert visible(out) == {"j1.mp4", "retarget-batch.jsonl"}


def test_an_output_folder_that_cannot_be(job_of: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=r"cannot be made .*; use another --output-dir"):
        run_batch([job_of(1)], BatchOptions(output_dir=tmp_path / "file" / "out"))


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_an_interruption_clears_up_and_can_be_resumed(
    job_of: Any, out: Path, fork: Any, fakes: Any, tmp_path: Path, number: int, wait_for: Any
) -> None:
    jobs = [job_of(i, options=replace(TINY, trim_end=2.0)) for i in range(1, 4)]
    options = BatchOptions(output_dir=out, workers=1, cache_dir=tmp_path / "cache", overlap=True)
    batch = fork.Process(target=fakes.main, args=(jobs, options, tmp_path / "said"))
    batch.start()
    wait_for(lambda: part_of(out / "j1.mp4").exists())
    os.killpg(batch.pid, number)
    batch.join(60)
    assert batch.exitcode == 130
    assert "interrupted; run the same command again to go on from here" in (tmp_path / "said").read_text()
    assert visible(out) == {"retarget-batch.jsonl"}, "no part of a clip is left"
    assert list(out.glob(".retarget/*/working.json")) == []


def check_same(jobs: list[Job], out: Path, undisturbed: Path) -> None:
    assert visible(out) == visible(undisturbed)
    for job in jobs:
        assert digest(out / job.output.name) == digest(undisturbed / job.output.name), job.name
    assert list(out.glob(".retarget/*/working.json")) == []
    assert list(out.glob(".retarget/*/.*part*")) == []
    assert list(out.glob(".retarget/*/pieces")) == []


def moved(jobs: list[Job], folder: Path) -> list[Job]:
    return [replace(job, output=folder / job.output.name) for job in jobs]


def tiny_jobs(job_of: Any, count: int) -> list[Job]:
    return [job_of(i, options=replace(TINY, trim_start=0.1 * i, trim_end=0.1 * i + 0.12)) for i in range(count)]


def long_job(job_of: Any, index: int) -> Job:
    """Three chunks: 16, 16 and 6 frames."""
    return job_of(index, options=replace(TINY, trim_end=38 / 24))


def pieces_of(job: Job) -> Path:
    return pieces_folder(job_folder(job.output.parent, job.name))


def test_killed_three_times_and_still_the_same(
    job_of: Any, out: Path, tmp_path: Path, fork: Any, fakes: Any, wait_for: Any
) -> None:
    jobs, undisturbed = [*tiny_jobs(job_of, 2), long_job(job_of, 2)], tmp_path / "undisturbed"

    def process(jobs: list[Job], folder: Path) -> Any:
        cache = tmp_path / f"cache of {folder.name}"
        options = BatchOptions(output_dir=folder, cache_dir=cache, chunk_seconds=CHUNKS)
        started = fork.Process(target=fakes.one_process, args=(jobs, options))
        started.start()
        return started

    whole = process(moved(jobs, undisturbed), undisturbed)
    whole.join(120)
    assert whole.exitcode == 0
    moments: list[Callable[[], bool]] = [
        lambda: part_of(jobs[0].output).exists(),  # while a clip is written
        lambda: jobs[1].output.exists(),  # between two, perhaps before the line is
        lambda: (pieces_of(jobs[2]) / "00001.piece").exists(),  # in the midst of a long one
    ]
    for moment in moments:
        victim = process(jobs, out)
        wait_for(lambda moment=moment, victim=victim: moment() or not victim.is_alive())
        victim.kill()
        victim.join()
        assert {p.name for p in out.glob("[!.]*.mp4")} <= {job.output.name for job in jobs}
    last = process(jobs, out)
    last.join(120)
    assert last.exitcode == 0
    check_same(jobs, out, undisturbed)


SCRIPT = """
import pickle, sys
from pathlib import Path
from retarget.pipeline.batch.run import batch_main
if __name__ == "__main__":
    jobs, options = pickle.loads(Path(sys.argv[1]).read_bytes())
    sys.exit(batch_main(jobs, options).exit_code)
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """`start(jobs, options)`: a batch in a process group of its own."""
    import pickle

    def run(jobs: list[Job], options: BatchOptions) -> subprocess.Popen[str]:
        (tmp_path / "main.py").write_text(SCRIPT)
        (tmp_path / "jobs.pickle").write_bytes(pickle.dumps((jobs, options)))
        return subprocess.Popen(
            [sys.executable, str(tmp_path / "main.py"), str(tmp_path / "jobs.pickle")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    return run


@pytest.mark.slow
def test_killed_twenty_times_and_still_the_same(
    job_of: Any, out: Path, tmp_path: Path, start: Any, wait_for: Any
) -> None:
    """The whole thing: parent and two workers; half of the time the parent alone, whose workers must follow."""
    jobs, undisturbed = [*tiny_jobs(job_of, 9), long_job(job_of, 9)], tmp_path / "undisturbed"
    chance = random.Random(1)  # noqa: S311
    options = BatchOptions(output_dir=undisturbed, workers=2, cache_dir=tmp_path / "cache", chunk_seconds=CHUNKS)
    whole = start(moved(jobs, undisturbed), options)
    whole.communicate(timeout=300)
    assert whole.returncode == 0
    kills = 0
    while kills < 20:
        if len(list(out.glob("[!.]*.mp4"))) == len(jobs):  # all done before it was killed often enough: begin anew
            for path in out.glob("[!.]*.mp4"):
                path.unlink()
        overlap = chance.random() < 0.5
        cache = tmp_path / "cache of out"
        batch = start(jobs, replace(options, output_dir=out, cache_dir=cache, overlap=overlap))
        working = out / ".retarget"
        before = len(list(out.glob("[!.]*.mp4")))
        wait_for(lambda: list(working.glob("*/working.json")) != [] or len(list(out.glob("[!.]*.mp4"))) > before)  # noqa: B023
        time.sleep(chance.uniform(0, 2.5))
        if batch.poll() is None:
            kills += 1
        with contextlib.suppress(ProcessLookupError):  # it was done already, and is gone
            (os.kill if chance.random() < 0.5 else os.killpg)(batch.pid, signal.SIGKILL)
        batch.communicate()
    last = start(jobs, replace(options, output_dir=out))
    last.communicate(timeout=300)
    assert last.returncode == 0
    check_same(jobs, out, undisturbed)


def test_progress_counts_tracking_and_editing_half_each(
    job_of: Any, out: Path, tmp_path: Path, wait_for: Any
) -> None:
    shown: list[BatchStatus] = []

    class Slow:
        def run(self, tasks: Iterator[Task]) -> Iterator[Event | None]:
            task = next(tasks)
            yield Started(task.job.index)
            wait_for(lambda: "frame counts" not in [thread.name for thread in threading.enumerate()])
            for event in (Progressed(1, "track", 40), Progressed(1, "retarget", 39)):
                time.sleep(0.25)
                yield event
            yield failure_of(task, "x")

    counts: list[int] = []

    def show(status: BatchStatus) -> None:
        shown.append(status)
        counts.append(status.total_frames)

    jobs = [job_of(1, options=RetargetOptions())]
    run_with(Slow(), jobs, BatchOptions(output_dir=out), progress=show)  # type: ignore[arg-type]
    assert 20.0 in [s.frames for s in shown]
    assert 58.5 in [s.frames for s in shown]
    assert (shown[-1].frames, shown[-1].total_frames) == (78.0, 78)
    assert isinstance(failure_of(Task(job=jobs[0]), "x"), Outcome)
