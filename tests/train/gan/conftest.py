"""A run that takes a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from retarget.train.data import Dataset
from retarget.train.gan.fitted import FittedGeometry
from retarget.train.gan.load import load_options
from retarget.train.gan.loop import TrainResult, train

TINY = [
    "generator.width=4", "generator.crop_px=64", "generator.levels=2", "generator.k_msf=1",
    "region_critic.width=4", "region_critic.layers=2", "region_critic.view_px=16", "losses.pair_perceptual=0",
    "data.batch=2", "schedule.steps=1", "schedule.decay_steps=0",
]  # fmt: skip


@pytest.fixture
def tiny_run(drawn_geometry: FittedGeometry, tmp_path: Path) -> Iterator[Callable[..., TrainResult]]:
    """`tiny_run(dataset, "name", "data.batch=4", resume=True)`: a step of `default`, into tmp_path/name."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def run(dataset: Dataset, name: str, *changes: str, **how: Any) -> TrainResult:
        how = {"geometry": drawn_geometry, "device": "cpu", "quiet": True} | how
        return train(load_options("default", [*TINY, *changes]), dataset, tmp_path / name, **how)

    yield run
    torch.set_num_threads(threads)


@pytest.fixture
def tiny_options() -> list[str]:
    """What such a run changes of the recipe."""
    return TINY
