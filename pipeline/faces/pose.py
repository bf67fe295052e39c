"""Where a head is and how it is turned, from its landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from retarget.model.mesh import STABLE

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeadPose:
    """Weak-perspective pose: landmarks = scale_px * rotation @ canonical + center."""

    scale_px: float
    """Display pixels per canonical unit (the distance of the outer eye corners)."""
    rotation: NDArray[np.float64]
    """(3, 3) canonical -> display axes (x right, y down, z away)."""
    center: NDArray[np.float64]
    """(3,) where the canonical origin (the middle of the stable landmarks) lies, in display pixels."""
    residual: float
    """RMS misfit of the stable landmarks in canonical units; about 0.02 on a well-tracked face."""

    @property
    def roll_radians(self) -> float:
        """In-plane turn; positive is clockwise in the picture."""
        return float(np.arctan2(self.rotation[1, 0], self.rotation[0, 0]))

    def canonical(self, landmarks: NDArray[np.floating]) -> Points:
        """Landmarks (478, 3) brought to the canonical frame."""
        return ((landmarks - self.center) @ self.rotation) / self.scale_px


@cache
def canonical_face() -> Points:
    """(478, 3) float64 mean face: symmetric, front-facing, outer eye corners 1 apart, y down, z away.

    The origin is the middle of the stable landmarks. Robust Procrustes mean over
    the frames that `expression` takes its ranges from.
    """
    with resources.files(__package__).joinpath("canonical_face.npy").open("rb") as file:
        return np.load(file, allow_pickle=False).astype(np.float64)


@cache
def mesh_triangles() -> NDArray[np.int64]:
    """(852, 3) int64 landmark indices: MediaPipe's tessellation of the skin, with holes for mouth and eyes."""
    with resources.files(__package__).joinpath("mesh_triangles.npy").open("rb") as file:
        return np.load(file, allow_pickle=False).astype(np.int64)


def head_pose(landmarks: NDArray[np.floating]) -> HeadPose:
    """Least-squares pose of landmarks (478, 3) display px over the stable ones (Umeyama 1991)."""
    seen, canonical = np.asarray(landmarks, np.float64)[list(STABLE)], canonical_face()[list(STABLE)]
    center, canonical_center = seen.mean(0), canonical.mean(0)
    a, b = seen - center, canonical - canonical_center
    u, singular, vt = np.linalg.svd(a.T @ b)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])  # a rotation, never a reflection
    rotation = u @ (sign[:, None] * vt)
    scale = float((singular * sign).sum() / (b**2).sum())
    misfit = a - scale * b @ rotation.T
    residual = float(np.sqrt((misfit**2).sum(1).mean())) / max(scale, 1e-9)
    return HeadPose(scale, rotation, center - scale * rotation @ canonical_center, residual)
