from __future__ import annotations

import hashlib
import importlib
import io
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.batch import attempt as work
from retarget.pipeline.batch.attempt import Event, Outcome, Setting, Started, Task, content_key, one_line, run_job
from retarget.pipeline.batch.batch import (
    BatchOptions,
    BatchResult,
    BatchStatus,
    ProgressBar,
    frames_of,
    run_batch,
    run_with,
    status_line,
    summary,
)
from retarget.pipeline.batch.jobs import Job
from retarget.pipeline.batch.manifest import (
    LockedError,
    Manifest,
    job_folder,
    manifest_path,
    pieces_folder,
    read_entries,
    report_path,
)
from retarget.pipeline.batch.workers import death, share_of_cores
from retarget.pipeline.edit import Renderer
from retarget.pipeline.errors import NoFaceError, OptionError
from retarget.pipeline.faces import content_of
from retarget.pipeline.files import is_there, part_of
from retarget.pipeline.media import EncodeOptions
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.run import retarget_video

TINY = RetargetOptions(trim_end=0.12, device="cpu")
"""Three frames of the sample."""
CHUNKS = 16 / 24
"""Seconds: the shortest that a chunk can be, of the sample."""


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


def states(result: BatchResult) -> list[str]:
    return [job.state for job in result.jobs]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name != ".retarget"}


# What becomes of all kinds of clips


def test_one_failure_never_stops_the_rest(
    job_of: Any, do: Any, samples: Path, out: Path, tmp_path: Path, disc_clip: Path
) -> None:
    plates = tmp_path / "plates ü (x)"
    plates.mkdir()
    for name, data in {
        "zero.mp4": b"",
        "broken.mp4": (samples / "actress.mp4").read_bytes()[:3000],
        "growing.mov": (samples / "cut.mov").read_bytes(),
        "plate 日本.mp4": (samples / "actress.mp4").read_bytes(),
    }.items():
        (plates / name).write_bytes(data)
    plates.chmod(0o555)

    def write_on(stage: str, frame: int) -> None:
        if stage == "retarget" and frame == 2:
            with (plates / "growing.mov").open("ab") as stream:
                stream.write(b"\0" * 100)

    jobs = [
        job_of(1, plates / "zero.mp4"),
        job_of(2, plates / "broken.mp4"),
        job_of(3, disc_clip),
        job_of(4, plates / "growing.mov"),
        job_of(5, plates / "nowhere.mp4"),
        job_of(6, plates / "plate 日本.mp4", name="Schuß 6", output=out / "Müller & 日本.mov"),
    ]
    result, _ = do(jobs, tell=write_on)
    plates.chmod(0o755)
    assert states(result) == ["failed"] * 5 + ["done"]
    assert result.exit_code == 1
    reasons = [job.error for job in result.jobs]
    for reason, words in zip(
        reasons,
        [
            "is empty",
            "broken.mp4",
            "no face found in any frame",
            "growing.mov: is being written to",
            "nowhere.mp4",
        ],
        strict=False,
    ):
        assert words in reason
        assert "\n" not in reason
    assert visible(out) == {"Müller & 日本.mov", "retarget-batch.jsonl"}
    assert {path.name for path in plates.iterdir()} == {
        "zero.mp4", "broken.mp4", "growing.mov", "plate 日本.mp4"
    }, "nothing is written beside the sources"  # fmt: skip
    report = json.loads(report_path(out, "Schuß 6").read_text())
    assert report["frames"] == 3
    assert result.jobs[-1].report == report_path(out, "Schuß 6")
    assert result.jobs[-1].seconds["elapsed"] > 0


@pytest.fixture(scope="module")
def disc_clip(tmp_path_factory: Any, samples: Path) -> Path:
    """A picture of nobody."""
    import cv2
    import numpy as np

    path = tmp_path_factory.mktemp("disc") / "disc.png"
    picture = np.full((120, 160, 3), 90, np.uint8)
    cv2.imwrite(str(path), cv2.circle(picture, (80, 60), 30, (200, 120, 60), -1))
    return Path(path)


def test_a_job_is_what_a_single_run_makes(job_of: Any, do: Any, out: Path, tmp_path: Path) -> None:
    """As long as it is not longer than a chunk."""
    job = job_of(1, options=replace(TINY, trim_end=16 / 24))
    result, _ = do([job], chunk_seconds=CHUNKS)
    retarget_video(job.source, job.drivers, tmp_path / "single.mp4", job.options)
    assert states(result) == ["done"]
    assert digest(out / "j1.mp4") == digest(tmp_path / "single.mp4")


def test_a_disk_that_is_full_fails_its_job_and_leaves_room_for_the_next(job_of: Any, do: Any, out: Path) -> None:
    out.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(out)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount a small file system")
    try:
        large = replace(TINY, trim_end=0.5, encode=EncodeOptions(codec="ffv1"))
        jobs = [job_of(1, output=out / "large.mkv", options=large), job_of(2)]
        result, _ = do(jobs)
        assert states(result) == ["failed", "done"]
        assert "No space left on device" in result.jobs[0].error
        assert visible(out) == {"j2.mp4", "retarget-batch.jsonl"}
        assert [entry.state for entry in read_entries(manifest_path(out))] == ["failed", "done"]
    finally:
        subprocess.run(["umount", str(out)], check=True)


# Running again


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


def test_a_curve_file_s_clips_count(job_of: Any, samples: Path, tmp_path: Path) -> None:
    shutil.copy(samples / "smile.csv", tmp_path / "take.csv")
    curve = tmp_path / "curve.yaml"
    curve.write_text("driver: {file: take.csv}\ncurves:\n  AU12:\n    00:00:00:12: 0.5\n")
    job = job_of(1, drivers=(curve,))
    contents = work.Contents()
    before = content_key(job, contents)
    assert str(tmp_path / "take.csv") in contents.used
    with (tmp_path / "take.csv").open("a") as stream:
        stream.write("\n")
    assert content_key(job, work.Contents()) != before


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"device": "cuda:1"}, True),
        ({"batch": 3}, True),
        ({"overwrite": True}, True),
        ({"encode": EncodeOptions(threads=2)}, True),
        ({"encode": EncodeOptions(crf=20)}, False),
        ({"strength": 0.9}, False),
        ({"gains": {"AU12": 0.5}}, False),
        ({"trim_end": 0.16}, False),
        ({"source_neutral": 0.5}, False),
    ],
)
def test_what_the_key_is_of(job_of: Any, change: dict[str, Any], same: bool) -> None:
    one, other = job_of(1), job_of(1, options=replace(TINY, **change))
    assert (content_key(one, work.Contents()) == content_key(other, work.Contents())) is same


def test_the_key_is_of_content_and_not_of_names(job_of: Any, samples: Path, tmp_path: Path) -> None:
    shutil.copy(samples / "actress.mp4", tmp_path / "b.mp4")
    assert content_key(job_of(1), work.Contents()) == content_key(job_of(2, tmp_path / "b.mp4"), work.Contents())


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


# What is not ours


def test_a_file_of_the_user_s_is_never_replaced(job_of: Any, do: Any, out: Path) -> None:
    out.mkdir()
    (out / "j1.mp4").write_bytes(b"mine")
    result, _ = do([job_of(1)])
    assert "j1.mp4: exists already" in result.jobs[0].error
    assert (out / "j1.mp4").read_bytes() == b"mine"
    assert states(do([job_of(1, options=replace(TINY, overwrite=True))])[0]) == ["done"]


def test_an_output_that_was_made_but_not_written_down_is_ours(job_of: Any, do: Any, out: Path) -> None:
    out.mkdir()
    outcome = run_job(Task(job=job_of(1)), Setting(output_dir=out), lambda *_: None)
    assert outcome.state == "done"
    made = digest(out / "j1.mp4")
    result, _ = do([job_of(1)])  # the process died between the two
    assert states(result) == ["done"]
    assert digest(out / "j1.mp4") == made
    assert list(out.glob(".retarget/*/working.json")) == []


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
    ("fields", "message"),
    [
        ({"workers": 0}, "0 workers make no batch"),
        ({"cache_limit_bytes": -1}, "a cache of -1 bytes"),
        ({"chunk_seconds": -1}, "chunks of -1 s make no sense; use more than 0, or 0 for none"),
    ],
)
def test_senseless_options(tmp_path: Path, fields: dict[str, int], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        BatchOptions(output_dir=tmp_path, **fields)  # type: ignore[arg-type]


def test_errors_in_a_line() -> None:
    assert one_line(NoFaceError("a.mp4: no\nface")) == "a.mp4: no face"
    assert one_line(FileNotFoundError(2, "No such file", "a.mp4")) == "a.mp4: No such file"
    assert one_line(MemoryError()) == "out of memory; use a smaller batch size or fewer workers"
    assert one_line(KeyError("x")) == "unexpected KeyError: 'x'"


# Processes

FAKES = """
import os, signal, sys
from retarget.pipeline.batch.attempt import Outcome
from retarget.pipeline.batch.manifest import Entry
from retarget.pipeline.batch.batch import batch_main, run_with
from retarget.pipeline.batch.attempt import run_job

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
    assert shown[-1].finished == {"done": count - 1, "skipped": 0, "failed": 1}
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


SCRIPT = """
import pickle, sys
from pathlib import Path
from retarget.pipeline.batch.batch import batch_main
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


def wait_for(condition: Callable[[], bool], seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.02)


@pytest.fixture
def fork() -> Any:
    """Starts processes that have the libraries loaded already: `fork.Process(target=..., args=...)`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["retarget.pipeline.batch.batch"])
    return context


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interruption_clears_up_and_can_be_gone_on_from(
    job_of: Any, out: Path, fork: Any, fakes: Any, tmp_path: Path, number: int
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


# kill -9


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


@pytest.mark.parametrize("name", ["j1.mp4", pytest.param("j1.%04d.tif", marks=pytest.mark.slow)])
def test_a_chunk_that_is_done_is_never_rendered_again(
    job_of: Any, do: Any, out: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    rendered: list[int] = []
    render = Renderer.render

    def counting(renderer: Renderer, requests: Any) -> Any:
        for frame in render(renderer, requests):
            rendered.append(frame.frame.index)
            yield frame

    class Killed(BaseException):
        pass

    def kill(stage: str, frame: int) -> None:
        if stage == "retarget" and frame == 35:
            raise Killed

    monkeypatch.setattr(Renderer, "render", counting)
    job = replace(long_job(job_of, 1), output=out / name)
    with pytest.raises(Killed):
        do([job], tell=kill, chunk_seconds=CHUNKS)
    assert pieces_of(job).exists()
    assert not is_there(job.output)
    rendered.clear()
    result, _ = do([job], chunk_seconds=CHUNKS)
    assert (states(result), rendered) == (["done"], list(range(32, 38)))
    assert not pieces_of(job).exists()
    report = json.loads(report_path(out, job.name).read_text())
    made = content_of(job.output).sha256
    for path in out.glob("j1*"):
        path.unlink()
    rendered.clear()
    do([job], chunk_seconds=CHUNKS)
    assert rendered == list(range(38))
    assert content_of(job.output).sha256 == made, "as if it had never been killed"
    undisturbed = json.loads(report_path(out, job.name).read_text())
    assert [report[key] for key in ("frames", "frames_edited", "details")] == [
        undisturbed[key] for key in ("frames", "frames_edited", "details")
    ]


@pytest.mark.parametrize("name", ["j1.mp4", "j1.%04d.tif"])
def test_chunks_of_a_failed_job_go(
    job_of: Any, do: Any, out: Path, samples: Path, tmp_path: Path, name: str
) -> None:
    source = tmp_path / "growing.mp4"
    shutil.copy(samples / "actress.mp4", source)
    job = replace(long_job(job_of, 1), source=source, output=out / name)

    def write_on(stage: str, frame: int) -> None:
        if stage == "retarget" and frame == 20:
            assert list(pieces_of(job).glob("*"))
            with source.open("ab") as stream:
                stream.write(b"\0" * 100)

    assert states(do([job], tell=write_on, chunk_seconds=CHUNKS)[0]) == ["failed"]
    assert not pieces_of(job).exists()
    assert visible(out) == {"retarget-batch.jsonl"}


def test_killed_three_times_and_still_the_same(
    job_of: Any, out: Path, tmp_path: Path, fork: Any, fakes: Any
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


@pytest.mark.slow
def test_killed_twenty_times_and_still_the_same(job_of: Any, out: Path, tmp_path: Path, start: Any) -> None:
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
        (os.kill if chance.random() < 0.5 else os.killpg)(batch.pid, signal.SIGKILL)
        batch.communicate()
    last = start(jobs, replace(options, output_dir=out))
    last.communicate(timeout=300)
    assert last.returncode == 0
    check_same(jobs, out, undisturbed)


# Talking


def test_frames_of_a_job(job_of: Any, samples: Path, tmp_path: Path) -> None:
    assert frames_of(job_of(1, options=RetargetOptions())) == 78
    assert frames_of(job_of(1, options=RetargetOptions(trim_start=1.0, trim_end=2.0))) == 24
    assert frames_of(job_of(1, tmp_path / "no.mp4")) == 0


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


def test_the_summary(job_of: Any, do: Any, tmp_path: Path) -> None:
    lines = summary(do([job_of(1, tmp_path / "no.mp4")])[0])
    assert lines[0].startswith("failed   j1  ")
    assert lines[1:] == [
        "1 failed",
        "failed jobs run again when their files or options change, or with --retry-failed",
    ]
    assert summary(BatchResult(jobs=())) == ["no jobs"]
    assert BatchResult(jobs=(), interrupted=True).exit_code == 130


def test_progress_counts_tracking_and_editing_half_each(job_of: Any, out: Path, tmp_path: Path) -> None:
    shown: list[BatchStatus] = []

    class Slow:
        def run(self, tasks: Iterator[Task]) -> Iterator[Event | None]:
            task = next(tasks)
            yield Started(task.job.index)
            wait_for(lambda: bool(shown) and frames_known())
            for event in (work.Progressed(1, "track", 40), work.Progressed(1, "retarget", 39)):
                time.sleep(0.25)
                yield event
            yield work.failure_of(task, "x")

    counts: list[int] = []

    def show(status: BatchStatus) -> None:
        shown.append(status)
        counts.append(status.total_frames)

    def frames_known() -> bool:
        time.sleep(0.3)
        return True

    jobs = [job_of(1, options=RetargetOptions())]
    run_with(Slow(), jobs, BatchOptions(output_dir=out), progress=show)  # type: ignore[arg-type]
    assert 20.0 in [s.frames for s in shown]
    assert 58.5 in [s.frames for s in shown]
    assert (shown[-1].frames, shown[-1].total_frames) == (78.0, 78)
    assert isinstance(work.failure_of(Task(job=jobs[0]), "x"), Outcome)
