"""One go at a job: what becomes of all kinds of clips."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.batch.attempt import one_line, run_job
from retarget.pipeline.batch.manifest import read_entries
from retarget.pipeline.batch.paths import job_folder, manifest_path, pieces_folder, report_path
from retarget.pipeline.batch.records import Setting, Task
from retarget.pipeline.edit import Renderer
from retarget.pipeline.errors import NoFaceError
from retarget.pipeline.files import content_of, is_there
from retarget.pipeline.jobs import Job
from retarget.pipeline.media import EncodeOptions
from retarget.pipeline.run import retarget_video

from .conftest import CHUNKS, TINY, digest, states, visible


def pieces_of(job: Job) -> Path:
    return pieces_folder(job_folder(job.output.parent, job.name))


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
    try:
        result, _ = do(jobs, tell=write_on)
    finally:
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


def test_errors_in_a_line() -> None:
    assert one_line(NoFaceError("a.mp4: no\nface")) == "a.mp4: no face"
    assert one_line(FileNotFoundError(2, "No such file", "a.mp4")) == "a.mp4: No such file"
    assert one_line(MemoryError()) == "out of memory; use a smaller batch size or fewer workers"
    assert one_line(KeyError("x")) == "unexpected KeyError: 'x'"


def long_job(job_of: Any, index: int) -> Job:
    """Three chunks: 16, 16 and 6 frames."""
    return job_of(index, options=replace(TINY, trim_end=38 / 24))


@pytest.mark.parametrize(
    ("name", "rounds"), [("j1.mp4", 0), ("j1.mp4", 1), pytest.param("j1.%04d.tif", 1, marks=pytest.mark.slow)]
)
def test_a_chunk_that_is_done_is_never_rendered_again(
    job_of: Any, do: Any, out: Path, monkeypatch: pytest.MonkeyPatch, name: str, rounds: int
) -> None:
    """But for the sample by which the plans are refined: that is looked at anew, and says the same."""
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
    job = replace(job, options=replace(job.options, refine=rounds))
    with pytest.raises(Killed):
        do([job], tell=kill, chunk_seconds=CHUNKS)
    assert pieces_of(job).exists()
    assert not is_there(job.output)
    rendered.clear()
    result, _ = do([job], chunk_seconds=CHUNKS)
    sample = len(rendered) - 6
    assert (states(result), rendered[sample:]) == (["done"], list(range(32, 38)))
    assert (sample > 0) is (rounds > 0)
    assert not pieces_of(job).exists()
    report = json.loads(report_path(out, job.name).read_text())
    made = content_of(job.output).sha256
    for path in out.glob("j1*"):
        path.unlink()
    rendered.clear()
    do([job], chunk_seconds=CHUNKS)
    assert rendered[sample:] == list(range(38))
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
