"""What an evaluation compares: checkpoints, the geometry's warp alone, and doing nothing."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from retarget.model.checkpoint import Checkpoint, default_checkpoint_path, load_checkpoint, save_checkpoint
from retarget.model.crop_spec import CropSpec
from retarget.model.editor import Editor
from retarget.model.errors import CheckpointError
from retarget.model.generator import EditInput, Generator, GeneratorConfig, compose
from retarget.model.geometry import GeometryModel
from retarget.model.images import from_model, to_model

from .scores import CostScores, Kind

NOTHING_LABEL = "do nothing"
WARP_LABEL = "geometry warp alone"


@dataclass(frozen=True, eq=False)
class Plate:
    """A face to edit, at some crop size S."""

    picture: NDArray[np.uint8]
    """(S, S, 3) RGB."""
    landmarks: NDArray[np.float32]
    """(478, 3) crop pixels."""
    action_units: NDArray[np.float32]
    """(C,) what it expresses, in [0, 1]."""

    def __repr__(self) -> str:
        return f"Plate({self.picture.shape[0]} px)"

    def resized(self, size_px: int) -> Plate:
        """The same face in smaller pixels: the picture by area averaging, the landmarks scaled.

        Raises:
            ValueError: it would have to be enlarged.
        """
        own_px = self.picture.shape[0]
        if size_px > own_px:
            raise ValueError(f"a {own_px} px crop cannot be enlarged to {size_px} px")
        if size_px == own_px:
            return self
        small = np.asarray(cv2.resize(self.picture, (size_px, size_px), interpolation=cv2.INTER_AREA), np.uint8)
        return Plate(small, (self.landmarks * (size_px / own_px)).astype(np.float32), self.action_units)


@dataclass(frozen=True, eq=False)
class Method:
    """One way to edit a face."""

    label: str
    kind: Kind
    crop_px: int
    editor: Editor | None = None
    """None: does nothing."""
    source: Path | None = None
    """The checkpoint it was read from; a warp alone may share one with a network."""
    crop: CropSpec | None = None
    au_source: str = ""
    is_reference: bool = False
    """Not asked for, but put beside to compare with."""

    @torch.inference_mode()
    def edit(self, plates: Sequence[Plate], delta_au: NDArray[np.floating]) -> list[NDArray[np.uint8]]:
        """The plates (at any size from this method's up) with `delta_au` (B, C) applied: (S, S, 3) RGB each."""
        own = [plate.resized(self.crop_px) for plate in plates]
        if self.editor is None:
            return [plate.picture for plate in own]
        device = self.editor.projection.device
        image = to_model(np.stack([plate.picture for plate in own])).to(device)
        source, delta, landmarks = (
            torch.from_numpy(np.asarray(rows, np.float32)).to(device)
            for rows in ([p.action_units for p in own], delta_au, [p.landmarks for p in own])
        )
        edited = compose(image, self.editor(EditInput(image, source, delta, landmarks)))
        return list(from_model(edited).cpu().numpy())

    def cost(self, plate: Plate, delta_au: NDArray[np.floating], *, repeats: int = 7) -> CostScores | None:
        """Median time of one edit with the picture's conversions, and its FLOPs; None for doing nothing."""
        if self.editor is None:
            return None
        plate = plate.resized(self.crop_px)
        with FlopCounterMode(display=False) as counter:  # the first run, which is also the slow one
            self.edit([plate], delta_au[None])
        times = []
        for _ in range(repeats):
            started = time.perf_counter()
            self.edit([plate], delta_au[None])
            times.append(time.perf_counter() - started)
        return CostScores(
            milliseconds=1000 * statistics.median(times),
            gflops=counter.get_total_flops() / 1e9,
            parameters=sum(parameter.numel() for parameter in self.editor.parameters()),
            threads=torch.get_num_threads(),
            device=str(self.editor.projection.device),
        )

    def save(self, path: Path) -> None:
        """Writes it as a checkpoint, for the main job to use."""
        assert self.editor is not None
        assert self.crop is not None
        save_checkpoint(
            path,
            self.editor.generator,
            crop=self.crop,
            au_source=self.au_source,
            action_units=self.editor.action_units,
            condition=self.editor.condition,
        )


def nothing(crop_px: int) -> Method:
    """The plates as they are."""
    return Method(NOTHING_LABEL, "nothing", crop_px, is_reference=True)


def methods_of(
    checkpoints: Mapping[str, tuple[Path, Checkpoint]],
    *,
    dataset_crop: CropSpec,
    device: torch.device,
    packaged: Checkpoint | None = None,
) -> list[Method]:
    """Doing nothing, each distinct geometry's linear warp alone, and the checkpoints, in that order.

    A checkpoint that is a warp alone stands for itself. Where no checkpoint has a geometry, that of `packaged` is
    the warp, so that there is something to compare with.

    Raises:
        CheckpointError: a checkpoint's crops cannot be made from the dataset's.
    """
    networks = [
        _network(label, path, checkpoint, dataset_crop, device)
        for label, (path, checkpoint) in checkpoints.items()
    ]
    warps = _distinct(method for method in networks if _geometry(method) is not None)
    if not warps and packaged is not None and (known := _packaged(packaged, dataset_crop, device)) is not None:
        warps = [known]
    own = {id(method) for method in networks if method.kind == "warp"}
    added = [_warp_of(method, alone=len(warps) == 1) for method in warps if id(method) not in own]
    return [nothing(dataset_crop.size_px), *added, *networks]


def _network(
    label: str, path: Path, checkpoint: Checkpoint, dataset_crop: CropSpec, device: torch.device
) -> Method:
    crop = checkpoint.crop
    if dataclasses.replace(crop, size_px=dataset_crop.size_px) != dataset_crop:
        raise CheckpointError(
            f"{path} places faces otherwise in its crops ({_placing(crop)}) than the dataset "
            f"({_placing(dataset_crop)}); prepare a dataset at its crop spec"
        )
    if crop.size_px > dataset_crop.size_px:
        raise CheckpointError(
            f"{path} needs {crop.size_px} px crops, the dataset's are {dataset_crop.size_px} px; prepare one with "
            f"crops of {crop.size_px} px"
        )
    editor = checkpoint.build_editor().to(device)
    kind: Kind = "network" if editor.paints else "warp"
    return Method(label, kind, crop.size_px, editor, path, crop, checkpoint.au_source)


def _warp_of(method: Method, *, alone: bool) -> Method:
    """The linear part of the method's geometry, without its networks."""
    geometry = _geometry(method)
    assert geometry is not None
    assert method.editor is not None
    generator = Generator(GeneratorConfig(width=0, crop_px=method.crop_px), geometry.linear)
    label = WARP_LABEL if alone else f"{WARP_LABEL} ({method.label})"
    editor = Editor(generator).to(method.editor.projection.device).eval()
    return dataclasses.replace(method, label=label, kind="warp", editor=editor, is_reference=True)


def packaged_geometry(checkpoints: Iterable[Checkpoint]) -> Checkpoint | None:
    """The checkpoint that comes with the package, where none of these has a geometry to compare with."""
    path = default_checkpoint_path()
    has_geometry = any(_moves(checkpoint.generator_config) for checkpoint in checkpoints)
    return None if has_geometry or not path.is_file() else load_checkpoint(path)


def _moves(config: object) -> bool:
    return isinstance(config, GeneratorConfig) and config.head == "motion"


def _packaged(checkpoint: Checkpoint, dataset_crop: CropSpec, device: torch.device) -> Method | None:
    """The geometry that comes with the package, at the dataset's size: it does not depend on the crop."""
    geometry = checkpoint.build_editor().generator.geometry
    size_px = dataset_crop.size_px
    if geometry is None or size_px % GeneratorConfig().granularity_px:
        return None
    editor = Editor(Generator(GeneratorConfig(width=0, crop_px=size_px), geometry.linear)).to(device).eval()
    path = default_checkpoint_path()
    return Method(WARP_LABEL, "warp", size_px, editor, path, dataset_crop, checkpoint.au_source)


def _distinct(methods: Iterable[Method]) -> list[Method]:
    """One method for each different geometry and crop size; one that is a warp alone is preferred."""
    kept: list[Method] = []
    for method in sorted(methods, key=lambda m: m.kind != "warp"):
        if not any(_same_geometry(method, other) for other in kept):
            kept.append(method)
    return kept


def _same_geometry(one: Method, other: Method) -> bool:
    a, b = _geometry(one), _geometry(other)
    assert a is not None
    assert b is not None
    return one.crop_px == other.crop_px and torch.equal(a.weight, b.weight)


def _geometry(method: Method) -> GeometryModel | None:
    return method.editor.geometry if method.editor else None


def _placing(crop: CropSpec) -> str:
    return f"eyes {crop.eye_distance_fraction:g} apart at height {crop.eyes_y_fraction:g}"
