"""Films whose every frame number and timecode is known, and a cut of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

MakeFilm = Callable[..., Path]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def event(number: int, reel: str, source: str, record: str, *comments: str, channel: str = "V") -> str:
    """An EDL event; `source` and `record` are "in out"."""
    return "\n".join([f"{number:03d}  {reel} {channel} C {source} {record}", *comments, ""])


@pytest.fixture
def cut(tmp_path: Path, make_film: MakeFilm) -> Path:
    """Three shots of two films (01:00:00:00 onwards, and without a timecode), the first film used twice."""
    make_film(tmp_path / "plates/day 1/sh010.mov", 48, 24, "01:00:00:00")
    make_film(tmp_path / "plates/sh020.mp4", 30, 24)
    path = tmp_path / "cut.edl"
    path.write_text(
        "TITLE: reel 3\nFCM: NON-DROP FRAME\n\n"
        + event(1, "A001", "01:00:00:10 01:00:00:20", "10:00:00:00 10:00:00:10", "* FROM CLIP NAME: sh010.mov")
        + event(2, "A002", "00:00:00:05 00:00:00:15", "10:00:00:10 10:00:00:20", "* FROM CLIP NAME: SH020")
        + event(3, "A001", "01:00:01:00 01:00:01:20", "10:00:01:00 10:00:01:20", "* FROM CLIP NAME: sh010.mov")
        + event(4, "A009", "01:00:00:00 01:00:00:10", "10:00:00:00 10:00:00:10", channel="AA")
    )
    return path
