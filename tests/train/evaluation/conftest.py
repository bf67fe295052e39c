"""A tiny evaluation: eight faces, a tracker that reads their colours, checkpoints that smile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from retarget.model import action_units
from retarget.model.checkpoint import save_checkpoint
from retarget.model.crop_spec import CropSpec
from retarget.model.ganimation import GanimationConfig, GanimationGenerator
from retarget.train.data import Dataset, person_marks
from retarget.train.evaluation import intervals
from retarget.train.evaluation.bench import Tools
from retarget.train.evaluation.options import EvaluateOptions

C, SIZE = action_units.COUNT, 64


@dataclass(frozen=True)
class Seen:
    action_units: np.ndarray
    landmarks: np.ndarray


class PatchMeter:
    """A face's action units from the picture: AU12 is the green of the crop's middle, AU26 that of its chin."""

    def __init__(self, *, blind: bool = False) -> None:
        self.blind = blind

    def measure(self, crop: np.ndarray, near: np.ndarray) -> Seen | None:
        if self.blind:
            return None
        size = len(crop)
        units = np.zeros(C, np.float32)
        units[list(action_units.resolve("AU12"))] = (
            crop[size // 3 : size // 2, size // 3 : size // 2, 1].mean() / 255
        )
        units[list(action_units.resolve("AU26"))] = (
            crop[size // 2 : -size // 4, size // 3 : size // 2, 1].mean() / 255
        )
        return Seen(units, np.asarray(near, np.float32))


class Raw(nn.Module):
    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        return [torch.cat([image, torch.ones_like(image[:, :1])], 1)]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals of few resamples: what is slow about them is how many there are."""
    monkeypatch.setattr(intervals, "RESAMPLES", 12)


@pytest.fixture
def quick() -> EvaluateOptions:
    """Little of everything."""
    return EvaluateOptions(faces=3, targets=2, pairs=2, sweep_faces=0, strips=1, worst=1, batch=3)


@pytest.fixture
def patch_meter() -> type[PatchMeter]:
    """The tracker's class."""
    return PatchMeter


@pytest.fixture
def tools() -> Tools:
    """That tracker, and features that are the picture itself."""
    missing = {"ACD": "not measured: install x", "IS": "not measured: no weights"}
    return Tools(PatchMeter(), perceptual=Raw(), missing=missing)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def dataset(tmp_path: Path, place_face: Callable[..., Any]) -> Dataset:
    """Eight faces of four people, two frames of a clip each; the last person is the training split."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "planted"
    (folder / "crops").mkdir(parents=True)
    n = 8
    files = tuple(f"crops/{i}.png" for i in range(n))
    for i, file in enumerate(files):
        picture = rng.integers(0, 90, (SIZE, SIZE, 3), np.uint8)
        picture[..., 1] = np.clip(picture[..., 1] + 160 * (i % 2), 0, 255)
        cv2.imwrite(str(folder / file), picture)
    person, zeros = np.arange(n) // 2, np.zeros(n, np.float32)
    units = np.zeros((n, C), np.float32)
    units[:, list(action_units.resolve("AU12"))] = (np.arange(n) % 2)[:, None]
    return Dataset(
        folder=folder,
        crop=CropSpec(size_px=SIZE),
        au_source="test",
        files=files,
        identities=("ann", "bob", "cec", "dan"),
        identity=person,
        clips=("a", "b", "c", "d"),
        clip=person,
        frame=np.arange(n) % 2,
        seconds=np.arange(n) / 25,
        is_eval=person < 3,
        action_units=units,
        known=np.ones(C, bool),
        angles=np.zeros((n, 3), np.float32),
        residual=zeros,
        face_px=zeros + 200,
        sharpness=zeros,
        flags={"blurred": np.zeros(n, bool)},
        landmarks=np.repeat(place_face((32, 26), 22)[None].astype(np.float32), n, 0),
    )


def _smile(canonical: Any) -> Any:
    out = np.zeros_like(canonical)
    out[[61, 291, 146, 375, 185, 409], 1] = -0.1
    return out


@pytest.fixture
def saved(tmp_path: Path, make_checkpoint: Callable[..., Any]) -> Callable[..., Path]:
    """`saved(name, width, provenance)` writes a checkpoint whose geometry smiles."""

    def make(name: str = "net", *, width: int = 2, provenance: dict[str, Any] | None = None) -> Path:
        checkpoint = make_checkpoint({"AU12": _smile}, width=width)
        path = tmp_path / f"{name}.safetensors"
        generator = checkpoint.build_editor().generator
        save_checkpoint(
            path, generator, crop=CropSpec(size_px=SIZE), au_source="test", provenance=provenance or {}
        )
        return path

    return make


@pytest.fixture
def gan(tmp_path: Path) -> Path:
    """An untrained network of half the size with OpenFace's action units, absolute."""
    torch.manual_seed(0)
    names = action_units.OPENFACE_NAMES
    generator = GanimationGenerator(
        GanimationConfig(width=2, residual_blocks=0, au_count=len(names), crop_px=SIZE // 2)
    )
    path = tmp_path / "gan.safetensors"
    save_checkpoint(
        path,
        generator,
        crop=CropSpec(size_px=SIZE // 2),
        au_source="test",
        action_units=names,
        condition="absolute",
        provenance={"data": {"people": person_marks(["dan"])}},
    )
    return path
