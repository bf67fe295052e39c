"""How much an evaluation measures, and on what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .errors import EvaluationError


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """How much is measured, and on what."""

    split: Literal["eval", "train"] = "eval"
    """train says how well a network remembers, not how well it works; the report says so."""
    faces: int | None = None
    """Source faces of the unpaired edits, spread over identities; None: the whole split (the paper has 3,234)."""
    targets: int = 7
    """Expressions each is edited towards: the paper's number."""
    judged: int = 200
    """Of the unpaired edits, evenly spread, that the judges of pictures see: they take longest."""
    pairs: int = 60
    """Frame pairs with a true target; 0 leaves them out."""
    pose_degrees: float = 6.0
    """How far a pair's head poses may differ, in any angle."""
    min_request: float = 0.3
    """Edits that ask for less (l2 norm of the relative action units) are not made."""
    gaze: bool = False
    """Whether unpaired edits also ask for the target's eye direction."""
    sweep_faces: int = 5
    """Faces of the single-action-unit grids; 0 leaves them out."""
    strips: int = 5
    """Faces of the interpolation strips."""
    worst: int = 8
    """Worst edits shown a method."""
    clips: tuple[Path, ...] = ()
    """Clips for films through the main job, each driven by another; none: no films."""
    films: int | None = None
    """Only the first so many clips, which then drive each other; None: all."""
    film_seconds: float = 3.0
    keep_edits: bool = False
    """Whether the unpaired edits are written as pictures, for other programs to measure (see edits)."""
    openface: Path | None = None
    """Folder with OpenFace's CSV a picture of such edits, for the paper's ED; None: not measured."""
    seed: int = 0
    batch: int = 8
    """Faces a forward pass."""
    device: str = "cpu"
    overwrite: bool = False
    """Whether an earlier evaluation in the output folder may be replaced."""

    def __post_init__(self) -> None:
        if self.split not in ("eval", "train"):
            raise EvaluationError(f"split {self.split!r} is unknown; use eval or train")
        least = {"faces": 1, "targets": 1, "batch": 1, "films": 2}
        for name in ("faces", "targets", "batch", "films", "judged", "pairs", "sweep_faces", "strips", "worst"):
            value = getattr(self, name)
            if value is not None and value < least.get(name, 0):
                raise EvaluationError(f"{name} is {value}; use a whole number from {least.get(name, 0)}")
        if self.films is not None and not self.clips:
            raise EvaluationError(f"films is {self.films}, but there are no clips to film; name them with --clips")
        for name in ("pose_degrees", "min_request", "film_seconds"):
            if not getattr(self, name) > 0:
                raise EvaluationError(f"{name} is {getattr(self, name)}; use a number above 0")
