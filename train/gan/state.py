"""A training run at rest: the state it resumes from. Never one that cannot be gone on from."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from retarget.model.errors import RetargetError
from retarget.model.files import whole_file

from .layout import STATE, TrainingError, check_folder, written

NETWORKS = ("editor", "average", "critics", "generator_optimiser", "critic_optimiser")
"""What of a state has tensors of its own to load."""


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Writes everything that a run resumes from: tensors and plain values. Whole or not at all.

    Raises:
        TrainingError: it cannot be written; what was there before is still there.
    """
    path = folder / STATE
    with written(path), whole_file(path) as part:
        torch.save(dict(state), part)


def check_finite(folder: Path, state: Mapping[str, Any]) -> None:
    """
    Raises:
        TrainingError: a network or an optimiser holds what is not finite.
    """
    for name in NETWORKS:
        tensors = [tensor for tensor in _tensors(state[name]) if tensor.is_floating_point()]
        if tensors and not bool(torch.stack([torch.isfinite(tensor).all() for tensor in tensors]).all()):
            raise TrainingError(
                f"the {name.replace('_', ' ')} is not finite after step {state['step']}; the last good state is "
                f"kept in {folder}, try a lower schedule.learning_rate"
            )


def load_state(folder: Path) -> dict[str, Any]:
    """What `save_state` wrote, on the CPU.

    Raises:
        RetargetError: there is none, or it is damaged.
    """
    check_folder(folder, resume=True)
    path = folder / STATE
    try:
        with zipfile.ZipFile(path) as parts:
            if damaged := parts.testzip():
                raise RuntimeError(f"its part {damaged} was changed")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if missing := {"learning_hash", "step", *NETWORKS} - set(state):
            raise KeyError(f"it lacks {min(missing)}")
    except (
        RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError, KeyError, TypeError, OSError,
    ) as error:  # fmt: skip
        raise damaged_state(path, error) from error
    return state


def damaged_state(path: Path, error: Exception) -> RetargetError:
    """A state that cannot be read, or not into these networks, in a line."""
    return RetargetError(f"{path} is damaged ({' '.join(str(error).split())[:120]}); start anew")


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
