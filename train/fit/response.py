"""The response of a geometry model, learned: what a face does beyond the linear model (`model/response.py`).

Two things are wanted of the motion that a request makes. On frames of one person, that it is the motion to the
other frame. For anybody's expression asked of anybody, that the tracker then reads what was asked; and as what a
tracker reads is a function of the landmarks it finds, a small network learns that function from the dataset (the
*reader*) and stands in for it, with gradients. A motion far out in the spread of true motions is dear.

A tracker does not quite find the landmarks where an edit put them, above all brows: the picture around them tells
it otherwise. How much of a motion it finds is linear to a good part, and is measured on edits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from retarget.model import action_units
from retarget.model.errors import RetargetError
from retarget.model.geometry import GeometryModel
from retarget.model.mesh import LANDMARKS
from retarget.model.response import FaceResponse, ResponseConfig
from retarget.pipeline.stream import Progress

from . import descent
from .descent import LEARNING_RATE, jittered, slow_down, take_step
from .faces import Faces, parts_of
from .linear import fit_weight
from .moments import Moments
from .reader import Reader

READ_WEIGHT = 1.0
"""Of the squared distance of what the reader reads to what was asked, against the mean square of the motion of
pairs, relative to its power."""

SPREAD_WEIGHT = 0.02
"""Of the mean square of the motion in standard deviations of true motions."""

DROPOUT = 0.2
JITTER = 0.003
"""Canonical units: noise on landmarks, so that no network listens to a tracker's noise."""
WEIGHT_DECAY = 1e-2

WITHOUT_GAZE_SHARE = 0.7
"""Of requests: the main job leaves the gaze alone unless told."""

SPARSE_SHARE = 0.35
"""Of requests that ask for a few action units only, as a keyframe does."""


def initial_response(faces: Faces, geometry: GeometryModel, *, seed: int = 0) -> FaceResponse:
    """A response that knows how these faces differ and move, and as yet answers everybody alike: what, with the
    geometry's linear part, is the least-squares motion of pairs."""
    torch.manual_seed(seed)
    response = FaceResponse(ResponseConfig(au_count=action_units.COUNT))
    config, rng = response.config, np.random.default_rng([seed, 2])
    shapes = faces.shape[rng.choice(len(faces.rows), min(6000, len(faces.rows)))].flatten(1)
    at = rng.choice(len(faces.first), 8000, p=faces.pair_chance)
    motions = (faces.shape[faces.second[at]] - faces.shape[faces.first[at]]).flatten(1)
    mean = shapes.mean(0)
    for name, rows, count in (
        ("shape", shapes - mean, config.shape_count),
        ("motion", motions, config.motion_count),
    ):
        basis, spread = _directions(rows, count)
        getattr(response, f"{name}_basis").copy_(basis.view(count, LANDMARKS, 3))
        getattr(response, f"{name}_spread").copy_(spread)
    response.shape_mean.copy_(mean.view(LANDMARKS, 3))
    with torch.no_grad():
        linear = _least_squares(faces, geometry)
        response.direct.weight.copy_(response.along(linear - geometry.weight).T)
    return response


def fit_response(
    faces: Faces,
    geometry: GeometryModel,
    reader: Reader,
    *,
    perception: Tensor | None = None,
    steps: int,
    seed: int = 0,
    progress: Progress[int],
) -> FaceResponse:
    """A response to go with the geometry's linear part.

    Args:
        perception: (motion_count, motion_count), as `measured_perception` gives it; None: all of a motion is seen.
    """
    response = initial_response(faces, geometry, seed=seed)
    rng, mirror = np.random.default_rng([seed, 3]), geometry.mirror
    optimiser = torch.optim.AdamW(response.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for step in progress(range(steps), "response", steps):
        slow_down(optimiser, step, steps)
        pair, request = _pair_batch(faces, rng), _request_batch(faces, rng)
        if step % 2:
            pair, request = pair.mirrored(mirror), request.mirrored(mirror)
        loss = _pair_loss(response, geometry, pair) + _request_loss(
            response, geometry, reader, perception, request
        )
        take_step(optimiser, loss)
    return response.requires_grad_(False)


@dataclass(frozen=True, eq=False)
class _Requests:
    shape: Tensor
    """(B, 478, 3) canonical."""
    delta_au: Tensor
    """(B, C)"""
    target: Tensor
    """(B, 478, 3) the true target's shape, of pairs; their own for others."""

    def mirrored(self, mirror: Tensor) -> _Requests:
        side = self.shape.new_tensor([-1, 1, 1])
        shape, target = (points[:, mirror] * side for points in (self.shape, self.target))
        return _Requests(shape, self.delta_au[:, list(action_units.mirrored())], target)


def _pair_batch(faces: Faces, rng: np.random.Generator) -> _Requests:
    at = rng.choice(len(faces.first), descent.BATCH, p=faces.pair_chance)
    first, second = faces.first[at], faces.second[at]
    return _Requests(faces.shape[first], faces.units[second] - faces.units[first], faces.shape[second])


def _request_batch(faces: Faces, rng: np.random.Generator) -> _Requests:
    """Anybody's expression asked of anybody; some of it only, or without the gaze, in part of them."""
    one, other = rng.choice(len(faces.rows), (2, descent.BATCH), p=faces.chance)
    delta = (faces.units[other] - faces.units[one]).clamp(-1, 1)
    gaze = torch.zeros(action_units.COUNT, dtype=torch.bool)
    gaze[list(action_units.GAZE)] = True
    delta = delta.masked_fill(gaze & torch.from_numpy(rng.random((descent.BATCH, 1)) < WITHOUT_GAZE_SHARE), 0)
    kept = rng.random((descent.BATCH, action_units.COUNT)) < rng.random((descent.BATCH, 1)) * 0.3
    kept |= kept[:, list(action_units.mirrored())]
    kept |= rng.random((descent.BATCH, 1)) >= SPARSE_SHARE
    return _Requests(faces.shape[one], delta * torch.from_numpy(kept), faces.shape[one])


def _motion(response: FaceResponse, geometry: GeometryModel, shape: Tensor, delta_au: Tensor) -> Tensor:
    """(B, 478, 3) linear part and response, while it trains."""
    return geometry.canonical_motion(delta_au, shape) + response(
        delta_au, jittered(shape, JITTER), dropout=DROPOUT
    )


def _pair_loss(response: FaceResponse, geometry: GeometryModel, batch: _Requests) -> Tensor:
    true = batch.target - batch.shape
    rest = _motion(response, geometry, batch.shape, batch.delta_au) - true
    return rest.square().sum() / true.square().sum()


def _request_loss(
    response: FaceResponse,
    geometry: GeometryModel,
    reader: Reader,
    perception: Tensor | None,
    batch: _Requests,
) -> Tensor:
    motion = _motion(response, geometry, batch.shape, batch.delta_au)
    along = response.along(motion)
    seen = motion if perception is None else response.composed(along @ perception)
    shape = jittered(batch.shape, JITTER)
    read = reader(shape + seen) - reader(shape)
    missed = (read - batch.delta_au).square().sum(1).mean()
    return READ_WEIGHT * missed + SPREAD_WEIGHT * along.square().mean()


def _directions(rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """((count, n), (count,)): main directions of rows (m, n) and the root mean square along each."""
    if len(rows) < count:
        raise RetargetError(f"{len(rows)} faces or motions are too few to find {count} directions in; add clips")
    _, singular, basis = torch.linalg.svd(rows, full_matrices=False)
    return basis[:count], (singular[:count] / len(rows) ** 0.5).clamp(min=1e-6)


def _least_squares(faces: Faces, geometry: GeometryModel) -> Tensor:
    """(C, 478, 3): the motion of pairs by their action units, the same for left and right."""
    root = np.sqrt(faces.pair_chance * len(faces.first))[:, None]
    total = Moments.nothing()
    for part in parts_of(np.arange(len(faces.first))):
        first, second = faces.first[part], faces.second[part]
        units = (faces.units[second] - faces.units[first]).double().numpy()
        motion = (faces.shape[second] - faces.shape[first]).flatten(1).double().numpy()
        total += Moments.of(root[part] * units, root[part] * motion)
    weight = fit_weight(total, geometry.mirror.numpy(), ridge=2.0)
    return torch.from_numpy(weight.astype(np.float32)).view(-1, LANDMARKS, 3)
