"""Action units with gradients are the tracker's, to the letter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from retarget.model import action_units
from retarget.model.blendshapes import BLENDSHAPES
from retarget.pipeline.faces import canonical_face, head_pose
from retarget.pipeline.faces import expression as measures
from retarget.pipeline.faces.models import read_models
from retarget.pipeline.faces.networks import Networks
from retarget.train.metrics import Expression

Crops = list[tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def expression() -> Expression:
    return Expression()


@pytest.fixture(scope="module")
def landmarks(real_crops: Crops) -> Tensor:
    """(21, 478, 3): real faces, and the same with every landmark moved about, so that all ranges are left."""
    real = torch.from_numpy(np.stack([points for _, points in real_crops]))
    torch.manual_seed(0)
    return torch.cat([real, real + torch.randn(real.shape), real + 3 * torch.randn(real.shape)])


def test_they_are_those_of_the_tracker(expression: Expression, landmarks: Tensor) -> None:
    runner, values = Networks(read_models()), expression(landmarks).numpy()
    assert (values.min(), values.max()) == (0, 1)
    for points, found in zip(landmarks.double().numpy(), values, strict=True):
        shape = head_pose(points).canonical(points)
        np.testing.assert_allclose(
            found, measures.measure(shape, BLENDSHAPES, runner.blendshapes(points)), atol=2e-3
        )


def test_each_depends_on_the_landmarks(expression: Expression, landmarks: Tensor) -> None:
    points = landmarks[:1].clone().requires_grad_()
    for unit in expression(points)[0]:
        (slope,) = torch.autograd.grad(unit, points, retain_graph=True)
        assert torch.isfinite(slope).all()
        assert slope.abs().max() > 0


def test_an_eye_that_is_not_wide_learns_which_way_wide_is(expression: Expression) -> None:
    points = 100 * torch.from_numpy(canonical_face()).float()[None].requires_grad_()
    wide = expression(points)[0, list(action_units.resolve("AU05"))].sum()
    assert wide == 0
    (slope,) = torch.autograd.grad(wide, points)
    assert (slope[0, [159, 386], 1] < 0).all()  # the upper lids, up
    assert (slope[0, [145, 374], 1] > 0).all()


def test_lips_at_rest_learn_which_way_a_smile_is(expression: Expression, landmarks: Tensor) -> None:
    points, smile = landmarks[:7].clone().requires_grad_(), list(action_units.resolve("AU12"))
    smiles = expression(points)[:, smile].mean(1)
    (slope,) = torch.autograd.grad(smiles.sum(), points)
    least, half = int(smiles.argmin()), int((smiles - 0.5).abs().argmin())
    assert smiles[least] < 1e-5
    assert slope[least].norm() > 0.05 * slope[half].norm()


def test_closed_lips_have_a_gradient(expression: Expression) -> None:
    points = 100 * torch.from_numpy(canonical_face()).float()[None]
    for upper, lower in measures.LIP_GAPS:
        points[:, lower] = points[:, upper]
    (slope,) = torch.autograd.grad(expression(points.requires_grad_()).sum(), points)
    assert torch.isfinite(slope).all()


def test_a_batch_is_its_faces(expression: Expression, landmarks: Tensor) -> None:
    together = expression(landmarks)
    torch.testing.assert_close(expression(landmarks[4:5])[0], together[4], atol=1e-4, rtol=0)
