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
from retarget.train.fit.motion import fit_motion, is_worse

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


class Untouched:
    def measure(self, crop: np.ndarray, near: np.ndarray) -> None:  # noqa: ARG002
        raise AssertionError("nothing is to be measured")


def fitted(dataset: Any, make_checkpoint: Callable[..., Checkpoint]) -> None:
    editor = make_checkpoint().build_editor()
    fit_motion(editor, dataset, Untouched(), steps=10**9, edits=25, progress=never)


def never(items: Iterable[int], label: str, total: int) -> Iterable[int]:
    raise AssertionError(f"nothing is to be fitted, and {label} is")


def test_evaluation_without_clips_is_told_before_anything_is_fitted(
    make_dataset: Callable[..., Any], make_checkpoint: Callable[..., Checkpoint]
) -> None:
    # By bad luck only people on stills are set aside: of each of them one frame is usable.
    who, frame = np.repeat(np.arange(6), 12), np.tile(np.arange(12), 6)
    flags = {"blurred": (who >= 4) & (frame > 0)}
    with_stills = make_dataset(people=6, frames=12, evaluated=2, flags=flags)
    with pytest.raises(RetargetError, match="2 people are set aside for evaluation, and none has two usable"):
        fitted(with_stills, make_checkpoint)
    with pytest.raises(RetargetError, match="0 people are set aside"):
        fitted(make_dataset(people=6, frames=9, name="nobody"), make_checkpoint)


def test_too_few_faces_are_told_before_anything_is_fitted(
    make_dataset: Callable[..., Any], make_checkpoint: Callable[..., Checkpoint]
) -> None:
    with pytest.raises(RetargetError, match="27 usable, frontal faces to learn from, and a response needs 40"):
        fitted(make_dataset(people=4, frames=9, evaluated=1), make_checkpoint)


@pytest.mark.parametrize(
    ("pairs_r2", "reads", "worse"), [(0.7, 0.3, False), (0.6, 0.4, False), (0.59, 0.3, True), (0.7, 0.41, True)]
)
def test_worse_than_none_is_worse_in_either(pairs_r2: float, reads: float, worse: bool) -> None:
    assert is_worse({"pairs_r2": pairs_r2, "pairs_r2_linear": 0.6, "reads": reads, "reads_linear": 0.4}) == worse
