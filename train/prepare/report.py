"""What a preparation did, and what it left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NO_FACE, DAMAGED, NO_LABEL = "no face found", "damaged picture", "no OpenFace label"


@dataclass(frozen=True)
class Skipped:
    """Frames of an input that gave no crop."""

    file: str
    frames: int
    reason: str


@dataclass(frozen=True)
class PrepareReport:
    """What a run did."""

    folder: Path
    inputs: int
    inputs_reused: int
    """Measured by an earlier run."""
    crops: int
    usable: int
    """Crops without any flag."""
    train_identities: int
    eval_identities: int
    train_in_clips: int
    """Of those to train on, people with usable frames of a clip."""
    eval_in_clips: int
    clips: int
    flags: Mapping[str, int]
    """Crops each flag is on."""
    skipped: tuple[Skipped, ...]

    def as_json(self) -> dict[str, Any]:
        """Its counts, as the dataset's description has them."""
        people = ("train_identities", "eval_identities", "train_in_clips", "eval_in_clips")
        names = ("inputs", "crops", "usable", *people, "clips")
        reasons: Counter[str] = Counter()
        for skip in self.skipped:
            reasons[skip.reason] += skip.frames
        return {name: getattr(self, name) for name in names} | {
            "flagged": dict(self.flags),
            "skipped": dict(reasons.most_common()),
        }
