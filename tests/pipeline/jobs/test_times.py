"""Times and ranges, and when a source is opened for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("frames", "start", "end"),
    [
        ("10-19", 10 / 24, 20 / 24), ("10..19", 10 / 24, 20 / 24), ("7", 7 / 24, 8 / 24),
        ("0-4", None, 5 / 24), ("10-", 10 / 24, None), ("'-4'", None, 5 / 24),
    ],
)  # fmt: skip
def test_frames(folder: Path, frames: str, start: float | None, end: float | None, jobs_of: Any, one: Any) -> None:
    options = jobs_of(folder, one(f"frames: {frames}"))[0].options
    assert (options.trim_start, options.trim_end) == (start, end)


def test_frames_of_a_sequence_are_its_numbers(folder: Path, samples: Path, jobs_of: Any, mistakes_of: Any) -> None:
    for number in range(1001, 1006):
        (folder / f"sh.{number}.png").write_bytes((samples / "astronaut.png").read_bytes())
    text = "driver: smile.yaml\njobs:\n  - {source: sh.####.png, frames: 1002-1003, frame_rate: 25}\n"
    job = jobs_of(folder, text)[0]
    assert (job.options.trim_start, job.options.trim_end) == (1 / 25, 3 / 25)
    assert job.name == "sh--smile"
    assert job.output == folder / "sh--smile.mp4"
    assert mistakes_of(folder, text.replace("1002-", "10-"))[0].endswith(
        "10-1003 is no range; frames count from 1001 upwards"
    )


def test_the_source_is_opened_only_for_its_rate(folder: Path, jobs_of: Any, mistakes_of: Any, one: Any) -> None:
    (folder / "a.mov").write_bytes(b"")  # one that fails in its turn, without stopping the others
    assert len(jobs_of(folder, one("start: 1.5\nend: 00:00:02.500"))) == 1
    assert mistakes_of(folder, one("start: 1f"))[0].startswith("jobs.yaml:4: a.mov: ")
