"""The two steps of adversarial training: arguments in, losses out; each trains only what is its own.

Both take the same edited pictures, so that the generator runs once; the critics see them detached.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from retarget.model.editor import Editor
from retarget.model.generator import Edit, EditInput, compose

from ..metrics import FaceMeter, PerceptualFeatures
from . import losses
from .batches import Batch
from .critics import Critic
from .options import LossOptions
from .regions import eye_crops, feature_mask, mouth_crops

_PERCEPTUAL_MOUTH_PX, _PERCEPTUAL_EYE_PX = 96, 64

Losses = Mapping[str, Tensor]
"""Named, unweighted, detached scalars; "total" is the weighted sum."""


@dataclass(frozen=True, eq=False)
class Edited:
    """A batch after the generator."""

    edit: Edit
    picture: Tensor
    """(B, 3, S, S)"""
    landmarks: Tensor
    """(B, 478, 3) crop px: where the edit took them (where they were, for a generator that does not say)."""


def apply_editor(editor: Editor, batch: Batch) -> Edited:
    """The batch edited. Pairs are moved by the *target frame's own* landmarks, so that they differ from it in
    appearance only, and nothing is gained by hiding misalignment in blur; strangers by the geometry model."""
    displacement = _displacement(editor, batch)
    edit = editor(EditInput(batch.image, batch.au, batch.delta_au, batch.landmarks, displacement))
    moved = batch.landmarks
    if displacement is not None:
        moved = torch.cat([moved[..., :2] + displacement, moved[..., 2:]], -1)
    else:
        moved = torch.cat([batch.pair_landmarks, moved[batch.pairs :]])
    return Edited(edit, compose(batch.image, edit), moved)


def discriminator_step(
    critics: Mapping[str, Critic], editor: Editor, batch: Batch, fake: Edited, weights: LossOptions
) -> tuple[Tensor, Losses]:
    """What the critics have to minimise (Eq. 8), and its parts. Only the critics get gradients."""
    found: dict[str, Tensor] = {}
    for name, critic in critics.items():
        real_view = critic.view(batch.image, batch.landmarks)
        fake_view = critic.view(fake.picture.detach(), fake.landmarks)
        real, edited = critic(real_view), critic(fake_view)
        found[f"{name}/critic"] = losses.critic_loss(real.realism, edited.realism)
        found[f"{name}/critic_condition"] = losses.condition_loss(real.au, critic.asked(batch.au, editor))
        if weights.gradient_penalty:
            alpha = batch.alpha.repeat(len(real_view) // len(batch.alpha))
            with torch.autocast(real_view.device.type, enabled=False):
                found[f"{name}/penalty"] = losses.gradient_penalty(
                    critic.score, real_view.float(), fake_view.float(), alpha, of=weights.penalty_of
                )
    by_kind = {"critic": 1.0, "critic_condition": weights.condition_critic, "penalty": weights.gradient_penalty}
    total = torch.stack([by_kind[key.split("/")[1]] * value.float() for key, value in found.items()]).sum()
    return total, _detached(found, total)


def generator_step(
    critics: Mapping[str, Critic],
    editor: Editor,
    batch: Batch,
    fake: Edited,
    weights: LossOptions,
    *,
    perceptual: PerceptualFeatures | None = None,
    meter: FaceMeter | None = None,
    adversarial: bool = True,
) -> tuple[Tensor, Losses]:
    """What the generator has to minimise (Eq. 9, and the losses of pairs), and its parts.

    Only the generator gets gradients. Without `adversarial` the critics' opinion of realism and expression does
    not count (yet).
    """
    found: dict[str, tuple[float, Tensor]] = {}
    with read_only(critics):
        if adversarial:
            found |= _judged(critics, editor, batch, fake, weights)
        found |= _reconstructed(editor, batch, fake, weights)
        if batch.pairs:
            found |= _against_the_true_frame(critics, batch, fake, weights, perceptual)
    if weights.condition_meter and meter is not None:
        seen = meter(fake.picture, fake.landmarks).action_units
        loss = losses.condition_loss(editor.known(seen), editor.known(batch.wanted_au))
        found["condition_meter"] = weights.condition_meter, loss
    if weights.total_variation:
        found["total_variation"] = weights.total_variation, losses.total_variation(fake.picture)
    if weights.restraint and editor.generator.moves:
        limit = max(editor.generator.shade_limit, 1e-6)
        found["restraint"] = weights.restraint, (fake.edit.shade / limit).square().mean()
    total = torch.stack([weight * value.float() for weight, value in found.values()]).sum()
    return total, _detached({name: value for name, (_, value) in found.items()}, total)


@contextlib.contextmanager
def read_only(modules: Mapping[str, nn.Module]) -> Iterator[None]:
    """The modules' parameters get no gradients meanwhile; what goes through them does."""
    parameters = [p for module in modules.values() for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def _displacement(editor: Editor, batch: Batch) -> Tensor | None:
    """(B, 478, 2) for a motion head."""
    geometry = editor.geometry
    if geometry is None:
        return None
    own = batch.pair_landmarks[..., :2] - batch.landmarks[: batch.pairs, :, :2]
    strangers = geometry.displacement(batch.delta_au[batch.pairs :], batch.landmarks[batch.pairs :])
    return torch.cat([own, strangers])


def _judged(
    critics: Mapping[str, Critic], editor: Editor, batch: Batch, fake: Edited, weights: LossOptions
) -> dict[str, tuple[float, Tensor]]:
    found: dict[str, tuple[float, Tensor]] = {}
    for name, critic in critics.items():
        judgement = critic(critic.view(fake.picture, fake.landmarks))
        if weights.adversarial:
            found[f"{name}/adversarial"] = weights.adversarial, losses.adversarial_loss(judgement.realism)
        if weights.condition:
            asked = critic.asked(batch.wanted_au, editor)
            found[f"{name}/condition"] = weights.condition, losses.condition_loss(judgement.au, asked)
    return found


def _reconstructed(
    editor: Editor, batch: Batch, fake: Edited, weights: LossOptions
) -> dict[str, tuple[float, Tensor]]:
    found: dict[str, tuple[float, Tensor]] = {}
    edits = [fake.edit]
    if weights.self_reconstruction:
        same = editor(EditInput(batch.image, batch.au, torch.zeros_like(batch.au), batch.landmarks))
        loss = losses.reconstruction_loss(compose(batch.image, same), batch.image)
        found["self_reconstruction"] = weights.self_reconstruction, loss
    if weights.cycle:
        back = editor(EditInput(fake.picture, batch.wanted_au, -batch.delta_au, fake.landmarks))
        loss = losses.reconstruction_loss(compose(fake.picture, back), batch.image)
        found["cycle"] = weights.cycle, loss
        edits.append(back)
    return found | _masked(edits, weights)


def _masked(edits: Sequence[Edit], weights: LossOptions) -> dict[str, tuple[float, Tensor]]:
    """Of GANimation's mask of what is kept, summed over the edits."""
    found: dict[str, tuple[float, Tensor]] = {}
    kept = [1 - edit.mask for edit in edits]
    if weights.mask:
        found["mask"] = weights.mask, torch.stack([mask.mean() for mask in kept]).sum()
    if weights.mask_variation:
        varied = torch.stack([losses.total_variation(mask) for mask in kept]).sum()
        found["mask_variation"] = weights.mask_variation, varied
    return found


def _against_the_true_frame(
    critics: Mapping[str, Critic],
    batch: Batch,
    fake: Edited,
    weights: LossOptions,
    perceptual: PerceptualFeatures | None,
) -> dict[str, tuple[float, Tensor]]:
    """Of the pairs, whose target is known."""
    found: dict[str, tuple[float, Tensor]] = {}
    count, points = batch.pairs, batch.pair_landmarks
    picture, target = fake.picture[:count], batch.pair_image
    mask = feature_mask(points, target.shape[-1])
    if weights.pair_pixel:
        found["pair_pixel"] = weights.pair_pixel, losses.pixel_loss(picture, target, mask)
    if weights.pair_gradient:
        found["pair_gradient"] = weights.pair_gradient, losses.gradient_loss(picture, target, mask)
    if weights.pair_perceptual and perceptual is not None:
        parts = [_perceived(perceptual, picture, target, points, region) for region in (_mouths, _eyes)]
        found["pair_perceptual"] = weights.pair_perceptual, torch.stack(parts).mean()
    if weights.pair_features and critics:
        parts = [_felt(critic, picture, target, points) for critic in critics.values()]
        found["pair_features"] = weights.pair_features, torch.stack(parts).mean()
    return found


def _mouths(picture: Tensor, points: Tensor) -> Tensor:
    return mouth_crops(picture, points, _PERCEPTUAL_MOUTH_PX)


def _eyes(picture: Tensor, points: Tensor) -> Tensor:
    return eye_crops(picture, points, _PERCEPTUAL_EYE_PX)


def _perceived(
    perceptual: PerceptualFeatures,
    picture: Tensor,
    target: Tensor,
    points: Tensor,
    region: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    with torch.no_grad():
        wanted = perceptual(region(target, points))
    return losses.feature_loss(perceptual(region(picture, points)), wanted)


def _felt(critic: Critic, picture: Tensor, target: Tensor, points: Tensor) -> Tensor:
    with torch.no_grad():
        wanted = critic(critic.view(target, points)).features
    return losses.feature_loss(critic(critic.view(picture, points)).features, wanted)


def _detached(found: Mapping[str, Tensor], total: Tensor) -> Losses:
    return {name: value.detach() for name, value in found.items()} | {"total": total.detach()}
