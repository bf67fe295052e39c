"""The meter with gradients measures what the tracker measures, and a picture can follow it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from retarget.model import action_units
from retarget.model.checkpoint import default_checkpoint_path, load_checkpoint
from retarget.model.generator import Generator
from retarget.model.images import to_model, warp
from retarget.pipeline.faces import Window, place_of
from retarget.train.metrics import CropMeter, FaceMeter
from retarget.train.metrics.face_meter import Region

Crops = list[tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def meter() -> FaceMeter:
    return FaceMeter()


@pytest.fixture(scope="module")
def batch(real_crops: Crops) -> tuple[Tensor, Tensor]:
    pictures, landmarks = zip(*real_crops, strict=True)
    return to_model(np.stack(pictures)), torch.from_numpy(np.stack(landmarks))


def test_it_measures_what_the_tracker_measures(
    meter: FaceMeter, real_crops: Crops, batch: tuple[Tensor, Tensor]
) -> None:
    seen = meter(*batch)
    assert len(real_crops) == 7
    with CropMeter() as tracker:
        for i, (picture, landmarks) in enumerate(real_crops):
            measured = tracker.measure(picture, landmarks)
            assert measured is not None
            np.testing.assert_allclose(seen.action_units[i], measured.action_units, atol=0.02)
            np.testing.assert_allclose(seen.landmarks[i, :, :2], measured.landmarks[:, :2], atol=0.3)
            assert seen.presence[i] > 0.9
    assert seen.action_units.max() > 0.7  # they do not merely agree on nothing
    blank = meter(torch.zeros_like(batch[0][:1]), batch[1][:1])
    assert blank.presence < 0.5


def test_it_looks_where_the_tracker_looks(real_crops: Crops, batch: tuple[Tensor, Tensor]) -> None:
    turned = batch[1] @ torch.tensor([[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    region = Region.around(turned)
    corner = torch.zeros(len(turned), 1, 3)
    for i in range(len(turned)):
        place = place_of(turned[i].numpy())
        window = Window.around(place.center, 1.5 * place.size_px, place.roll_radians)
        assert region.scale[i] == pytest.approx(window.scale, rel=1e-4)
        np.testing.assert_allclose(
            region.to_crop(corner)[i].numpy(), window.to_display(corner[i].numpy()), atol=0.02
        )


def test_a_batch_is_its_pictures(meter: FaceMeter, batch: tuple[Tensor, Tensor]) -> None:
    together = meter(*batch).action_units
    for i in range(2):
        alone = meter(batch[0][i : i + 1], batch[1][i : i + 1]).action_units
        torch.testing.assert_close(alone[0], together[i], atol=2e-3, rtol=0)


def test_a_picture_feels_every_action_unit(meter: FaceMeter, batch: tuple[Tensor, Tensor]) -> None:
    picture = batch[0][:1].clone().requires_grad_()
    units = meter(picture, batch[1][:1]).action_units[0]
    for unit in units:
        (slope,) = torch.autograd.grad(unit, picture, retain_graph=True)
        assert torch.isfinite(slope).all()
        assert slope.abs().max() > 0
    assert not any(p.requires_grad for p in meter.parameters())


@pytest.mark.parametrize("name", ["AU01", "AU12", "AU26"])
def test_followed_it_raises_what_is_asked(meter: FaceMeter, batch: tuple[Tensor, Tensor], name: str) -> None:
    generator = load_checkpoint(default_checkpoint_path()).build_editor().generator
    assert isinstance(generator, Generator)
    assert generator.geometry is not None
    unit, (picture, landmarks) = list(action_units.resolve(name)), (part[1:2] for part in batch)
    delta = torch.zeros(1, action_units.COUNT)
    delta[:, unit] = 1
    with torch.no_grad():
        flow = generator.geometry.flow(landmarks, generator.geometry.displacement(delta, landmarks), 256)
    strength, found = torch.zeros((), requires_grad=True), []
    for _ in range(5):
        value = meter(warp(picture, strength * flow), landmarks).action_units[0, unit].mean()
        (slope,) = torch.autograd.grad(value, strength)
        found.append(value.item())
        strength = (strength + 0.25 * slope / slope.abs()).detach().requires_grad_()
    assert found == sorted(found)
    assert found[-1] > found[0] + 0.1


def test_autocast_leaves_it_exact(meter: FaceMeter, batch: tuple[Tensor, Tensor]) -> None:
    picture, landmarks = batch[0][:1], batch[1][:1]
    exact = meter(picture, landmarks).action_units
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(meter(picture, landmarks).action_units, exact, atol=1e-6, rtol=0)
    assert not meter.train().training
