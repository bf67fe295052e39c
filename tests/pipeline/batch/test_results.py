"""The summary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retarget.pipeline.batch.results import BatchResult, summary


def test_the_summary(job_of: Any, do: Any, tmp_path: Path) -> None:
    lines = summary(do([job_of(1, tmp_path / "no.mp4")])[0])
    assert lines[0].startswith("failed   j1  ")
    assert lines[1:] == [
        "1 failed",
        "failed jobs run again when their files or options change, or with --retry-failed",
    ]
    assert summary(BatchResult(jobs=())) == ["no jobs"]
    assert BatchResult(jobs=(), interrupted=True).exit_code == 130
