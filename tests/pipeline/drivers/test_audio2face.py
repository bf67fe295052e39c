"""Audio2Face's CSV and JSON, made here after the shape of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from retarget.model import action_units
from retarget.pipeline.drivers.capture import read_series
from retarget.pipeline.errors import DriverError
from retarget.pipeline.faces import blendshapes


def index(name: str) -> int:
    return action_units.NAMES.index(name)


def test_csv(tmp_path: Path, write: Any) -> None:
    shapes = {f"blendShapes.{name[0].upper()}{name[1:]}": [0.0] * 3 for name in blendshapes.NAMES}
    columns = {"": range(3), "timeCode": [0.0, 1 / 30, 2 / 30], **shapes, "blendShapes.JawOpen": [0, 0.25, 0.5]}
    file = read_series(write(tmp_path / "a.csv", columns))
    assert file.kind == "audio2face"
    assert file.series.seconds.tolist() == pytest.approx([0, 1 / 30, 2 / 30])
    assert file.series.values[:, index("AU26")].tolist() == pytest.approx([0, 0.25, 0.5])
    assert not file.series.filled[index("AU01L")]  # speech does not move it, so it says nothing of the brows
    assert file.series.filled[index("AU25")]


def document(**changes: object) -> dict[str, object]:
    return {
        "exportFps": 60.0,
        "trackPath": "C:\\takes\\a.wav",
        "numPoses": 3,
        "numFrames": 3,
        "facsNames": ["jawOpen", "mouthSmileLeft", "mouthSmileRight"],
        "weightMat": [[0.0, 0.1, 0.1], [0.5, 0.2, 0.2], [1.0, 0.3, 0.3]],
        **changes,
    }


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document()))
    file = read_series(path)
    assert file.kind == "audio2face"
    assert file.notes == ()
    assert file.series.seconds.tolist() == pytest.approx([0, 1 / 60, 2 / 60])
    assert file.series.values[:, index("AU12R")].tolist() == pytest.approx([0.1, 0.2, 0.3])
    path.write_text(json.dumps(document(exportFps="no")))
    assert "took 30 frames per second" in read_series(path).notes[0]


@pytest.mark.parametrize(("change", "message"), [({"weightMat": 3}, "no lists"), ({"weightMat": []}, "no frames")])
def test_damaged_json(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document(**change)))
    with pytest.raises(DriverError, match=message):
        read_series(path)
