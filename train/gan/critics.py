"""The critics: discriminators with what they look at and which action units they are asked about."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from retarget.model import action_units
from retarget.model.discriminator import Discriminator, DiscriminatorConfig, Judgement
from retarget.model.editor import Editor

from .options import TrainOptions
from .regions import eye_crops, mouth_crops


class Critic(nn.Module):
    """A discriminator of whole crops, and of the network's own action units: the paper's."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.network = Discriminator(config)

    @property
    def view_px(self) -> int:
        """Side of what it sees."""
        return self.network.config.crop_px

    def view(self, picture: Tensor, points: Tensor) -> Tensor:  # noqa: ARG002 - regions need them
        """What it sees of pictures (B, 3, S, S), given landmarks (B, 478, 2 or 3) crop px."""
        return picture

    def asked(self, au: Tensor, editor: Editor) -> Tensor:
        """The absolute action units it has to tell, of full vectors (B, 46)."""
        return editor.known(au)

    def score(self, view: Tensor) -> Tensor:
        """How real views look, (B, 1, h, w)."""
        return self(view).realism

    def forward(self, view: Tensor) -> Judgement:
        judgement: Judgement = self.network(view)
        return judgement


class MouthCritic(Critic):
    """Looks at the mouth alone, at a resolution where teeth are seen."""

    units = action_units.in_regions(("lower", "mouth"))

    def view(self, picture: Tensor, points: Tensor) -> Tensor:
        return mouth_crops(picture, points, self.view_px)

    def asked(self, au: Tensor, editor: Editor) -> Tensor:  # noqa: ARG002 - always on the full schema
        return au[:, list(self.units)]


class EyeCritic(Critic):
    """Looks at one eye at a time; left ones mirrored."""

    units = tuple(i for i in action_units.in_regions(("upper", "eyes")) if not action_units.NAMES[i].endswith("L"))

    def view(self, picture: Tensor, points: Tensor) -> Tensor:
        return eye_crops(picture, points, self.view_px)

    def asked(self, au: Tensor, editor: Editor) -> Tensor:  # noqa: ARG002
        mirrored = au[:, list(action_units.mirrored())]
        return torch.cat([au[:, list(self.units)], mirrored[:, list(self.units)]])


def build_critics(options: TrainOptions, au_count: int) -> nn.ModuleDict:
    """The critics that the options name: "whole", "mouth", "eyes"."""
    counts = {"whole": au_count, **{name: len(kind.units) for name, kind in _REGIONS.items()}}
    configs = options.critic_configs(counts)
    return nn.ModuleDict({name: _REGIONS.get(name, Critic)(config) for name, config in configs.items()})


_REGIONS: Mapping[str, type[MouthCritic] | type[EyeCritic]] = {"mouth": MouthCritic, "eyes": EyeCritic}
