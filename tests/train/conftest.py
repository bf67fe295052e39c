"""A dataset of drawn faces: small, known, and written by the same code as a real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec
from retarget.model.geometry import GeometryModel
from retarget.model.mesh import MOUTH
from retarget.pipeline.faces import alignment, apply, canonical_face, crop_matrix
from retarget.train.data import Dataset, open_dataset, save_dataset
from retarget.train.gan import FittedGeometry

JAW = action_units.resolve("AU26")[0]


def lower_face() -> np.ndarray:
    """(478,) bool: what a falling jaw takes along, lower lip and chin."""
    canonical = canonical_face()
    below = canonical[:, 1] > canonical[[13, 14], 1].mean()
    below[[*MOUTH[0], *MOUTH[1][:1], *MOUTH[1][-1:]]] = False
    return np.asarray(below | np.isin(np.arange(478), MOUTH[1][1:-1]))


def drawn_face(openness: float, tone: int, size_px: int, spec: CropSpec) -> tuple[np.ndarray, np.ndarray]:
    """A picture (S, S, 3) and its landmarks (478, 3) crop px: the mouth is as open as AU26 says."""
    face = canonical_face() * (100, 100, 100) + (200, 200, 0)
    face[lower_face(), 1] += 25 * openness
    landmarks = apply(crop_matrix(alignment(face), spec), face)
    picture = np.full((size_px, size_px, 3), tone, np.uint8)
    outline = np.concatenate([landmarks[list(MOUTH[0]), :2], landmarks[list(MOUTH[1][::-1]), :2]])
    cv2.fillPoly(picture, [np.round(outline).astype(np.int32)], (60, 10, 10))
    noise = np.random.default_rng(tone).integers(-1, 2, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8), landmarks.astype(np.float32)


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Dataset]:
    """A function that draws and opens a dataset of so many people with one clip each."""

    def make(
        *,
        people: int = 4,
        frames: int = 5,
        size_px: int = 64,
        evaluated: int = 0,
        name: str = "drawn",
        **changes: Any,
    ) -> Dataset:
        folder, spec = tmp_path / name, CropSpec(size_px=size_px)
        (folder / "crops").mkdir(parents=True)
        units, points, files = [], [], []
        for person in range(people):
            for frame in range(frames):
                openness = frame / max(frames - 1, 1)
                picture, landmarks = drawn_face(openness, 120 + 20 * person, size_px, spec)
                au = np.zeros(action_units.COUNT, np.float32)
                au[JAW] = openness
                files.append(f"crops/{person}-{frame}.png")
                cv2.imwrite(str(folder / files[-1]), picture[..., ::-1])
                units.append(au)
                points.append(landmarks)
        n = people * frames
        who = np.repeat(np.arange(people), frames)
        columns: dict[str, Any] = {
            "files": tuple(files),
            "identities": tuple(f"person {i}" for i in range(people)),
            "identity": who,
            "clips": tuple(f"clip {i}" for i in range(people)),
            "clip": who,
            "frame": np.tile(np.arange(frames), people),
            "seconds": np.tile(np.arange(frames) / 25, people),
            "is_eval": who >= people - evaluated,
            "action_units": np.stack(units),
            "known": np.ones(action_units.COUNT, np.bool_),
            "angles": np.zeros((n, 3), np.float32),
            "residual": np.full(n, 0.02, np.float32),
            "face_px": np.full(n, 200, np.float32),
            "sharpness": np.ones(n, np.float32),
            "flags": {"blurred": np.zeros(n, np.bool_)},
            "landmarks": np.stack(points),
            "au_source": "drawn",
        }
        save_dataset(Dataset(folder=folder, crop=spec, **(columns | changes)), {})
        return open_dataset(folder)

    return make


@pytest.fixture(scope="session")
def jaw_geometry(make_geometry: Callable[..., GeometryModel]) -> GeometryModel:
    """A geometry that opens the mouth with AU26."""

    def opened(p: np.ndarray) -> np.ndarray:
        move = np.zeros_like(p)
        move[lower_face(), 1] = 0.25
        return move

    return make_geometry({"AU26": opened})


@pytest.fixture(scope="session")
def drawn_geometry(jaw_geometry: GeometryModel) -> FittedGeometry:
    """The same, fitted to nobody."""
    return FittedGeometry(jaw_geometry, people=())


@pytest.fixture(scope="session")
def picture_of() -> Callable[[int], np.ndarray]:
    """The picture of a row of `six_crops`: one colour all over, another for each row."""
    return lambda row: np.full((32, 32, 3), (200, 10 * row, 60), np.uint8)


@pytest.fixture(scope="session")
def six_crops(picture_of: Callable[[int], np.ndarray]) -> Callable[[Path], Dataset]:
    """A folder -> six crops in it: Ann's clip of three, Bob's of two, and Cleo, who is for evaluation."""

    def make(folder: Path) -> Dataset:
        rng = np.random.default_rng(0)
        (folder / "crops").mkdir(parents=True)
        files = tuple(f"crops/{i}.png" for i in range(6))
        for i, file in enumerate(files):
            cv2.imwrite(str(folder / file), cv2.cvtColor(picture_of(i), cv2.COLOR_RGB2BGR))
        return Dataset(
            folder=folder,
            crop=CropSpec(size_px=32),
            au_source="test",
            files=files,
            identities=("Ann", "Bob", "Cleo"),
            identity=np.array([0, 0, 0, 1, 1, 2]),
            clips=("a", "b", "c"),
            clip=np.array([0, 0, 0, 1, 1, 2]),
            frame=np.array([0, 3, 6, 0, 1, 0]),
            seconds=np.array([0, 0.12, 0.24, 0, 0.04, 0]),
            is_eval=np.array([False] * 5 + [True]),
            action_units=rng.uniform(0, 1, (6, action_units.COUNT)).astype(np.float32),
            known=np.ones(action_units.COUNT, np.bool_),
            angles=rng.normal(0, 20, (6, 3)).astype(np.float32),
            residual=np.full(6, 0.02, np.float32),
            face_px=np.full(6, 151.5, np.float32),
            sharpness=np.full(6, 0.1, np.float32),
            flags={
                "blurred": np.array([0, 1, 0, 0, 0, 0], np.bool_),
                "gray": np.array([0, 0, 0, 0, 1, 0], np.bool_),
            },
            landmarks=rng.uniform(0, 32, (6, 478, 3)).astype(np.float32),
        )

    return make


@pytest.fixture
def saved(six_crops: Callable[[Path], Dataset], tmp_path: Path) -> Dataset:
    """`six_crops`, saved."""
    dataset = six_crops(tmp_path / "data")
    save_dataset(dataset, {"counts": {"crops": 6}})
    return dataset
