"""Why an edit is held back, in words: what plans, reports and QC share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Cause = Literal["turned", "border", "unsure", "unseen"]

MEANINGS: Mapping[Cause, str] = {
    "turned": "turned away",
    "border": "cut by the picture's border",
    "unsure": "hardly recognised",
    "unseen": "appears or is lost",
}


@dataclass(frozen=True)
class Fade:
    """A range of frames in which less is done than was asked."""

    first_frame: int
    """Index in the source, from 0."""
    last_frame: int
    """The last one that is meant."""
    cause: Cause

    def __str__(self) -> str:
        """In words: "40-61 (turned away)"."""
        last = "" if self.first_frame == self.last_frame else f"-{self.last_frame}"
        return f"{self.first_frame}{last} ({MEANINGS[self.cause]})"
