"""A generator together with the action units it understands: what trainer, evaluation and pipeline call.

Expressions everywhere else are vectors on the full schema. A network may know fewer action units (the paper's 17,
without sides), and may be conditioned on the absolute target instead of the change (GANimation, and the paper's
ablation without v_rel). That is settled here, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor, nn

from . import action_units as schema
from .errors import UnknownActionUnitError
from .generator import Edit, EditInput, Head
from .geometry import GeometryModel
from .network_configs import Condition as Condition


class Editor(nn.Module):
    """EditInput -> Edit, on the full schema whatever the network's own is."""

    projection: Tensor

    def __init__(
        self,
        generator: Head,
        *,
        action_units: Sequence[str] = schema.NAMES,
        condition: Condition = "relative",
    ) -> None:
        """
        Raises:
            ValueError: the names are not as many as the generator takes, an unknown condition, or a motion
                generator with less than the full schema (its geometry is fitted on that).
            UnknownActionUnitError: a name that is no action unit.
        """
        super().__init__()
        if condition not in get_args(Condition):
            raise ValueError(f"condition is {condition!r}, expected 'relative' or 'absolute'")
        if generator.config.au_count != len(action_units):
            raise ValueError(
                f"the generator takes {generator.config.au_count} action units, {len(action_units)} are named"
            )
        self.generator = generator
        self.action_units = tuple(action_units)
        self.condition: Condition = condition
        if generator.moves and (self.action_units != schema.NAMES or condition != "relative"):
            raise ValueError("a motion generator needs every action unit of the schema, relative")
        self.register_buffer("projection", projection(self.action_units), persistent=False)

    @property
    def crop_px(self) -> int:
        """S, the side of its crops."""
        return self.generator.config.crop_px

    @property
    def paints(self) -> bool:
        """Whether there is a network, or pixels are only moved by the geometry."""
        return self.generator.learnt is not None

    @property
    def geometry(self) -> GeometryModel | None:
        """What moves the plate's pixels; None for a network that paints all of them."""
        return self.generator.geometry if self.generator.moves else None

    def known(self, au: Tensor) -> Tensor:
        """(B, C): the full vector (B, 46) reduced to the network's own; two sides that share one are averaged."""
        with torch.autocast(au.device.type, enabled=False):  # half precision would round what is asked for
            return au @ self.projection

    def forward(self, given: EditInput) -> Edit:
        """The edit that is asked for."""
        target = given.delta_au if self.condition == "relative" else given.source_au + given.delta_au
        return self.generator.edit(given, self.known(target))


def projection(names: Sequence[str]) -> Tensor:
    """(46, C) float32 with au @ projection the mean over the sides that each name stands for.

    Raises:
        UnknownActionUnitError: a name that is no action unit, or given twice.
    """
    matrix = torch.zeros(schema.COUNT, len(names))
    for column, name in enumerate(names):
        entries = list(schema.resolve(name))
        if matrix[entries].any():
            raise UnknownActionUnitError(f"action unit {name!r} is named twice")
        matrix[entries, column] = 1 / len(entries)
    return matrix
