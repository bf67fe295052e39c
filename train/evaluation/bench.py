"""What an evaluation works with: its options, the tools that measure, and the faces, measured once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from retarget.model.errors import RetargetError

from ..data import Dataset
from ..metrics import NOT_INSTALLED, Meter, find_identity_network, find_inception_network
from .methods import Method, Plate

T = TypeVar("T")
Progress = Callable[[Iterable[T], str, int], Iterable[T]]
"""Wraps an iterable to show how far it is: (items, label, expected count)."""

Picture = NDArray[np.uint8]
Units = NDArray[np.float32]


class EvaluationError(RetargetError, ValueError):
    """An evaluation that cannot be made, or would say nothing."""


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """How much is measured, and on what."""

    split: Literal["eval", "train"] = "eval"
    """train says how well a network remembers, not how well it works; the report says so."""
    faces: int = 60
    """Source faces of the unpaired edits (the paper has 3,234), spread over identities."""
    targets: int = 3
    """Expressions each is edited towards (the paper has 7)."""
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
        for name in ("faces", "targets", "batch", "films", "pairs", "sweep_faces", "strips", "worst"):
            value = getattr(self, name)
            if value is not None and value < least.get(name, 0):
                raise EvaluationError(f"{name} is {value}; use a whole number from {least.get(name, 0)}")
        if self.films is not None and not self.clips:
            raise EvaluationError(f"films is {self.films}, but there are no clips to film; name them with --clips")
        for name in ("pose_degrees", "min_request", "film_seconds"):
            if not getattr(self, name) > 0:
                raise EvaluationError(f"{name} is {getattr(self, name)}; use a number above 0")


class Describer(Protocol):
    """identity.IdentityNetwork."""

    def describe(self, picture: Picture, landmarks: NDArray[np.floating]) -> NDArray[np.float64]: ...


class Classifier(Protocol):
    """inception.InceptionNetwork."""

    def probabilities(self, pictures: Sequence[Picture]) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Tools:
    """What measures; what is None is not measured, and `missing` says why ("ACD", "IS", "perceptual")."""

    meter: Meter
    identity: Describer | None = None
    inception: Classifier | None = None
    perceptual: nn.Module | None = None
    """(1, 3, H, W) in [-1, 1] -> list of features."""
    missing: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def open_tools() -> Iterator[Tools]:
    """The real tools, as far as they are installed."""
    from ..metrics import PerceptualFeatures
    from ..prepare import CropMeter  # loads mediapipe

    missing: dict[str, str] = {}
    identity = find_identity_network()
    if identity is None:
        missing["ACD"] = NOT_INSTALLED
    inception = find_inception_network()
    if isinstance(inception, str):
        missing["IS"] = inception
    try:
        perceptual = PerceptualFeatures()
    except RetargetError:
        perceptual, missing["perceptual"] = None, "not measured: install retarget[train]"
    with CropMeter() as meter:
        yield Tools(meter, identity, None if isinstance(inception, str) else inception, perceptual, missing)


def no_progress(items: Iterable[T], label: str, total: int) -> Iterable[T]:  # noqa: ARG001 - the silent Progress
    """Shows nothing."""
    return items


class Gallery:
    """Faces of the dataset, measured: each once, at each size it is needed in."""

    def __init__(self, dataset: Dataset, tools: Tools) -> None:
        self._dataset, self._tools = dataset, tools
        self._plates: dict[int, Plate | None] = {}
        self._small: dict[tuple[int, int], Units] = {}
        self._descriptors: dict[tuple[int, int], NDArray[np.float64]] = {}

    def measured(self, row: int) -> bool:
        """Whether the tracker sees a face in that crop; it is looked for at the dataset's landmarks."""
        if row not in self._plates:
            picture = self._dataset.image(row)
            landmarks = np.array(self._dataset.landmarks[row], np.float32)
            seen = self._tools.meter.measure(picture, landmarks)
            self._plates[row] = None if seen is None else Plate(picture, landmarks, seen.action_units)
        return self._plates[row] is not None

    def plate(self, row: int) -> Plate:
        """A measured face at the dataset's size."""
        assert self.measured(row)
        plate = self._plates[row]
        assert plate is not None
        return plate

    def before(self, row: int, size_px: int) -> Units:
        """(C,) what the tracker sees in the face at that size, unedited; where it sees none so small, what it sees
        at the dataset's size."""
        plate = self.plate(row)
        if size_px == plate.picture.shape[0]:
            return plate.action_units
        if (row, size_px) not in self._small:
            small = plate.resized(size_px)
            seen = self._tools.meter.measure(small.picture, small.landmarks)
            self._small[row, size_px] = plate.action_units if seen is None else seen.action_units
        return self._small[row, size_px]

    def descriptor(self, row: int, size_px: int) -> NDArray[np.float64]:
        """(128,) who the unedited face is, at that size; needs the recognition network."""
        assert self._tools.identity is not None
        if (row, size_px) not in self._descriptors:
            small = self.plate(row).resized(size_px)
            self._descriptors[row, size_px] = self._tools.identity.describe(small.picture, small.landmarks)
        return self._descriptors[row, size_px]


@dataclass(frozen=True, eq=False)
class Bench:
    """Everything the measurements share."""

    dataset: Dataset
    methods: Sequence[Method]
    tools: Tools
    options: EvaluateOptions
    progress: Progress[Any] = no_progress
    gallery: Gallery = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gallery", Gallery(self.dataset, self.tools))

    @property
    def editing(self) -> list[Method]:
        """The methods that do something."""
        return [method for method in self.methods if method.editor is not None]
