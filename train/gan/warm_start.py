"""The weights that a run begins with, where it does not begin from chance."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from retarget.model.checkpoint import Checkpoint, load_checkpoint
from retarget.model.editor import Editor
from retarget.model.errors import RetargetError

from ..data import file_mark, set_aside_people, trained_people
from .fitted import FittedGeometry, geometry_of
from .layout import CHECKPOINT, STATE
from .state import load_state


@dataclass(frozen=True)
class Origin:
    """What is known of the weights that a run began with."""

    people: Collection[str] | None
    """Marks of those they were trained on; None: nobody can say."""
    set_aside: Collection[str]
    """Marks of those among them that were looked at only, and go on being looked at only."""
    provenance: Mapping[str, Any]
    """The mark of the checkpoint's content and how it was made, as JSON types."""


@dataclass(frozen=True, eq=False)
class WarmStart:
    """Weights to begin with: a network's, and its critics' where they are known. No optimiser's state."""

    path: Path
    checkpoint: Checkpoint
    critics: Mapping[str, Tensor] | None
    origin: Origin
    geometry: FittedGeometry | None

    def put_into(self, editor: Editor, critics: nn.Module) -> None:
        """Gives them to a new network, and to new critics of the same shape.

        Raises:
            RetargetError: the network is another.
        """
        kept = self.checkpoint.build_editor()
        _check_alike(self.path, kept, editor)
        wanted = editor.generator.state_dict()
        learnt = {name: value for name, value in kept.generator.state_dict().items() if _is_learnt(name)}
        if _shapes(learnt) != _shapes({name: value for name, value in wanted.items() if _is_learnt(name)}):
            raise RetargetError(
                f"{self.path}: holds another network ({_differences(kept, editor)}); choose its size"
            )
        if not learnt:
            raise RetargetError(f"{self.path}: holds no network to go on with; name a checkpoint of `run`")
        editor.generator.load_state_dict(wanted | learnt)
        if self.critics is not None and _shapes(self.critics) == _shapes(critics.state_dict()):
            critics.load_state_dict(self.critics)


def begun_with(path: Path) -> WarmStart:
    """What a checkpoint, or the folder of a run with its critics, gives to begin with.

    Raises:
        RetargetError: it cannot be used.
    """
    critics = load_state(path)["critics"] if path.is_dir() and (path / STATE).exists() else None
    file = path / CHECKPOINT if path.is_dir() else path
    checkpoint = load_checkpoint(file)
    known = checkpoint.provenance
    kept = {key: known[key] for key in ("command", "config_hash", "steps", "from") if key in known}
    origin = Origin(
        trained_people(known),
        set_aside_people(known),
        {"file": file_mark(file), "critics": critics is not None} | kept,
    )
    geometry = geometry_of(file) if checkpoint.geometry_config is not None else None
    return WarmStart(file, checkpoint, critics, origin, geometry)


def _is_learnt(name: str) -> bool:
    return not name.startswith("geometry.")


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _check_alike(path: Path, kept: Editor, editor: Editor) -> None:
    for name in ("action_units", "condition"):
        if getattr(kept, name) != getattr(editor, name):
            raise RetargetError(
                f"{path}: was trained with other {name.replace('_', ' ')}; choose the same, or start anew"
            )


def _differences(kept: Editor, editor: Editor) -> str:
    one, two = (x.generator for x in (kept, editor))
    if type(one) is not type(two):
        return "another architecture"
    theirs, ours = (dataclasses.asdict(x.config) for x in (one, two))
    return ", ".join(f"{key} {theirs[key]} instead of {ours[key]}" for key in ours if theirs.get(key) != ours[key])
