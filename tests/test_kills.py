"""Killed runs and full disks, each in a process of its own: `-m slow --cases N` for more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

JOBS = ("film", "overwrite", "sequence", "track", "preview", "batch", "trainer")


def _run(*arguments: object) -> None:
    command = [sys.executable, str(Path(__file__).parent / "hostile/kills.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS)
def test_killed_by_chance(job: str, request: pytest.FixtureRequest) -> None:
    _run(job, "--kills", max(10, request.config.getoption("--cases") // 10))


@pytest.mark.slow
@pytest.mark.parametrize("steps", ["kill", "full"])
@pytest.mark.parametrize("job", ["film", "overwrite", "sequence", "track", "preview"])
def test_at_every_step(job: str, steps: str) -> None:
    _run(job, "--steps", steps)


@pytest.mark.slow
def test_a_table_whose_disk_is_full_at_every_step() -> None:
    _run("track", "--steps", "full")
