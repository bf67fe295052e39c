"""Curves are what was logged."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from retarget.model.errors import RetargetError
from retarget.train.benchmarks.curves import PANEL_PX, curve_of, main


def logged(run: Path, values: dict[int, float]) -> Path:
    run.mkdir(parents=True)
    lines = [json.dumps({"step": step, "loss": value}) for step, value in values.items()]
    (run / "log.jsonl").write_text("\n".join([*lines, json.dumps({"step": 99, "validation/other": 1.0})]) + "\n")
    return run


def test_a_point_is_the_mean_of_a_window(tmp_path: Path) -> None:
    run = logged(tmp_path / "a", {1: 9.0, 10: 1.0, 11: 2.0, 20: 4.0, 41: 5.0})
    np.testing.assert_allclose(curve_of(run, "loss", window=10), [(5, 5), (15, 3), (45, 5)])
    with pytest.raises(RetargetError, match="has no values of gain"):
        curve_of(run, "gain", window=10)


def test_a_falling_loss_falls_in_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = range(1, 1001, 10)
    one = logged(tmp_path / "one", {step: 10.0 ** (-step / 500) for step in steps})
    flat = logged(tmp_path / "flat", dict.fromkeys(steps, 0.1))
    out = tmp_path / "curves.png"
    assert main([str(one), str(flat), "-o", str(out), "--names", "loss", "--window", "50"]) == 0
    picture = cv2.imread(str(out))[..., ::-1].astype(int)
    assert picture.shape[1] > PANEL_PX[0]
    # The first curve is red: its height in the left and right quarter of the panel, below the legend's lines.
    red = (picture[..., 0] > 150) & (picture[..., 1] < 90) & (picture[..., 2] < 90)
    rows, columns = np.nonzero(red)
    assert rows[columns < 200].min() < 60
    assert rows[columns > 550].max() > 330
    assert main([str(tmp_path / "none"), "-o", str(out)]) == 2
    assert "name the folder of a run" in capsys.readouterr().err
