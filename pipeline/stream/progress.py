"""How far a run is: which stage, and how many of its items have passed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Stage(StrEnum):
    """What a run is at. The value is the word a progress bar shows."""

    DRIVER = "driver"
    """Reading a driver clip for its face."""
    REFERENCES = "references"
    """Reading further clips of the actor for what may be borrowed."""
    TRACK = "track"
    """The first reading of the source."""
    REFINE = "refine"
    """Rendering and measuring a sample of the edit, to correct it."""
    RETARGET = "retarget"
    """The second reading: the edit."""
    PREVIEW = "preview"
    QC_SOURCE = "QC source"
    """Reading a finished job's source again ..."""
    QC_OUTPUT = "QC output"
    """... and its output."""
    REPORT = "report"
    """Judging the clips of a batch."""


Progress = Callable[[Iterable[T], str, int], Iterable[T]]
"""Wraps an iterable to show how far it is: (items, stage or another label, expected count or 0)."""


def no_progress(items: Iterable[T], label: str, total: int) -> Iterable[T]:  # noqa: ARG001 - the silent Progress
    """Shows nothing."""
    return items
