"""A geometry model with how it came about: whom it was fitted to goes wherever it goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from retarget.model.checkpoint import load_checkpoint
from retarget.model.editor import Editor
from retarget.model.errors import RetargetError
from retarget.model.geometry import GeometryConfig, GeometryModel
from retarget.model.response import ResponseConfig

from ..data import file_mark, of_geometry, trained_people


@dataclass(frozen=True, eq=False)
class FittedGeometry:
    """A geometry model, and what is known of its making."""

    model: GeometryModel
    """On the CPU."""
    people: Collection[str] | None
    """Marks (`person_marks`) of those it was fitted to; None: nobody can say."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """How it was fitted, and the mark of its file, as JSON types."""

    def as_state(self) -> dict[str, Any]:
        """Tensors and plain values that it can be made of again."""
        return {
            "config": dataclasses.asdict(self.model.config),
            "tensors": {name: tensor.cpu() for name, tensor in self.model.state_dict().items()},
            "people": None if self.people is None else sorted(self.people),
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> FittedGeometry:
        """What `as_state` gave."""
        config = GeometryConfig(**state["config"])
        if isinstance(config.response, Mapping):
            config = dataclasses.replace(config, response=ResponseConfig(**config.response))
        model = GeometryModel(config)
        model.load_state_dict(state["tensors"])
        return cls(model, state["people"], state["provenance"])

    def is_same(self, other: FittedGeometry) -> bool:
        """Whether both move everybody alike."""
        one, two = self.model.state_dict(), other.model.state_dict()
        return one.keys() == two.keys() and all(one[name].equal(two[name]) for name in one)


def geometry_of(path: Path) -> FittedGeometry:
    """The geometry model of a checkpoint, on the CPU.

    Raises:
        CheckpointError: the file cannot be used.
        RetargetError: it has no geometry.
    """
    checkpoint = load_checkpoint(path)
    model = geometry_in(path, checkpoint.build_editor())
    provenance = {**of_geometry(checkpoint.provenance), "file": file_mark(path)}
    return FittedGeometry(model, trained_people(checkpoint.provenance), provenance)


def geometry_in(path: Path, editor: Editor) -> GeometryModel:
    """The geometry model of an editor that was read from `path`.

    Raises:
        RetargetError: it has none.
    """
    if editor.generator.geometry is None:
        raise RetargetError(f"{path}: has no geometry model; name a checkpoint of `retarget-train fit-geometry`")
    return editor.generator.geometry
