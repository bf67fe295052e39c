"""How much of a motion the tracker sees in an edited picture, measured."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from retarget.model.editor import Editor
from retarget.model.errors import RetargetError
from retarget.model.generator import EditInput, compose
from retarget.model.geometry import GeometryModel
from retarget.model.images import from_model, to_model
from retarget.pipeline.stream import Progress

from ..data import Dataset
from ..metrics import Meter, relative
from .calibrate import trials_of
from .faces import usable_rows

GAINS = (0.8, 1.5)
"""Perception is measured on requests made smaller and larger by up to this."""

PRIOR_PERCEPTION, PERCEPTION_RIDGE = 0.8, 100.0
"""Where few edits say how much of a direction is seen: this much, and how many edits that is worth."""


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
    edit = editor(EditInput(image, own, delta_au.clamp(-1, 1), landmarks, displacement))
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


def _ridge(asked: Tensor, got: Tensor) -> Tensor:
    """Least squares of `got` by `asked` (n, K), drawn towards PRIOR_PERCEPTION of it."""
    prior = PRIOR_PERCEPTION * torch.eye(asked.shape[1])
    gram = asked.T @ asked + PERCEPTION_RIDGE * torch.eye(asked.shape[1])
    return prior + torch.linalg.solve(gram, asked.T @ (got - asked @ prior))
