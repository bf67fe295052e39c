"""A whole fit, from a dataset and an editor to a geometry with a response."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.checkpoint import Checkpoint
from retarget.model.errors import RetargetError
from retarget.train.fit.motion import fit_motion

C = action_units.COUNT


def silent(items: Iterable[int], label: str, total: int) -> Iterable[int]:
    return items


@dataclass
class Seen:
    landmarks: np.ndarray
    action_units: np.ndarray


class LazyMeter:
    """Believes the landmarks near which it is to look: sees nothing of any motion."""

    def measure(self, crop: np.ndarray, near: np.ndarray) -> Seen | None:  # noqa: ARG002
        return Seen(near, np.zeros(C, np.float32))


class Blind:
    def measure(self, crop: np.ndarray, near: np.ndarray) -> None: ...


def test_a_whole_fit(make_dataset: Callable[..., Any], make_checkpoint: Callable[..., Checkpoint]) -> None:
    dataset = make_dataset(people=6, frames=9, size_px=64, evaluated=1)
    editor = make_checkpoint().build_editor()
    geometry, made = fit_motion(editor, dataset, LazyMeter(), steps=3, edits=25, progress=silent)
    assert geometry.response is not None
    assert made["edits"] == 25
    assert {"perception_r2", "pairs_r2", "reads_linear"} <= set(made["scores"])
    with pytest.raises(RetargetError, match="is seen in 0 of 25 edits"):
        fit_motion(make_checkpoint().build_editor(), dataset, Blind(), steps=1, edits=25, progress=silent)
