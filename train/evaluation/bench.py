"""What an evaluation works with: the tools that measure, and the faces, measured once."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from retarget.model.crop_spec import CropSpec
from retarget.model.errors import RetargetError
from retarget.pipeline.stream import Progress, no_progress

from ..data import Dataset
from ..metrics import (
    NOT_INSTALLED,
    Meter,
    Openings,
    find_identity_network,
    find_inception_network,
    find_patch_network,
    find_witness,
)
from .expression_judge import ExpressionJudge
from .methods import Method, Plate
from .options import EvaluateOptions

PLATES = 512
"""Pictures held: 100 MB at 256 px."""

Picture = NDArray[np.uint8]
Units = NDArray[np.float32]


class Describer(Protocol):
    """identity.IdentityNetwork, identity.PackagedDescriptor."""

    def describe(self, picture: Picture, landmarks: NDArray[np.floating]) -> NDArray[np.float64]: ...


class Witness(Protocol):
    """witness.Witness."""

    def openings(self, crop: Picture, spec: CropSpec) -> Openings: ...


class PatchDescriber(Protocol):
    """patches.PatchNetwork."""

    def describe(self, patches: Sequence[Picture]) -> NDArray[np.float64]: ...


class Classifier(Protocol):
    """inception.InceptionNetwork."""

    def probabilities(self, pictures: Sequence[Picture]) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Tools:
    """What measures; what is None is not measured, and `missing` says why ("ACD", "IS", "witness" ...)."""

    meter: Meter
    identity: Describer | None = None
    """The network that the paper measured ACD with."""
    packaged: Describer | None = None
    """The same network as it comes in the package."""
    inception: Classifier | None = None
    witness: Witness | None = None
    """Of mouths and eyes, beside the tracker."""
    patches: PatchDescriber | None = None
    """Of mouths and eyes, by a network that no loss uses."""
    perceptual: nn.Module | None = None
    """(1, 3, H, W) in [-1, 1] -> list of features."""
    missing: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def open_tools() -> Iterator[Tools]:
    """The real tools, as far as they are installed."""
    from ..metrics import (
        CropMeter,  # loads the tracker
        PackagedDescriptor,
        PerceptualFeatures,
    )

    missing: dict[str, str] = {}
    identity = find_identity_network()
    if identity is None:
        missing["ACD"] = NOT_INSTALLED
    witness = find_witness()
    if witness is None:
        missing["witness"] = NOT_INSTALLED
    patches = find_patch_network()
    if patches is None:
        missing["KID"] = NOT_INSTALLED
    inception = find_inception_network()
    if isinstance(inception, str):
        missing["IS"] = inception
    try:
        perceptual = PerceptualFeatures()
    except RetargetError:
        perceptual, missing["perceptual"] = None, "not measured: install retarget[train]"
    with CropMeter() as meter:
        yield Tools(
            meter,
            identity=identity,
            packaged=PackagedDescriptor(),
            witness=witness,
            patches=patches,
            inception=None if isinstance(inception, str) else inception,
            perceptual=perceptual,
            missing=missing,
        )


class Gallery:
    """Faces of the dataset, measured: each once, at each size it is needed in. Holds `PLATES` pictures."""

    def __init__(self, dataset: Dataset, tools: Tools) -> None:
        self._dataset, self._tools = dataset, tools
        self._units: dict[int, Units | None] = {}
        self._small: dict[tuple[int, int], Units] = {}
        self._descriptors: dict[tuple[int, int, int], NDArray[np.float64]] = {}
        self._face = functools.lru_cache(PLATES)(self._read)

    def measured(self, row: int) -> bool:
        """Whether the tracker sees a face in that crop; it is looked for at the dataset's landmarks."""
        if row not in self._units:
            seen = self._tools.meter.measure(*self._face(row))
            self._units[row] = None if seen is None else seen.action_units
        return self._units[row] is not None

    def plate(self, row: int) -> Plate:
        """A measured face at the dataset's size."""
        assert self.measured(row)
        units = self._units[row]
        assert units is not None
        return Plate(*self._face(row), units)

    def _read(self, row: int) -> tuple[Picture, NDArray[np.float32]]:
        return self._dataset.image(row), np.array(self._dataset.landmarks[row], np.float32)

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

    def descriptor(self, network: Describer, row: int, size_px: int) -> NDArray[np.float64]:
        """(128,) who the unedited face is to that network of the tools, at that size."""
        key = (id(network), row, size_px)
        if key not in self._descriptors:
            small = self.plate(row).resized(size_px)
            self._descriptors[key] = network.describe(small.picture, small.landmarks)
        return self._descriptors[key]


@dataclass(frozen=True, eq=False)
class Bench:
    """Everything the measurements share."""

    dataset: Dataset
    methods: Sequence[Method]
    tools: Tools
    options: EvaluateOptions
    progress: Progress[Any] = no_progress
    gallery: Gallery = field(init=False)
    expressions: ExpressionJudge = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gallery", Gallery(self.dataset, self.tools))
        judge = ExpressionJudge(self.dataset, self.tools.patches, seed=self.options.seed)
        object.__setattr__(self, "expressions", judge)

    @property
    def editing(self) -> list[Method]:
        """The methods that do something."""
        return [method for method in self.methods if method.editor is not None]
