"""The summary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retarget.pipeline.batch.results import BatchResult, JobResult, summary


def test_the_summary(job_of: Any, do: Any, tmp_path: Path) -> None:
    lines = summary(do([job_of(1, tmp_path / "no.mp4")])[0])
    assert lines[0].startswith("failed   j1  ")
    assert lines[1:] == [
        "1 failed",
        "failed jobs run again when their files or options change, or with --retry-failed",
    ]
    assert summary(BatchResult(jobs=())) == ["no jobs"]
    assert BatchResult(jobs=(), interrupted=True).exit_code == 130


def test_a_job_of_a_source_that_is_not_whole_is_a_state_of_its_own(tmp_path: Path) -> None:
    job = JobResult(
        index=1, name="j1", source=tmp_path, output=tmp_path, state="incomplete", error="made, but about 16 frames"
    )
    result = BatchResult(jobs=(job,))
    assert summary(result) == ["incomplete  j1  made, but about 16 frames", "1 incomplete"]
    assert result.exit_code == 0
