"""What of several rows counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.media import EncodeOptions


def test_the_nearest_word_counts(folder: Path, jobs_of: Any) -> None:
    text = (
        "strength: 0.7\ndefaults: {driver: smile.yaml, crf: 20, start: 1s, end: 1.5s}\n"
        "jobs:\n  - source: a.mov\n  - {source: b.mov, crf: 30, frames: 2-3, driver: face.mov}\n"
    )
    a, b = jobs_of(folder, text, defaults={"strength": 0.1, "preset": "fast", "crf": None, "gaze": True})
    assert a.options.encode == EncodeOptions(crf=20, preset="fast")
    assert (a.options.strength, a.options.gaze) == (0.7, True)
    assert (a.options.trim_start, a.options.trim_end) == (1.0, 1.5)
    assert b.options.encode.crf == 30
    assert (b.options.trim_start, b.options.trim_end) == (pytest.approx(2 / 25), pytest.approx(4 / 25))
    assert b.drivers == (folder / "face.mov",)


def test_command_line_defaults_have_their_own_place(folder: Path, mistakes_of: Any, one: Any) -> None:
    found = mistakes_of(folder, one(""), defaults={"strenght": 1, "crf": "x", "driver": "gone"})
    assert found == [
        "command line: unknown key 'strenght'; did you mean 'strength'?",
        "command line: crf: needs a whole number, not 'x'",
    ]
