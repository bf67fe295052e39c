"""Drivers are looked into before anything runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("d.yaml", "curves: {AU99: {0: 1}}", r"jobs\.yaml:3: d\.yaml, line 1: unknown action unit 'AU99'"),
        ("d.yaml", "curves: {AU12: {40f: 1, 00:00:01:16: 0}}", r"line 1: .* are the same time"),  # at 24 only
        ("d.yaml", "driver: gone.mov", r"no file gone\.mov beside the curve file"),
        ("d.csv", "time,value\n1,2\n", r"jobs\.yaml:3: d\.csv: no known capture format"),
        ("d.mp4", None, r"jobs\.yaml:3: driver d\.mp4: no such file"),
    ],
)
def test_drivers_are_looked_into(
    folder: Path, name: str, text: str | None, complaint: str, mistakes_of: Any, one: Any
) -> None:
    if text is not None:
        (folder / name).write_text(text)
    found = mistakes_of(folder, one("").replace("smile.yaml", name))
    assert len(found) == 1
    assert re.search(complaint, found[0])


def test_a_driver_may_be_right_at_the_source_s_rate_alone(folder: Path, jobs_of: Any, one: Any) -> None:
    # 20 frames are later than half a second at 24, not at 60
    (folder / "d.yaml").write_text(
        "curves: {AU12: {keys: {0: 1}, ranges: [{in: 0.5s, out: 20f}]}}\ndriver: face.mov\n"
    )
    assert len(jobs_of(folder, one("").replace("smile.yaml", "d.yaml"))) == 1
