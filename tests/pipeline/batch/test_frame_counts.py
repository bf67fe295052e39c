"""Frames by the header."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retarget.pipeline.batch.frame_counts import frames_of
from retarget.pipeline.options import RetargetOptions


def test_frames_of_a_job(job_of: Any, samples: Path, tmp_path: Path) -> None:
    assert frames_of(job_of(1, options=RetargetOptions())) == 78
    assert frames_of(job_of(1, options=RetargetOptions(trim_start=1.0, trim_end=2.0))) == 24
    assert frames_of(job_of(1, tmp_path / "no.mp4")) == 0
