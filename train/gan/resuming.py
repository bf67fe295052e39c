"""Whether a run can go on from a state: with the same options, people and geometry as before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from retarget.model.checkpoint import default_checkpoint_path, load_checkpoint
from retarget.model.errors import RetargetError

from ..data import trained_people
from .fitted import FittedGeometry, geometry_of
from .layout import CHECKPOINT, OPTIONS, STATE
from .options import TrainOptions
from .warm_start import Origin, WarmStart


def resumed_geometry(
    state: Mapping[str, Any], folder: Path, given: FittedGeometry | None
) -> FittedGeometry | None:
    """The geometry of the run before.

    Where the state says nothing, that of its checkpoint, and whom it was fitted to only if it is the package's or
    the one that is given; for a network without, what is given.

    Raises:
        RetargetError: another is given.
    """
    if (kept := state.get("geometry")) is not None:
        before = FittedGeometry.from_state(kept)
    elif load_checkpoint(folder / CHECKPOINT).geometry_config is not None:
        before = geometry_of(folder / CHECKPOINT)
        known = (given, geometry_of(default_checkpoint_path()))
        alike = next((geometry for geometry in known if geometry is not None and geometry.is_same(before)), None)
        before = alike or FittedGeometry(before.model, people=None)
    else:
        return given
    if given is not None and not given.is_same(before):
        raise RetargetError(
            f"{folder / STATE}: was made with another geometry; leave out --geometry, or go on from its "
            "checkpoint in another folder, with --from"
        )
    return before


def resumed_origin(state: Mapping[str, Any], folder: Path, given: WarmStart | None) -> Origin | None:
    """What the run before began with.

    Raises:
        RetargetError: something else is given.
    """
    kept = state.get("origin")
    if given is not None and (kept is None or kept["provenance"]["file"] != given.origin.provenance["file"]):
        raise RetargetError(f"{folder / STATE}: did not begin with {given.path}; leave out --from, or --resume")
    return None if kept is None else Origin(**kept)


def check_options(state: Mapping[str, Any], folder: Path, options: TrainOptions) -> None:
    """
    Options that the state knows nothing of were at their defaults.

    Raises:
        RetargetError: what is learnt is not what was learnt before.
    """
    try:
        before = TrainOptions.model_validate(state["options"]).learning_hash
    except (KeyError, ValidationError):  # of a version without, or with options that are gone
        before = state["learning_hash"]
    if before != options.learning_hash:
        raise RetargetError(
            f"{folder / STATE} was made with other options (compare {folder / OPTIONS}); resume with those, or "
            "start anew in another folder"
        )


def check_data(state: Mapping[str, Any], folder: Path, mark: str, people: list[str]) -> None:
    """
    Args:
        mark: of the data that there is now.
        people: marks of those in it.

    Raises:
        RetargetError: the run learnt from other data; of a state that does not say, from other people.
    """
    if (before := state.get("data")) is None:
        known = trained_people(load_checkpoint(folder / CHECKPOINT).provenance)
        is_same = known is None or known.issuperset(people)
    else:
        is_same = before == mark
    if not is_same:
        raise RetargetError(
            f"{folder / STATE}: was trained on other data; resume on that, or go on from its checkpoint in "
            f"another folder, with --from {folder}"
        )
