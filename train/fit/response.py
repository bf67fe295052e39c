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
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from retarget.model import action_units
from retarget.model.editor import Editor
from retarget.model.errors import RetargetError
from retarget.model.generator import Generator, compose
from retarget.model.geometry import LANDMARKS, GeometryModel
from retarget.model.images import from_model, to_model
from retarget.model.response import FaceResponse, ResponseConfig

from ..data import Dataset
from ..evaluation import Progress, relative
from ..metrics import Meter
from .calibrate import trials_of
from .linear import (
    MAX_PITCH_DEGREES,
    MAX_YAW_DEGREES,
    Moments,
    canonical_landmarks,
    fit_weight,
    pose_groups,
)

READ_WEIGHT = 1.0
"""Of the squared distance of what the reader reads to what was asked, against the mean square of the motion of
pairs, relative to its power."""

SPREAD_WEIGHT = 0.02
"""Of the mean square of the motion in standard deviations of true motions."""

DROPOUT = 0.2
JITTER = 0.003
"""Canonical units: noise on landmarks, so that no network listens to a tracker's noise."""

LEARNING_RATE, WEIGHT_DECAY = 1e-3, 1e-2
BATCH = 256
PARTNERS = 8
"""Frames of its clip that a frame is paired with."""

WITHOUT_GAZE_SHARE = 0.7
"""Of requests: the main job leaves the gaze alone unless told."""

SPARSE_SHARE = 0.35
"""Of requests that ask for a few action units only, as a keyframe does."""

GAINS = (0.8, 1.5)
"""Perception is measured on requests made smaller and larger by up to this."""

PRIOR_PERCEPTION, PERCEPTION_RIDGE = 0.8, 100.0
"""Where few edits say how much of a direction is seen: this much, and how many edits that is worth."""


def fit_motion(
    editor: Editor,
    dataset: Dataset,
    meter: Meter,
    *,
    steps: int,
    edits: int,
    seed: int = 0,
    progress: Progress[int],
) -> tuple[GeometryModel, dict[str, Any]]:
    """The editor's linear geometry with a response, and how it was made, for provenance.

    With `edits`, a first response is put into the editor, its edits are measured, and a second one is fitted to
    what the tracker sees of them. The editor keeps the first.

    Raises:
        RetargetError: the dataset has no clips, or too few faces.
    """
    generator = editor.generator
    assert isinstance(generator, Generator)
    assert generator.geometry is not None
    linear = generator.geometry.linear
    faces = Faces.of(dataset, linear, usable_rows(dataset, is_eval=False), seed=seed)
    reader = fit_reader(faces, steps=steps, seed=seed, progress=progress)
    geometry = _joined(linear, fit_response(faces, linear, reader, steps=steps, seed=seed, progress=progress))
    seen, found = None, dict[str, float]()
    if edits:
        generator.geometry = geometry
        seen, found["perception_r2"] = measured_perception(
            editor, dataset, meter, edits=edits, seed=seed, progress=progress
        )
        second = fit_response(faces, linear, reader, perception=seen, steps=steps, seed=seed, progress=progress)
        geometry = _joined(linear, second)
    others = usable_rows(dataset, is_eval=True)
    if len(others):
        found |= scores(Faces.of(dataset, linear, others), geometry, reader, seen, seed=seed)
    return geometry, {
        "command": "fit-response", "steps": steps, "edits": edits, "read_weight": READ_WEIGHT,
        "spread_weight": SPREAD_WEIGHT, "dropout": DROPOUT, "scores": found,
    }  # fmt: skip


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
        shape = np.concatenate([canonical_landmarks(geometry, dataset.landmarks[part]) for part in _parts(rows)])
        _, person, count = np.unique(dataset.identity[rows], return_inverse=True, return_counts=True)
        first, second, weight = _pairs(dataset, rows, np.random.default_rng([seed, 0]))
        if not len(first):
            raise RetargetError(
                f"{dataset.folder}: no clip has two usable frames of similar, frontal pose; prepare videos, or "
                "pictures named NAME--VIDEO--FRAME"
            )
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


class Reader(nn.Module):
    """Canonical landmarks (B, 478, 3) -> the action units (B, C) that the tracker would read from them."""

    def __init__(self, shape: Tensor, *, width: int = 256) -> None:
        super().__init__()
        self.register_buffer("mean", shape.mean(0))
        self.register_buffer("spread", shape.std(0) + 1e-3)
        self.layers = nn.Sequential(
            nn.Linear(3 * LANDMARKS, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, action_units.COUNT),
        )  # fmt: skip

    mean: Tensor
    spread: Tensor

    def forward(self, shape: Tensor) -> Tensor:
        units: Tensor = self.layers(((shape - self.mean) / self.spread).flatten(1))
        return units


def fit_reader(faces: Faces, *, steps: int, seed: int = 0, progress: Progress[int]) -> Reader:
    """A reader that has learned the tracker on those faces."""
    torch.manual_seed(seed)
    reader, rng = Reader(faces.shape), np.random.default_rng([seed, 1])
    optimiser = torch.optim.AdamW(reader.parameters(), LEARNING_RATE, weight_decay=1e-3)
    for step in progress(range(steps), "reader", steps):
        _slow_down(optimiser, step, steps)
        at = rng.integers(len(faces.rows), size=BATCH)
        loss = F.mse_loss(reader(_jittered(faces.shape[at], 0.002)), faces.units[at])
        _take_step(optimiser, loss)
    return reader.requires_grad_(False).eval()


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
        _slow_down(optimiser, step, steps)
        pair, request = _pair_batch(faces, rng), _request_batch(faces, rng)
        if step % 2:
            pair, request = pair.mirrored(mirror), request.mirrored(mirror)
        loss = _pair_loss(response, geometry, pair) + _request_loss(
            response, geometry, reader, perception, request
        )
        _take_step(optimiser, loss)
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
    at = rng.choice(len(faces.first), BATCH, p=faces.pair_chance)
    first, second = faces.first[at], faces.second[at]
    return _Requests(faces.shape[first], faces.units[second] - faces.units[first], faces.shape[second])


def _request_batch(faces: Faces, rng: np.random.Generator) -> _Requests:
    """Anybody's expression asked of anybody; some of it only, or without the gaze, in part of them."""
    one, other = rng.choice(len(faces.rows), (2, BATCH), p=faces.chance)
    delta = (faces.units[other] - faces.units[one]).clamp(-1, 1)
    gaze = torch.zeros(action_units.COUNT, dtype=torch.bool)
    gaze[list(action_units.GAZE)] = True
    delta = delta.masked_fill(gaze & torch.from_numpy(rng.random((BATCH, 1)) < WITHOUT_GAZE_SHARE), 0)
    kept = rng.random((BATCH, action_units.COUNT)) < rng.random((BATCH, 1)) * 0.3
    kept |= kept[:, list(action_units.mirrored())]
    kept |= rng.random((BATCH, 1)) >= SPARSE_SHARE
    return _Requests(faces.shape[one], delta * torch.from_numpy(kept), faces.shape[one])


def _motion(response: FaceResponse, geometry: GeometryModel, shape: Tensor, delta_au: Tensor) -> Tensor:
    """(B, 478, 3) linear part and response, while it trains."""
    return geometry.canonical_motion(delta_au, shape) + response(
        delta_au, _jittered(shape, JITTER), dropout=DROPOUT
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
    shape = _jittered(batch.shape, JITTER)
    read = reader(shape + seen) - reader(shape)
    missed = (read - batch.delta_au).square().sum(1).mean()
    return READ_WEIGHT * missed + SPREAD_WEIGHT * along.square().mean()


def measured_perception(
    editor: Editor, dataset: Dataset, meter: Meter, *, edits: int, seed: int = 0, progress: Progress[int]
) -> tuple[Tensor, float]:
    """((K, K), R2): how motions, along the directions of the editor's response, are seen by the tracker.

    Edits training faces towards others' expressions, larger and smaller than asked, and measures them; R2 is of
    the motion seen, on the last fifth, with a map from the others.

    Raises:
        RetargetError: hardly a face is seen after its edit.
    """
    generator = editor.generator
    assert isinstance(generator, Generator)
    assert generator.geometry is not None
    assert generator.geometry.response is not None
    rng = np.random.default_rng([seed, 4])
    trials = trials_of(dataset, usable_rows(dataset, is_eval=False), edits, rng)
    made, seen = [], []
    for number in progress(range(len(trials)), "edits", len(trials)):
        found = _seen_motion(editor, generator.geometry, dataset, meter, trials[number], rng.uniform(*GAINS))
        if found is not None:
            made.append(found[0])
            seen.append(found[1])
    if len(made) < 20:
        raise RetargetError(f"{dataset.folder}: a face is seen in {len(made)} of {edits} edits; look at sheet.png")
    response = generator.geometry.response
    asked, got = (response.along(torch.cat(motions)) for motions in (made, seen))
    held = len(asked) - len(asked) // 5
    part = _ridge(asked[:held], got[:held])
    spread = response.motion_spread
    rest = ((asked[held:] @ part - got[held:]) * spread).square().sum() / (got[held:] * spread).square().sum()
    return _ridge(asked, got), 1 - float(rest)


@torch.no_grad()
def _seen_motion(
    editor: Editor,
    geometry: GeometryModel,
    dataset: Dataset,
    meter: Meter,
    trial: tuple[int, int],
    gain: float,
) -> tuple[Tensor, Tensor] | None:
    """Canonical motion (1, 478, 3) that an edit makes, and that the tracker sees; None for a lost face."""
    row, other = trial
    picture, points = dataset.image(row), np.array(dataset.landmarks[row], np.float32)
    before = meter.measure(picture, points)
    if before is None:
        return None
    delta = relative(before.action_units, dataset.action_units[other], gaze=False)
    delta_au, landmarks = torch.from_numpy(gain * delta)[None], torch.from_numpy(points)[None]
    displacement = geometry.displacement(delta_au, landmarks)
    image, own = to_model(picture[None]), torch.from_numpy(before.action_units)[None]
    edit = editor(image, own, delta_au.clamp(-1, 1), landmarks, displacement=displacement)
    after = meter.measure(np.asarray(from_model(compose(image, edit))[0].numpy(), np.uint8), points)
    if after is None:
        return None
    pose = geometry.pose(landmarks)
    shape = pose.canonical(landmarks)
    # The displacement is planar; its depth is what the model says before lips and lids are kept from crossing.
    moved = torch.einsum("bij,bkj->bki", pose.rotation, geometry.canonical_motion(delta_au, shape))
    moved = torch.cat([displacement, moved[..., 2:] * pose.scale[:, None, None]], -1)
    seen = torch.from_numpy(after.landmarks[None].astype(np.float32))
    return pose.canonical(landmarks + moved) - shape, geometry.pose(seen).canonical(seen) - shape


def scores(
    faces: Faces,
    geometry: GeometryModel,
    reader: Reader,
    perception: Tensor | None = None,
    *,
    count: int = 3000,
    seed: int = 0,
) -> dict[str, float]:
    """How a geometry does on faces it was not made from, rounded, for people and provenance.

    "pairs_r2": share of the motion of pairs that it explains; "reads": distance of what the reader reads to what
    was asked, over what was asked (strangers' expressions without gaze); "motion": mean size of those motions;
    each also "_linear", without the response.
    """
    rng, out = np.random.default_rng([seed, 5]), {}
    at = rng.choice(len(faces.first), count, p=faces.pair_chance)
    shape, true = faces.shape[faces.first[at]], faces.shape[faces.second[at]] - faces.shape[faces.first[at]]
    delta = faces.units[faces.second[at]] - faces.units[faces.first[at]]
    one, other = rng.choice(len(faces.rows), (2, count), p=faces.chance)
    asked = (faces.units[other] - faces.units[one]).clamp(-1, 1)
    asked[:, list(action_units.GAZE)] = 0
    response = geometry.response
    with torch.no_grad():
        for suffix, model in (("", geometry), ("_linear", geometry.linear)):
            moved = model.canonical_motion(delta, shape)
            stranger = seen = model.canonical_motion(asked, faces.shape[one])
            if perception is not None and response is not None:
                seen = response.composed(response.along(stranger) @ perception)
            read = reader(faces.shape[one] + seen) - reader(faces.shape[one])
            out[f"pairs_r2{suffix}"] = 1 - float((moved - true).square().sum() / true.square().sum())
            out[f"reads{suffix}"] = float((read - asked).norm(dim=1).mean() / asked.norm(dim=1).mean())
            out[f"motion{suffix}"] = float(stranger.flatten(1).norm(dim=1).mean())
    return {name: round(value, 4) for name, value in out.items()}


def _joined(linear: GeometryModel, response: FaceResponse) -> GeometryModel:
    return GeometryModel.from_fit(linear.weight, linear.mean_shape, linear.triangles, response)


# Their details -----------------------------------------------------------------------------------------


def _parts(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
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
    for part in _parts(np.arange(len(faces.first))):
        first, second = faces.first[part], faces.second[part]
        units = (faces.units[second] - faces.units[first]).double().numpy()
        motion = (faces.shape[second] - faces.shape[first]).flatten(1).double().numpy()
        total += Moments.of(root[part] * units, root[part] * motion)
    weight = fit_weight(total, geometry.mirror.numpy(), ridge=2.0)
    return torch.from_numpy(weight.astype(np.float32)).view(-1, LANDMARKS, 3)


def _ridge(asked: Tensor, got: Tensor) -> Tensor:
    """Least squares of `got` by `asked` (n, K), drawn towards PRIOR_PERCEPTION of it."""
    prior = PRIOR_PERCEPTION * torch.eye(asked.shape[1])
    gram = asked.T @ asked + PERCEPTION_RIDGE * torch.eye(asked.shape[1])
    return prior + torch.linalg.solve(gram, asked.T @ (got - asked @ prior))


def _jittered(shape: Tensor, size: float) -> Tensor:
    return shape + size * torch.randn_like(shape)


def _slow_down(optimiser: torch.optim.Optimizer, step: int, steps: int) -> None:
    for group in optimiser.param_groups:
        group["lr"] = LEARNING_RATE * (1 - step / (1.03 * steps))


def _take_step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
