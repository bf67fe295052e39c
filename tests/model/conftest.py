"""Drawn faces whose mouths open and shut, for the tests of the geometry."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from retarget.model import action_units
from retarget.model.geometry import GeometryModel
from retarget.model.mesh import LANDMARKS, MOUTH
from retarget.pipeline.faces import canonical_face

SIZE = 128
CENTER = (64.0, 55.0)
SCALE = 50.0

Make = Callable[..., GeometryModel]


def tensor(array: Any) -> Tensor:
    return torch.tensor(np.asarray(array), dtype=torch.float32)


def units(**values: float) -> Tensor:
    out = torch.zeros(1, action_units.COUNT)
    for name, value in values.items():
        out[0, list(action_units.resolve(name))] = value
    return out


def grid(size: int = SIZE) -> Tensor:
    """(2, S, S) pixel centres, x then y."""
    axis = torch.arange(size) + 0.5
    return torch.stack([axis[None].expand(size, size), axis[:, None].expand(size, size)])


@pytest.fixture
def face(place_face: Any) -> Tensor:
    """(1, 478, 3) front-facing, 50 px between the eyes, in a 128 px crop."""
    return torch.tensor(place_face(CENTER, SCALE), dtype=torch.float32)[None]


@pytest.fixture(scope="session")
def shape_with_gap() -> Callable[[float], Any]:
    """The mean face with inner lips parallel and so many canonical units apart in the middle."""

    def shape_with(gap: float) -> Any:
        shape = canonical_face().copy()
        (upper, lower) = (list(chain) for chain in MOUTH)
        seam = (shape[upper] + shape[lower]) / 2
        arch = np.sin(np.linspace(0, np.pi, len(upper)))[:, None] * (0, gap / 2, 0)
        shape[upper], shape[lower] = seam - arch, seam + arch
        return shape

    return shape_with


def jaw_weights(points: Any) -> Any:
    """(478,) how far each point of a front-facing face goes with the jaw: an arch between the mouth's corners."""
    upper, lower = (list(chain) for chain in MOUTH)
    corner = points[upper[0]], points[upper[-1]]
    along = np.clip((points[:, 0] - corner[0][0]) / (corner[1][0] - corner[0][0]), 0, 1)
    seam = (points[upper] + points[lower]) / 2
    below = points[:, 1] > np.interp(points[:, 0], seam[:, 0], seam[:, 1])
    below[upper], below[lower] = False, True
    return below * np.sin(np.pi * along)


@pytest.fixture(scope="session")
def drop_jaw() -> Callable[[Any], Any]:
    """Canonical landmarks -> motion: the lower lip and all below it go down by up to 0.2."""
    return lambda canonical: jaw_weights(canonical)[:, None] * (0, 0.2, 0)


@pytest.fixture(scope="session")
def open_mouth() -> Callable[[Tensor, float], Tensor]:
    """`open_mouth(face, by_px)` -> displacement: the lower lip and the chin down, in an arch."""

    def opened(face: Tensor, by_px: float) -> Tensor:
        shift = torch.zeros(1, LANDMARKS, 2)
        shift[0, :, 1] = by_px * torch.tensor(jaw_weights(face[0].double().numpy()), dtype=torch.float32)
        return shift

    return opened


@pytest.fixture(scope="session")
def inside() -> Callable[..., np.ndarray]:
    """`inside(polygon)` -> (S, S) bool, by ray casting: which pixel centres lie in a polygon (n, 2)."""

    def within(polygon: np.ndarray, size: int = SIZE) -> np.ndarray:
        x, y = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
        out = np.zeros((size, size), bool)
        for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            crosses = (y0 > y) != (y1 > y)
            with np.errstate(divide="ignore", invalid="ignore"):
                out ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
        return out

    return within


@pytest.fixture(scope="session")
def away_from() -> Callable[..., Tensor]:
    """`away_from(mask, px)` -> (S, S) bool: pixels that far from any of the mask's."""

    def away(mask: Tensor, px: int = 2) -> Tensor:
        near = torch.nn.functional.max_pool2d(mask.float()[None], 2 * px + 1, stride=1, padding=px)[0]
        return near == 0

    return away
