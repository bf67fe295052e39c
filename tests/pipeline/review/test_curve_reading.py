"""Curves as they are read; what drivers and clips give is looked at where it is drawn."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.errors import ReportError
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.review.curve_reading import Curves, curves_in

AU12L, AU12R = action_units.resolve("AU12")


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def report(faces: list[dict[str, Any]]) -> str:
    return json.dumps({"frames": 3, "details": {"source": "a.mp4", "faces": faces}})


def report_face(face: int = 0, shot: int = 0, start: float = 0.0, **changes: Any) -> dict[str, Any]:
    out = {
        "shot": shot,
        "face": face,
        "size_px": 100.0,
        "seconds": [start, start + 0.1, start + 0.2],
        "allowed": [1.0, 0.5, 0.0],
        "own": {"AU12L": [0.1, 0.2, 0.3], "AU04R": [0.5, 0.5, 0.5]},
        "v_rel": {"AU12L": [0.2, 0.4, 0.0], "AU04R": [-0.5, -0.25, 0.0]},
    }
    return out | changes


def test_report_is_known_by_its_content(tmp_path: Path) -> None:
    path = write(tmp_path, "run.txt", "\n " + report([report_face()]))
    assert {c.kind for c in curves_in(path, RetargetOptions())} == {"own", "wanted", "v_rel"}


def test_curve_written_as_json_is_no_report(tmp_path: Path) -> None:
    path = write(tmp_path, "curve.yaml", '{"curves": {"AU12": {"keys": {"0": 0.5}}}}')
    assert [c.kind for c in curves_in(path, RetargetOptions())] == ["asked"]


def test_shots_of_a_face_are_joined_with_a_gap(tmp_path: Path) -> None:
    path = write(tmp_path, "run.json", report([report_face(shot=1, start=5.0), report_face(), report_face(1)]))
    curves = curves_in(path, RetargetOptions(), first_group=3)
    assert [(c.label, c.group) for c in curves[::3]] == [("run.json face 0", 3), ("run.json face 1", 4)]
    own = curves[0]
    assert [round(t, 3) for t in own.seconds.tolist()] == [0, 0.1, 0.2, 0.2, 5.0, 5.1, 5.2]
    np.testing.assert_allclose(own.values[:, AU12L], [0.1, 0.2, 0.3, math.nan, 0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    "face",
    [
        {"shot": 0},
        report_face(allowed=[1.0]),
        report_face(own={"AU99": [0, 0, 0]}, v_rel={"AU99": [0, 0, 0]}),
        report_face(own={}),
        report_face(seconds=[], allowed=[], own={}, v_rel={}),
    ],
)
def test_damaged_report_is_refused(face: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path, "run.json", report([face]))
    with pytest.raises(ReportError, match=r"run\.json: the report's faces are damaged or of another version"):
        curves_in(path, RetargetOptions())


@pytest.mark.parametrize("text", ["{}", '{"details": {"faces": []}}', '{"details": 3}', "[1]"])
def test_other_json_is_refused(text: str, tmp_path: Path) -> None:
    path = write(tmp_path, "other.json", text)
    with pytest.raises(ReportError, match=r"other\.json: is JSON, but no report of a run with faces"):
        curves_in(path, RetargetOptions())


def test_broken_or_missing_json_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "half.json", '{"details": ')
    with pytest.raises(ReportError, match=r"half\.json: cannot be read as JSON; give the report of a run"):
        curves_in(path, RetargetOptions())
    with pytest.raises(ReportError, match=r"none\.json: cannot be read \(No such file or directory\)"):
        curves_in(tmp_path / "none.json", RetargetOptions())


def test_curves_check_their_shapes() -> None:
    table, flags = np.zeros((2, action_units.COUNT)), np.zeros(action_units.COUNT, np.bool_)
    with pytest.raises(ValueError, match=r"Curves has values \(2, \d+\), weight \(2, \d+\), expected \(3, "):
        Curves("a", "asked", 0, np.arange(3.0), table, flags, table, flags)
