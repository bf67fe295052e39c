"""A geometry whose motion depends on the face: reader, response and perception, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from retarget.model import action_units
from retarget.model.editor import Editor
from retarget.model.errors import RetargetError
from retarget.model.geometry import GeometryModel
from retarget.model.response import FaceResponse, ResponseConfig
from retarget.pipeline.stream import Progress

from ..data import Dataset
from ..metrics import Meter
from .faces import Faces, usable_rows
from .perception import measured_perception
from .reader import Reader, fit_reader
from .response import DROPOUT, READ_WEIGHT, SPREAD_WEIGHT, fit_response


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

    Args:
        editor: of a checkpoint with a geometry; on the CPU.
        meter: what sees action units in a crop; `CropMeter` is the pipeline's own.
        steps: of training, for the reader and for each response.
        edits: to measure, about 0.2 s each; 0: believe that the tracker sees every motion.

    Raises:
        RetargetError: those to learn from or those set aside have no clips, or too few faces; before anything is
            fitted.
    """
    generator = editor.generator
    assert generator.geometry is not None
    linear = generator.geometry.linear
    faces = Faces.of(dataset, linear, usable_rows(dataset, is_eval=False), seed=seed)
    check_enough(dataset, faces)
    others = evaluated_faces(dataset, linear)
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
    found |= scores(others, geometry, reader, seen, seed=seed)
    return geometry, {
        "command": "fit-response", "steps": steps, "edits": edits, "read_weight": READ_WEIGHT,
        "spread_weight": SPREAD_WEIGHT, "dropout": DROPOUT, "scores": found,
    }  # fmt: skip


def check_enough(dataset: Dataset, faces: Faces) -> None:
    """
    Raises:
        RetargetError: there are fewer faces than directions that a response tells them apart by.
    """
    fewest = ResponseConfig.shape_count
    if len(faces.rows) < fewest:
        raise RetargetError(
            f"{dataset.folder}: {len(faces.rows)} usable, frontal faces to learn from, and a response needs "
            f"{fewest} at least; add clips"
        )


def evaluated_faces(dataset: Dataset, linear: GeometryModel) -> Faces:
    """The faces of the people set aside, by which a response is judged.

    Raises:
        RetargetError: there are none, or none in clips.
    """
    rows = usable_rows(dataset, is_eval=True)
    try:
        return Faces.of(dataset, linear, rows)
    except RetargetError as error:
        people = len(np.unique(dataset.identity[rows]))
        raise RetargetError(
            f"{dataset.folder}: {people} people are set aside for evaluation, and none has two usable frames of a "
            "clip in similar, frontal pose, so nobody could tell whether a response is any good; prepare it anew "
            "(which sets people in clips aside), or name them in a list with a column split"
        ) from error


def is_worse(found: Mapping[str, float]) -> bool:
    """Whether, of `scores`, a response does worse than no response: on true motions, or on what is read."""
    return found["pairs_r2"] < found["pairs_r2_linear"] or found["reads"] > found["reads_linear"]


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
