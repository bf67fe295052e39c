"""A planted answer that depends on the face is found, and what a tracker does not see is made up for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch

from retarget.model import action_units
from retarget.model.errors import RetargetError
from retarget.model.geometry import GeometryModel
from retarget.model.mesh import LANDMARKS
from retarget.pipeline.faces import canonical_face
from retarget.train.fit import response as fitting
from retarget.train.fit.faces import Faces, usable_rows
from retarget.train.fit.motion import scores
from retarget.train.fit.reader import Reader, fit_reader
from retarget.train.fit.response import fit_response, initial_response

C = action_units.COUNT
JAW = action_units.resolve("AU26")[0]
PEOPLE, FRAMES = 60, 12


def silent(items: Iterable[int], label: str, total: int) -> Iterable[int]:
    return items


@pytest.fixture(scope="module")
def faces() -> Faces:
    """People who differ in width; the wider the face, the further AU26 moves its lower half: 0.5 to 1.5 times."""
    torch.manual_seed(0)
    mean = torch.tensor(canonical_face(), dtype=torch.float32)
    width = torch.linspace(-1, 1, PEOPLE).repeat_interleave(FRAMES)
    opened = torch.rand(PEOPLE * FRAMES)
    wide = torch.zeros(LANDMARKS, 3)
    wide[:, 0] = 0.1 * mean[:, 0]
    drop = torch.zeros(LANDMARKS, 3)
    drop[:, 1] = 0.3 * (mean[:, 1] > 0.4)
    shape = mean + width[:, None, None] * wide + (opened * (1 + 0.5 * width))[:, None, None] * drop
    units = torch.zeros(len(shape), C)
    units[:, JAW] = opened
    rows = np.arange(len(shape))
    first = rows.repeat(FRAMES - 1)
    second = np.concatenate([np.delete(np.arange(FRAMES), r % FRAMES) + r // FRAMES * FRAMES for r in rows])
    same = np.full(len(rows), 1 / len(rows))
    shape = shape + 0.002 * torch.randn(shape.shape)
    return Faces(rows, shape, units, same, first, second, np.full(len(first), 1 / len(first)))


@pytest.fixture(scope="module")
def reader(faces: Faces) -> Reader:
    return fit_reader(faces, steps=250, progress=silent)


@pytest.fixture(scope="module")
def still(make_geometry: Callable[..., GeometryModel]) -> GeometryModel:
    return make_geometry({})


def joined(geometry: GeometryModel, response: Any) -> GeometryModel:
    return GeometryModel.from_fit(geometry.weight, geometry.mean_shape, geometry.triangles, response)


def jaw_drop(geometry: GeometryModel, shape: torch.Tensor, *, by: float = 0.5) -> torch.Tensor:
    delta = torch.zeros(len(shape), C)
    delta[:, JAW] = by
    return geometry.canonical_motion(delta, shape)[:, 152, 1]


def test_it_begins_at_least_squares(faces: Faces, still: GeometryModel) -> None:
    geometry = joined(still, initial_response(faces, still))
    drop = jaw_drop(geometry, faces.shape[[0, -1]])
    torch.testing.assert_close(drop[0], drop[1])  # for everybody the same, and what the mean face does
    assert drop[0].item() == pytest.approx(0.15, abs=0.01)


def test_a_planted_answer_is_found(faces: Faces, reader: Reader, still: GeometryModel) -> None:
    assert (reader(faces.shape) - faces.units)[:, JAW].square().mean().sqrt() < 0.1
    geometry = joined(still, fit_response(faces, still, reader, steps=400, progress=silent))
    narrow, wide = jaw_drop(geometry, faces.shape[[0, -1]]).tolist()
    assert narrow == pytest.approx(0.075, abs=0.03)
    assert wide == pytest.approx(0.225, abs=0.03)
    flat = joined(still, initial_response(faces, still))
    found, least = (scores(faces, model, reader, count=500) for model in (geometry, flat))
    assert found["pairs_r2"] > least["pairs_r2"] + 0.03
    assert found["reads"] < least["reads"]
    assert (found["pairs_r2_linear"], found["motion_linear"]) == (0, 0)


def test_what_is_not_seen_is_made_up_for(
    faces: Faces, reader: Reader, still: GeometryModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "READ_WEIGHT", 30.0)  # what is read counts for more than how far it truly is
    half = 0.5 * torch.eye(initial_response(faces, still).config.motion_count)
    drops = [
        jaw_drop(
            joined(still, fit_response(faces, still, reader, perception=seen, steps=200, progress=silent)),
            faces.shape,
        ).mean()
        for seen in (None, half)
    ]
    assert drops[1] > 1.3 * drops[0]


def test_too_few_faces_are_refused(make_dataset: Callable[..., Any], still: GeometryModel) -> None:
    dataset = make_dataset(people=2, frames=4, size_px=64)
    faces = Faces.of(dataset, still, usable_rows(dataset, is_eval=False))
    with pytest.raises(RetargetError, match="too few to find 40 directions"):
        initial_response(faces, still)
