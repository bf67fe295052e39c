"""The closed-form fit of the geometry model: relative action units -> landmark motion in the canonical frame.

Ridge regression over same-person differences: within each clip, action units and landmarks are taken from their
means over frames of similar head pose, so W sees nothing of who the person is. Every row also counts mirrored
(left and right swapped), so W is symmetric. All that a fit and its scores need are second moments, which are kept
per fold of people: cross-validation and leaving action units out cost a small linear solve each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.errors import RetargetError
from retarget.model.geometry import GeometryModel
from retarget.model.geometry import mirror_pairs as mirrored_landmarks
from retarget.model.mesh import LANDMARKS

from ..data import Dataset
from .groups import GROUPS, Group
from .moments import Matrix, Moments

RIDGE = 1.0

FOLDS = 5
"""Of people, for cross-validation."""

RESPONSE_GAIN = 1.3
"""What the fitted W is multiplied by in the model. Measured action units carry noise, so regression on them comes
out too small (dilution), and an edit by W alone reaches about half of what was asked. Of 1, 1.3 and 1.6 the
distance to the asked expression was least at 1.3 over nine edits of people outside the fit; against 1 it was less
in each of six edits of people in it."""

MAX_YAW_DEGREES, MAX_PITCH_DEGREES = 30.0, 25.0
POSE_SPREAD_DEGREES = 12.0
"""Frames further from their clip's median pose are left out: the mesh itself changes a little with pose."""
MIN_CLIP_FRAMES = 2
"""Two photos of one person in one setting are worth having: beside 97 clips, 358 pairs and triples of pictures
raised R^2 on long clips of unseen people from 0.646 to 0.651."""


@dataclass(frozen=True, eq=False)
class ClipRows:
    """The regression's rows of one clip."""

    identity: int
    units: Matrix
    """(n, C) action units relative to the clip's mean, weighted."""
    motion: Matrix
    """(n, 478 * 3) canonical landmarks likewise."""


@dataclass(frozen=True)
class GroupScore:
    """How well one part of the face is explained, on people outside the fit."""

    name: str
    r2: float
    """Share of the motion of the group's landmarks that all action units explain."""
    r2_without: float
    """The same, fitted without the group's own action units."""

    @property
    def drop(self) -> float:
        """What the group's own action units add."""
        return self.r2 - self.r2_without


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted W and how far it can be trusted."""

    weight: Matrix
    """(C, 478 * 3) canonical units per unit of each action unit; without the response gain."""
    people: int
    clips: int
    frames: int
    r2_fit: float
    """Share of the landmarks' motion that W explains on what it was fitted to."""
    r2_unseen_people: float
    """The same on people left out of the fit, over all folds."""
    groups: tuple[GroupScore, ...]

    def scores(self) -> dict[str, int | float | dict[str, dict[str, float]]]:
        """For a checkpoint's provenance: plain, rounded."""
        return {
            "people": self.people,
            "clips": self.clips,
            "frames": self.frames,
            "response_gain": RESPONSE_GAIN,
            "r2_fit": round(self.r2_fit, 4),
            "r2_unseen_people": round(self.r2_unseen_people, 4),
            "groups": {g.name: {"r2": round(g.r2, 4), "drop": round(g.drop, 4)} for g in self.groups},
        }

    def table(self) -> str:
        """The groups' scores as lines of text."""
        lines = [f"{'on unseen people':<18}{'R2':>7}{'without its AUs':>18}"]
        lines += [f"{g.name:<18}{g.r2:>7.3f}{g.r2_without:>18.3f}" for g in self.groups]
        return "\n".join([*lines, f"{'all landmarks':<18}{self.r2_unseen_people:>7.3f}"])


def fit_geometry(dataset: Dataset, mean_shape: Matrix) -> Fit:
    """Fits W to the usable training rows of a dataset, in closed form, and cross-validates it over people.

    `mean_shape` (478, 3) is the canonical face, in canonical units.

    Raises:
        RetargetError: no clip has enough frames of similar pose, or all are of one person.
    """
    mirror = mirror_pairs(mean_shape)
    clips = list(_counted(clip_rows(dataset, mean_shape)))
    people = sorted({identity for identity, _, _ in clips})
    if len(people) < 2:
        raise RetargetError(
            f"{dataset.folder}: cross-validation needs at least two people with clips; add clips of others"
        )
    fold_of = {person: i % FOLDS for i, person in enumerate(people)}
    folds = [Moments.nothing() for _ in range(min(FOLDS, len(people)))]
    for identity, _, moments in clips:
        folds[fold_of[identity]] += moments
    weight, total = fit_weight(_sum(folds), mirror), _sum(folds)
    return Fit(
        weight=weight,
        people=len(people),
        clips=len(clips),
        frames=sum(frames for _, frames, _ in clips),
        r2_fit=explained(total, weight),
        r2_unseen_people=cross_validated(folds, mirror),
        groups=tuple(_score(group, folds, mirror) for group in GROUPS),
    )


def clip_rows(dataset: Dataset, mean_shape: Matrix) -> Iterator[ClipRows]:
    """Same-clip, similar-pose differences of the usable training rows, weighted so that clips count alike.

    Raises:
        RetargetError: no clip has enough frames of similar pose.
    """
    poser = GeometryModel.from_fit(
        torch.zeros(1, LANDMARKS, 3), torch.from_numpy(mean_shape.astype(np.float32)), torch.zeros(1, 3).long()
    )
    usable = dataset.usable & ~dataset.is_eval
    usable &= (np.abs(dataset.angles[:, :2]) < (MAX_YAW_DEGREES, MAX_PITCH_DEGREES)).all(axis=1)
    if usable.any():
        usable &= dataset.residual <= np.quantile(dataset.residual[usable], 0.99)
    found = False
    for rows in pose_groups(dataset, np.flatnonzero(usable)):
        found = True
        weight = len(rows) ** -0.25  # squared errors then count by the root of a clip's length
        shapes = canonical_landmarks(poser, dataset.landmarks[rows]).reshape(len(rows), -1)
        units = _centred(dataset.action_units[rows].astype(np.float64))
        yield ClipRows(int(dataset.identity[rows[0]]), weight * units, weight * _centred(shapes))
    if not found:
        raise RetargetError(
            f"{dataset.folder}: no clip has {MIN_CLIP_FRAMES} usable training frames of similar, frontal pose; "
            "prepare videos, or pictures named NAME--VIDEO--FRAME"
        )


def pose_groups(dataset: Dataset, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """For each clip those of the rows that are of similar pose, where there are MIN_CLIP_FRAMES or more."""
    if not len(rows):
        return
    in_order = rows[np.argsort(dataset.clip[rows], kind="stable")]
    for group in np.split(in_order, np.flatnonzero(np.diff(dataset.clip[in_order])) + 1):
        close = _of_similar_pose(group, dataset.angles)
        if len(close) >= MIN_CLIP_FRAMES:
            yield close


def canonical_landmarks(poser: GeometryModel, landmarks: NDArray[np.floating]) -> Matrix:
    """Landmarks (n, 478, 3) of any pose in the canonical frame of the model's mean shape."""
    points = torch.from_numpy(np.array(landmarks, np.float64))
    return poser.pose(points).canonical(points).numpy()


def fit_weight(
    moments: Moments, mirror: NDArray[np.int64], *, ridge: float = RIDGE, without: Sequence[int] = ()
) -> Matrix:
    """W (C, 478 * 3), canonical units per unit of each action unit; 0 in the rows `without`."""
    both = moments + moments.mirrored(mirror)
    kept = np.setdiff1d(np.arange(action_units.COUNT), np.array(without, np.int64))
    weight = np.zeros_like(both.cross)
    gram = both.gram[np.ix_(kept, kept)] + ridge * np.eye(len(kept))
    weight[kept] = np.linalg.solve(gram, both.cross[kept])
    return weight


def explained(moments: Moments, weight: Matrix, coordinates: NDArray[np.int64] | None = None) -> float:
    """R^2: the share of the landmarks' motion (at those coordinates) that W explains."""
    at = slice(None) if coordinates is None else coordinates
    total = float(moments.power[at].sum())
    return 1 - _rest(moments, weight[:, at], at) / max(total, 1e-12)


def cross_validated(
    folds: Sequence[Moments],
    mirror: NDArray[np.int64],
    *,
    without: Sequence[int] = (),
    coordinates: NDArray[np.int64] | None = None,
) -> float:
    """R^2 on people that were left out of the fit, over all folds."""
    at = slice(None) if coordinates is None else coordinates
    total, rest, everyone = 0.0, 0.0, _sum(folds)
    for held in folds:
        others = Moments(everyone.gram - held.gram, everyone.cross - held.cross, everyone.power - held.power)
        weight = fit_weight(others, mirror, without=without)
        rest += _rest(held, weight[:, at], at)
        total += float(held.power[at].sum())
    return 1 - rest / max(total, 1e-12)


def mirror_pairs(mean_shape: Matrix) -> NDArray[np.int64]:
    """(478,) for each landmark the one that is its mirror image in a symmetric mean shape (478, 3)."""
    return np.asarray(mirrored_landmarks(torch.from_numpy(mean_shape)).numpy(), np.int64)


def geometry_model(weight: Matrix, mean_shape: Matrix, triangles: NDArray[np.int64]) -> GeometryModel:
    """The model for a checkpoint, from W (C, 478 * 3), the mean shape (478, 3) and the skin's triangles (T, 3).

    W is multiplied by RESPONSE_GAIN.
    """
    return GeometryModel.from_fit(
        torch.from_numpy((RESPONSE_GAIN * weight).reshape(-1, LANDMARKS, 3).astype(np.float32)),
        torch.from_numpy(mean_shape.astype(np.float32)),
        torch.from_numpy(triangles),
    )


def _counted(clips: Iterator[ClipRows]) -> Iterator[tuple[int, int, Moments]]:
    """(identity, frames, moments) of each clip, so that its rows need not be held."""
    return ((rows.identity, len(rows.units), Moments.of(rows.units, rows.motion)) for rows in clips)


def _score(group: Group, folds: Sequence[Moments], mirror: NDArray[np.int64]) -> GroupScore:
    return GroupScore(
        group.name,
        cross_validated(folds, mirror, coordinates=group.coordinates),
        cross_validated(folds, mirror, coordinates=group.coordinates, without=group.entries),
    )


def _rest(moments: Moments, weight: Matrix, at: slice | NDArray[np.int64]) -> float:
    """The sum of squares of the motion that W (C, coordinates) leaves."""
    fitted = 2 * float((weight * moments.cross[:, at]).sum()) - float((weight * (moments.gram @ weight)).sum())
    return float(moments.power[at].sum()) - fitted


def _of_similar_pose(rows: NDArray[np.int64], angles: NDArray[np.float32]) -> NDArray[np.int64]:
    if not len(rows):
        return rows
    spread = np.abs(angles[rows, :2] - np.median(angles[rows, :2], axis=0))
    return rows[(spread < POSE_SPREAD_DEGREES).all(axis=1)]


def _centred(values: Matrix) -> Matrix:
    return values - values.mean(axis=0)


def _sum(folds: Sequence[Moments]) -> Moments:
    total = Moments.nothing()
    for fold in folds:
        total += fold
    return total
