"""The benchmark of a large dataset makes one that is whole, and measures all that it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.train.benchmarks.data import main, repeat
from retarget.train.data import open_dataset

SMALL = [
    "generator.width=4", "generator.crop_px=64", "generator.levels=2", "generator.k_msf=1", "data.batch=2",
    "region_critic.width=4", "region_critic.layers=2", "region_critic.view_px=16", "losses.pair_perceptual=0",
]  # fmt: skip


def test_a_dataset_again_and_again(make_dataset: Callable[..., Any], tmp_path: Path) -> None:
    small = make_dataset(people=3, frames=4, evaluated=1)
    repeat(small.folder, tmp_path / "large", 30)
    large = open_dataset(tmp_path / "large")
    assert len(large) == 30
    assert len(large.identities) == 3 + 3 + 2
    assert len(set(large.files)) == 30
    np.testing.assert_array_equal(large.landmarks[24:], small.landmarks[:6])
    np.testing.assert_array_equal(large.image(13), small.image(1))
    assert large.is_eval.tolist() == (small.is_eval.tolist() * 3)[:30]


def test_what_it_prints(
    make_dataset: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = make_dataset(people=3, frames=4)
    changes = [part for change in SMALL for part in ("--set", change)]
    given = [
        str(small.folder),
        "--rows",
        "24",
        "--steps",
        "1",
        "--folder",
        str(tmp_path),
        "--device",
        "cpu",
        *changes,
    ]
    assert main(given) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 24
    assert found["step_seconds"] > 0
    assert 0 <= found["waiting_for_data_share"] < 1
    for name in ("open_cpu_seconds", "stranger_draw_cpu_ms", "pair_draw_cpu_ms", "batch_cpu_ms"):
        assert found[name] >= 0
    assert main([str(tmp_path / "nowhere"), "--rows", "9"]) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err
