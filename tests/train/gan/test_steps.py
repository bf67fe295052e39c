"""Each step trains only what is its own, and every loss is the one it is named for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from retarget.model import action_units
from retarget.model.editor import Editor
from retarget.model.generator import EditInput, Generator, compose
from retarget.model.geometry import GeometryModel
from retarget.train.gan import losses
from retarget.train.gan.batches import Batch, BatchSource
from retarget.train.gan.critics import Critic, EyeCritic, MouthCritic, build_critics
from retarget.train.gan.load import load_options
from retarget.train.gan.options import LossOptions
from retarget.train.gan.run import build_editor
from retarget.train.gan.steps import apply_editor, discriminator_step, generator_step, read_only
from retarget.train.metrics import FaceMeter

JAW = action_units.resolve("AU26")[0]
SMALL = [
    "generator.width=4", "generator.crop_px=64", "generator.levels=2", "generator.k_msf=1",
    "region_critic.width=4", "region_critic.layers=2", "region_critic.view_px=16", "losses.pair_perceptual=0",
    "data.batch=4", "data.pair_fraction=0.5",
]  # fmt: skip


@pytest.fixture
def setting(
    make_dataset: Callable[..., Any], jaw_geometry: GeometryModel
) -> tuple[Editor, Any, Batch, LossOptions]:
    torch.manual_seed(0)
    options = load_options("default", SMALL)
    editor = build_editor(options, jaw_geometry)
    assert isinstance(editor.generator, Generator)
    assert editor.generator.network is not None
    nn.init.normal_(editor.generator.network.pixel_head.weight, std=0.1)  # something to learn from at once
    source = BatchSource(make_dataset(), options.data, crop_px=64, mirror=jaw_geometry.mirror.numpy())
    return editor, build_critics(options, len(options.au_names)), source.batch(0), options.losses


def touched(module: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in module.parameters())


def test_the_critics_step_leaves_the_generator_alone(setting: Any) -> None:
    editor, critics, batch, weights = setting
    total, parts = discriminator_step(dict(critics), editor, batch, apply_editor(editor, batch), weights)
    total.backward()
    assert touched(critics["mouth"])
    assert touched(critics["eyes"])
    assert not touched(editor)
    by_hand = sum(
        parts[f"{name}/critic"]
        + weights.condition_critic * parts[f"{name}/critic_condition"]
        + weights.gradient_penalty * parts[f"{name}/penalty"]
        for name in critics
    )
    assert parts["total"].item() == pytest.approx(float(by_hand), rel=1e-5)


def test_the_generators_step_leaves_the_critics_alone(setting: Any) -> None:
    editor, critics, batch, weights = setting
    fake = apply_editor(editor, batch)
    total, parts = generator_step(dict(critics), editor, batch, fake, weights, perceptual=None)
    total.backward()
    assert touched(editor)
    assert not touched(critics)
    assert all(p.requires_grad for p in critics.parameters())
    assert {"mouth/adversarial", "mouth/condition", "pair_pixel", "pair_gradient", "pair_features"} <= parts.keys()
    assert not {"cycle", "self_reconstruction", "total_variation"} & parts.keys()  # their weight is 0


def test_without_the_adversarial_part_the_critics_are_not_asked(setting: Any) -> None:
    editor, critics, batch, weights = setting
    fake = apply_editor(editor, batch)
    _, parts = generator_step(dict(critics), editor, batch, fake, weights, perceptual=None, adversarial=False)
    assert not [name for name in parts if name.startswith(("mouth", "eyes"))]


def test_the_meter_is_equation_6_without_a_critic(setting: Any) -> None:
    editor, critics, batch, _ = setting
    weights, meter, fake = LossOptions(condition_meter=3), FaceMeter(), apply_editor(editor, batch)
    _, parts = generator_step(dict(critics), editor, batch, fake, weights, meter=meter, adversarial=False)
    with torch.no_grad():
        by_hand = (meter(fake.picture, fake.landmarks).action_units - batch.wanted_au).square().mean()
        _, without = generator_step(dict(critics), editor, batch, fake, LossOptions(), adversarial=False)
    assert parts["condition_meter"].item() == pytest.approx(by_hand.item(), rel=1e-5)
    assert (parts["total"] - without["total"]).item() == pytest.approx(3 * by_hand.item(), rel=1e-3)
    assert "condition_meter" not in without
    editor.zero_grad()
    losses.condition_loss(meter(fake.picture, fake.landmarks).action_units, batch.wanted_au).backward()
    assert touched(editor)


def test_the_papers_total_is_equation_9(make_dataset: Callable[..., Any], jaw_geometry: GeometryModel) -> None:
    torch.manual_seed(0)
    options = load_options(
        "paper", ["generator.width=2", "generator.crop_px=64", "critic.width=2", "critic.layers=4", "data.batch=4"]
    )
    editor, critics = build_editor(options, jaw_geometry), build_critics(options, 17)
    batch = BatchSource(make_dataset(), options.data, crop_px=64, mirror=jaw_geometry.mirror.numpy()).batch(0)
    fake = apply_editor(editor, batch)
    _, parts = generator_step(dict(critics), editor, batch, fake, options.losses, perceptual=None)
    with torch.no_grad():
        edited = fake.picture
        judged = critics["whole"](edited)
        zero = compose(
            batch.image, editor(EditInput(batch.image, batch.au, torch.zeros_like(batch.au), batch.landmarks))
        )
        back = compose(edited, editor(EditInput(edited, batch.wanted_au, -batch.delta_au, batch.landmarks)))
        by_hand = (
            -judged.realism.mean()
            + 150 * (judged.au - editor.known(batch.wanted_au)).square().mean()
            + 30 * ((zero - batch.image).abs().mean() + (back - batch.image).abs().mean())
            # As released: lambda_4 = 5e-6 of the sum over all pictures of a batch of 16.
            + 5e-6 * 16 * losses.total_variation(edited)
        )
    assert parts["total"].item() == pytest.approx(by_hand.item(), rel=1e-4)


@pytest.mark.parametrize("name", ["ganimation", "ganimation-relative"])
def test_ganimations_losses_are_those_of_its_released_code(
    name: str, make_dataset: Callable[..., Any], jaw_geometry: GeometryModel
) -> None:
    torch.manual_seed(0)
    sizes = ["generator.width=2", "generator.crop_px=64", "critic.width=2", "critic.layers=4", "data.batch=4"]
    options = load_options(name, sizes)
    editor, critics = build_editor(options, jaw_geometry), build_critics(options, 17)
    batch = BatchSource(make_dataset(), options.data, crop_px=64, mirror=jaw_geometry.mirror.numpy()).batch(0)
    fake = apply_editor(editor, batch)
    _, parts = generator_step(dict(critics), editor, batch, fake, options.losses, perceptual=None)

    def sum_of_variation(mask: torch.Tensor) -> torch.Tensor:
        right, down = mask[..., :-1] - mask[..., 1:], mask[..., :-1, :] - mask[..., 1:, :]
        return right.abs().sum() + down.abs().sum()

    with torch.no_grad():
        judged = critics["whole"](fake.picture)
        back = editor(EditInput(fake.picture, batch.wanted_au, -batch.delta_au, batch.landmarks))
        kept = [1 - fake.edit.mask, 1 - back.mask]  # 1 keeps all
        by_hand = (
            -judged.realism.mean()
            + 4000 * (judged.au - editor.known(batch.wanted_au)).square().mean() / 25
            + 10 * (compose(fake.picture, back) - batch.image).abs().mean()
            + 0.1 * sum(mask.mean() for mask in kept)
            + 1e-5 * sum(sum_of_variation(mask) for mask in kept) * 25 / len(batch.image)
        )
    assert parts["total"].item() == pytest.approx(float(by_hand), rel=1e-4)


def test_pairs_are_moved_by_the_true_frames_landmarks(setting: Any) -> None:
    editor, _, batch, _ = setting
    fake = apply_editor(editor, batch)
    torch.testing.assert_close(fake.landmarks[: batch.pairs, :, :2], batch.pair_landmarks[..., :2])
    geometry = editor.generator.geometry
    own = geometry.displacement(batch.delta_au[batch.pairs :], batch.landmarks[batch.pairs :])
    torch.testing.assert_close(fake.landmarks[batch.pairs :, :, :2], batch.landmarks[batch.pairs :, :, :2] + own)


def test_read_only_is_over_when_it_is_over() -> None:
    module = nn.Linear(2, 2)
    module.bias.requires_grad_(False)
    with read_only({"a": module}):
        assert not module.weight.requires_grad
    assert module.weight.requires_grad
    assert not module.bias.requires_grad  # as it was


def test_region_critics_are_asked_about_their_region() -> None:
    lower, eyes = (
        {action_units.NAMES[i] for i in MouthCritic.units},
        {action_units.NAMES[i] for i in EyeCritic.units},
    )
    assert {"AU12L", "AU12R", "AU26"} <= lower
    assert not {"AU45L", "AU01R"} & lower
    assert {"AU45R", "AU01R"} <= eyes
    assert not {name for name in eyes if name.endswith("L")}


def test_a_left_eye_is_asked_as_a_right_one(jaw_geometry: GeometryModel) -> None:
    options = load_options("default", SMALL)
    critics, editor = build_critics(options, 46), build_editor(options, jaw_geometry)
    au = torch.zeros(1, action_units.COUNT)
    au[0, action_units.resolve("AU45L")[0]] = 1.0
    critic = critics["eyes"]
    assert isinstance(critic, Critic)
    right, left = critic.asked(au, editor)
    blink = EyeCritic.units.index(action_units.resolve("AU45R")[0])
    assert (right[blink].item(), left[blink].item()) == (0, 1)
