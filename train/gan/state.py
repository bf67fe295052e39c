"""A training run at rest: the folder it lives in, the state it resumes from, the checkpoint it gives."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from retarget.model.errors import RetargetError
from retarget.model.files import whole_file

STATE = "state.pt"
CHECKPOINT = "checkpoint.safetensors"
OPTIONS = "options.yaml"
LOG = "log.jsonl"
SAMPLES = "samples"


NETWORKS = ("editor", "average", "critics", "generator_optimiser", "critic_optimiser")
"""What of a state has tensors of its own to load."""


class TrainingError(RetargetError, RuntimeError):
    """Training cannot go on."""

    exit_code = 1


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Writes everything that a run resumes from: tensors and plain values. Whole or not at all.

    Raises:
        TrainingError: it cannot be written; what was there before is still there.
    """
    path = folder / STATE
    try:
        with whole_file(path) as part:
            torch.save(dict(state), part)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        reason = " ".join(str(error).split())
        raise TrainingError(f"{path}: cannot be written ({reason}); the state before it is kept") from error


def load_state(folder: Path) -> dict[str, Any]:
    """What `save_state` wrote, on the CPU.

    Raises:
        RetargetError: there is none, or it is damaged.
    """
    path = folder / STATE
    if not path.is_file():
        raise RetargetError(f"{path} does not exist; there is nothing to resume, leave out --resume")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if not {"learning_hash", "step", *NETWORKS} <= state.keys():
            raise KeyError("parts are missing")
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, OSError) as error:
        raise RetargetError(f"{path} is damaged ({' '.join(str(error).split())[:120]}); start anew") from error
    return state
