"""The faces that a response is learned from: canonical, with pairs of frames of one person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retarget.model.errors import RetargetError
from retarget.model.geometry import GeometryModel

from ..data import Dataset
from .linear import MAX_PITCH_DEGREES, MAX_YAW_DEGREES, canonical_landmarks, pose_groups

PARTNERS = 8
"""Frames of its clip that a frame is paired with."""


@dataclass(frozen=True, eq=False)
class Faces:
    """The usable, nearly frontal faces of a dataset's people, canonical."""

    rows: NDArray[np.int64]
    """(n,) of the dataset."""
    shape: Tensor
    """(n, 478, 3) canonical landmarks."""
    units: Tensor
    """(n, C)"""
    chance: NDArray[np.float64]
    """(n,) sums to 1: a person with k pictures weighs as sqrt(k)."""
    first: NDArray[np.int64]
    """(m,) with `second`: places in `rows` of pairs, frames of one clip in similar pose."""
    second: NDArray[np.int64]
    pair_chance: NDArray[np.float64]
    """(m,) sums to 1: a clip of k frames weighs as sqrt(k)."""

    @classmethod
    def of(cls, dataset: Dataset, geometry: GeometryModel, rows: NDArray[np.int64], *, seed: int = 0) -> Faces:
        """The faces in those rows of the dataset.

        Raises:
            RetargetError: no clip has two of them.
        """
        rows = np.sort(rows)
        first, second, weight = _pairs(dataset, rows, np.random.default_rng([seed, 0]))
        if not len(first):
            raise RetargetError(
                f"{dataset.folder}: no clip has two usable frames of similar, frontal pose; prepare videos, or "
                "pictures named NAME--VIDEO--FRAME"
            )
        shape = np.concatenate([canonical_landmarks(geometry, dataset.landmarks[part]) for part in parts_of(rows)])
        _, person, count = np.unique(dataset.identity[rows], return_inverse=True, return_counts=True)
        chance = count[person] ** -0.5
        return cls(
            rows,
            torch.from_numpy(shape.astype(np.float32)),
            torch.from_numpy(dataset.action_units[rows].astype(np.float32)),
            chance / chance.sum(),
            first,
            second,
            weight / weight.sum(),
        )


def usable_rows(dataset: Dataset, *, is_eval: bool) -> NDArray[np.int64]:
    """Rows of nearly frontal faces of one split."""
    frontal = (np.abs(dataset.angles[:, :2]) < (MAX_YAW_DEGREES, MAX_PITCH_DEGREES)).all(axis=1)
    return np.flatnonzero(dataset.usable & (dataset.is_eval == is_eval) & frontal)


def parts_of(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [part for part in np.array_split(rows, max(1, len(rows) // 1000)) if len(part)]


def _pairs(
    dataset: Dataset, rows: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    first, second, weight = list[int](), list[int](), list[float]()
    for group in pose_groups(dataset, rows):
        count = min(PARTNERS, len(group) - 1)
        places = np.searchsorted(rows, group)
        for place in places:
            partners = rng.choice(places[places != place], count, replace=False)
            first += [int(place)] * count
            second += [int(partner) for partner in partners]
            weight += [len(group) ** -0.5 / count] * count
    return np.array(first, np.int64), np.array(second, np.int64), np.array(weight, np.float64)
