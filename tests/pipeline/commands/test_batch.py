"""`retarget batch`: a sheet in, outputs and a report out, and what it says when it cannot."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.batch import BatchOptions, BatchResult, Event, Setting, Started, Task, run_job, run_with
from retarget.pipeline.batch import review as batch_review  # whose tools are replaced here
from retarget.pipeline.commands import batch as batch_cli
from retarget.pipeline.commands.main import main
from retarget.pipeline.errors import RetargetError
from retarget.pipeline.jobs import Job
from retarget.pipeline.media import EncodeOptions


@pytest.fixture(scope="module")
def plates(tmp_path_factory: Any, samples: Path) -> Path:
    """Sources, curves and a picture of nobody, in a folder with a space and more in its name."""
    import cv2
    import numpy as np

    folder = Path(tmp_path_factory.mktemp("batch")) / "plätes (1)"
    folder.mkdir()
    for name in ("actress.mp4", "cut.mov", "smile.yaml"):
        (folder / name).write_bytes((samples / name).read_bytes())
    cv2.imwrite(str(folder.parent / "nobody.png"), np.full((120, 160, 3), 90, np.uint8))
    (folder / "nobody.png").write_bytes((folder.parent / "nobody.png").read_bytes())
    return folder


SHEET = """\
output_dir: out
defaults: {driver: smile.yaml, end: 3f, device: cpu}
jobs:
  - source: actress.mp4
  - source: cut.mov
    strength: 0.5
"""
NOBODY = "  - {source: nobody.png, name: nobody.mp4}\n"


@pytest.fixture(scope="module")
def done(plates: Path) -> subprocess.CompletedProcess[str]:
    """The real thing, once: a sheet of three jobs, of which one has no face."""
    (plates / "jobs.yaml").write_text(SHEET + NOBODY)
    command = [
        sys.executable,
        "-m",
        "retarget.pipeline.commands.main",
        "batch",
        "jobs.yaml",
        "--cache-dir",
        "cache",
    ]
    return subprocess.run(command, cwd=plates, capture_output=True, text=True, timeout=300)


class Inline:
    """An executor without processes."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def run(self, tasks: Iterator[Task]) -> Iterator[Event | None]:
        for task in tasks:
            yield Started(task.job.index)
            yield run_job(task, self._setting, lambda *_: None)


class Runs:
    """What the command asked for, done in this process."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.options: list[BatchOptions] = []
        self.is_interrupted = self.is_dry = False

    def __call__(self, jobs: list[Job], options: BatchOptions, *, progress: Any) -> BatchResult:
        self.jobs, self.options = list(jobs), [*self.options, options]
        if self.is_dry:
            return BatchResult(jobs=(), interrupted=self.is_interrupted)
        result = run_with(Inline(options.setting), jobs, options, progress=progress)
        return replace(result, interrupted=self.is_interrupted)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runs:
    runs = Runs()
    monkeypatch.setattr(batch_cli, "run_batch", runs)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache home"))
    return runs


@pytest.fixture
def sheet(plates: Path, tmp_path: Path) -> Path:
    """Two good jobs, outputs in a new folder."""
    path = plates / f"{tmp_path.name}.yaml"
    path.write_text(SHEET.replace("output_dir: out", f"output_dir: {tmp_path / 'out'}"))
    return path


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "report.csv").open(encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def clips(folder: Path) -> dict[str, str]:
    return {row["name"]: row["state"] for row in rows(folder) if row["kind"] == "clip"}


# What is done


def test_a_sheet_in_and_outputs_and_a_report_out(done: subprocess.CompletedProcess[str], plates: Path) -> None:
    out = plates / "out"
    assert done.returncode == 1, done.stderr
    assert {path.name for path in out.glob("[!.]*")} == {
        "actress--smile.mp4", "cut--smile.mov", "report.html", "report.csv", "batch.otio", "retarget-batch.jsonl"
    }  # fmt: skip
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["done", "done", "failed"]
    assert "nobody.png: no face found" in lines[2]
    assert lines[3] == "2 done, 1 failed"
    assert lines[-1].startswith(str(out / "report.html"))
    assert "nobody" in done.stderr
    assert sorted(clips(out).values()) == ["done", "done", "failed"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in clips(out))
    assert "http://" not in page.replace("http://www.w3.org", "")
    timeline = json.loads((out / "batch.otio").read_text())
    assert timeline["OTIO_SCHEMA"].startswith("Timeline")


def test_a_second_run_skips_and_keeps_the_report(
    done: subprocess.CompletedProcess[str],
    plates: Path,
    runs: Runs,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert done.returncode == 1
    measured: list[str] = []
    measure = batch_review.measure_quality
    monkeypatch.setattr(batch_review, "measure_quality", lambda q: measured.append(q.state) or measure(q))
    before, outputs = rows(plates / "out"), {p: p.stat().st_mtime_ns for p in (plates / "out").glob("*.m*")}
    assert main(["batch", str(plates / "jobs.yaml"), "--cache-dir", str(plates / "cache")]) == 1
    said = capsys.readouterr().out
    assert "2 skipped, 1 failed" in said
    assert "or with --retry-failed" in said
    assert measured == ["failed"], "what has not changed is not measured again"
    assert rows(plates / "out") == before
    assert {p: p.stat().st_mtime_ns for p in (plates / "out").glob("*.m*")} == outputs


def test_all_went_well(sheet: Path, runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", str(sheet), "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    assert set(clips(tmp_path / "out").values()) == {"done"}


def test_globs(plates: Path, runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("a b.mp4", "ü.mp4"):
        (tmp_path / "more" / name).write_bytes((plates / "actress.mp4").read_bytes())
    runs.is_dry = True
    flags = ["--source", str(tmp_path / "**" / "*.mp4"), "--driver", str(plates / "smile.yaml")]
    flags += ["--output-dir", str(tmp_path / "out"), "--name", "{index:02d}_{source_name}_{driver_name}.mov"]
    flags += ["--trim-end", "0.12", "--strength", "0.5", "--encoder", "prores", "--no-report", "-q"]
    assert main(["batch", *flags]) == 0
    assert [job.output.name for job in runs.jobs] == ["01_a b_smile.mov", "02_ü_smile.mov"]
    assert {job.output.parent for job in runs.jobs} == {tmp_path / "out"}
    for job in runs.jobs:
        assert (job.options.strength, job.options.trim_end) == (0.5, 0.12)
        assert job.options.encode == EncodeOptions(codec="prores")


def test_set_is_what_counts_where_the_sheet_says_nothing(sheet: Path, runs: Runs) -> None:
    runs.is_dry = True
    flags = ["--set", "strength=0.25", "--set", "gain={AU12: 0.5}", "--set", "end=2f", "--no-report", "-q"]
    assert main(["batch", str(sheet), *flags]) == 0
    assert [job.options.strength for job in runs.jobs] == [0.25, 0.5], "the second says something"
    assert [dict(job.options.gains) for job in runs.jobs] == [{"AU12": 0.5}] * 2


@pytest.mark.parametrize(
    ("key", "written", "of"),
    [
        ("name", "no", lambda job: job.output.name),
        ("name", "2001-01-01", lambda job: job.output.name),
        ("name", "'012'", lambda job: job.output.name),
        ("start", "0:00:00.04", lambda job: job.options.trim_start),
        ("start", "00:00:00:01", lambda job: job.options.trim_start),
        ("min_face", "012", lambda job: job.options.min_face_px),
        ("strength", "1e-1", lambda job: job.options.strength),
        ("region", "[mouth, AU06]", lambda job: job.options.regions),
        ("gain", "{AU12: 1e-1}", lambda job: dict(job.options.gains)),
    ],
)
def test_set_means_what_the_sheet_would(
    key: str, written: str, of: Callable[[Job], Any], plates: Path, runs: Runs, tmp_path: Path
) -> None:
    runs.is_dry = True
    said, left = (plates / f"{tmp_path.name}-{kind}.yaml" for kind in ("said", "left"))
    rest = f"output_dir: {tmp_path}\njobs: [{{source: actress.mp4, driver: smile.yaml}}]\n"
    said.write_text(f"{rest}{key}: {written}\n")
    left.write_text(rest)
    assert main(["batch", str(said), "--no-report", "-q"]) == 0
    in_sheet = runs.jobs
    assert main(["batch", str(left), "--set", f"{key}={written}", "--no-report", "-q"]) == 0
    assert of(runs.jobs[0]) == of(in_sheet[0])


@pytest.mark.parametrize(
    ("setting", "value"),
    [("media_start=10:00:00:00", "10:00:00:00"), ("start=1:30", "1:30"), ("name=no", "no"), ("name=~", None)],
)
def test_set_is_no_yaml_of_old(setting: str, value: str | None) -> None:
    assert list(batch_cli._settings([setting]).values()) == [value]


def test_a_finished_picture_sequence_is_an_output(
    plates: Path, tmp_path: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    sheet = plates / f"{tmp_path.name}-pictures.yaml"
    sheet.write_text(
        f"output_dir: {out}\ndefaults: {{driver: smile.yaml, end: 3f, device: cpu}}\n"
        "jobs: [{source: actress.mp4, name: plate.%04d.png}]\n"
    )
    assert main(["batch", str(sheet), "-q"]) == 0
    assert len(list(out.glob("plate.*.png"))) == 3
    (clip,) = [row for row in rows(out) if row["kind"] == "clip"]
    assert clip["state"] == "done"
    assert float(clip["frames"]) == 3
    assert "No output" not in (out / "report.html").read_text(encoding="utf-8")
    measured: list[str] = []
    measure = batch_review.measure_quality
    monkeypatch.setattr(batch_review, "measure_quality", lambda q: measured.append(q.state) or measure(q))
    assert main(["batch", str(sheet), "-q"]) == 0
    assert measured == [], "what has not changed is not measured again"
    next(out.glob("plate.*.png")).unlink()
    assert main(["batch", str(sheet), "-q"]) == 0
    assert measured == ["done"], "a picture that is missing is made again"


def test_flags_reach_the_batch(sheet: Path, runs: Runs, tmp_path: Path) -> None:
    runs.is_dry = True
    flags = ["--jobs", "3", "--halt-on-error", "--retry-failed", "--devices", "cpu,cpu", "--no-cache"]
    flags += ["--cache-dir", str(tmp_path / "c"), "--cache-limit", "0.5", "--chunk-seconds", "20"]
    assert main(["batch", str(sheet), *flags, "--no-report", "-q"]) == 0
    assert runs.options == [
        BatchOptions(
            output_dir=tmp_path / "out",
            workers=3,
            halt_on_error=True,
            retry_failed=True,
            cache_dir=tmp_path / "c",
            cache_limit_bytes=2**29,
            use_cache=False,
            devices=("cpu", "cpu"),
            chunk_seconds=20.0,
        )
    ]


def test_the_defaults_are_the_library_s(sheet: Path, runs: Runs, tmp_path: Path) -> None:
    runs.is_dry = True
    assert main(["batch", str(sheet), "--no-report", "-q"]) == 0
    assert runs.options == [BatchOptions(output_dir=tmp_path / "out")]


def test_no_report_of_an_interrupted_batch(sheet: Path, runs: Runs, tmp_path: Path) -> None:
    runs.is_interrupted = runs.is_dry = True
    assert main(["batch", str(sheet), "-q"]) == 130
    assert not list((tmp_path / "out").glob("report.*"))


def test_a_timeline_that_cannot_be_made_is_a_note(
    sheet: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RetargetError("batch.otio: no room")

    monkeypatch.setattr(batch_review, "write_timeline", refuse)
    assert main(["batch", str(sheet), "-q"]) == 0
    assert capsys.readouterr().err == "note: no timeline was written: batch.otio: no room\n"


# What is refused


def test_all_mistakes_are_listed_with_their_lines(
    plates: Path, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = plates / "wrong.yaml"
    wrong.write_text(
        "output_dir: never\ndefaults: {driver: smile.yaml}\njobs:\n  - source: nowhere.mp4\n"
        "  - source: actress.mp4\n    strenght: 1\n  - source: cut.mov\n    crf: many\n"
    )
    assert main(["batch", str(wrong)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    for line, (number, word) in zip(lines, [(4, "nowhere.mp4"), (6, "strenght"), (8, "many")], strict=True):
        assert line.startswith("retarget: ")
        assert f"wrong.yaml:{number}: " in line
        assert word in line
    assert not (plates / "never").exists()
    assert runs.jobs == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "name either a sheet of jobs or --source"),
        (["SHEET", "-s", "a.mp4"], "name either a sheet of jobs or --source"),
        (["SHEET", "-d", "smile.yaml"], "a sheet names its drivers itself; use --set driver=FILE"),
        (["-s", "a.mp4", "--set", "strength=1"], "--set is for sheets; with --source use the flags themselves"),
        (["-s", "a.mp4", "-d", "smile.yaml"], "--source needs --driver and --output-dir"),
        (["-s", "a.mp4", "-o", "out"], "--source needs --driver and --output-dir"),
        (["SHEET", "--set", "strength"], "--set 'strength' is not KEY=VALUE, such as strength=0.8"),
        (["SHEET", "--set", "gain={AU12"], "the value is no YAML; quote it"),
        (["SHEET", "--jobs", "0"], "0 workers make no batch; use 1 or more"),
        (["SHEET", "--cache-limit", "-1"], "makes no sense; use --no-cache for none"),
        (["SHEET", "--cache-limit", "nan"], "makes no sense; use --no-cache for none"),
        (["SHEET", "--cache-limit", "1e300"], "makes no sense; use --no-cache for none"),
        (["SHEET", "--chunk-seconds", "-1"], "chunks of -1 s make no sense; use more than 0, or 0 for none"),
        (["SHEET", "--chunk-seconds", "nan"], "chunks of nan s make no sense"),
        (["nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_refusals(
    sheet: Path, runs: Runs, tmp_path: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["batch", *(str(sheet) if flag == "SHEET" else flag for flag in flags)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("retarget: ")
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "out").exists()
    assert runs.jobs == []
