"""Face Cap's text, made here."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.model import action_units
from retarget.pipeline.drivers.capture import read_series
from retarget.pipeline.errors import DriverError
from retarget.pipeline.faces import blendshapes


def _named(shape: str) -> str:
    for side in ("Left", "Right"):
        if shape.endswith(side) and shape.removesuffix(side) not in ("jaw", "mouth"):
            return f"{shape.removesuffix(side)}_{side[0]}"
    return shape


def text(frames: int = 3) -> str:
    names = ",".join(map(_named, blendshapes.NAMES))
    jaw = blendshapes.NAMES.index("jawOpen")
    rows = []
    for i in range(frames):
        values = ["0.02"] * len(blendshapes.NAMES)
        values[jaw] = str(0.25 * i)
        rows.append(",".join(["k", str(40 * i), *["9"] * 10, *values]))
    return "\n".join(["info,somebody,1.0", f"bs,{names}", *rows])


def test_milliseconds_then_the_pose_then_values(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text())
    file = read_series(path)
    assert file.kind == "face-cap"
    assert file.series.seconds.tolist() == pytest.approx([0, 0.04, 0.08])
    assert file.series.values[:, action_units.NAMES.index("AU26")].tolist() == pytest.approx([0, 0.25, 0.5])
    assert file.series.values[:, action_units.NAMES.index("AU12L")].tolist() == pytest.approx([0.02] * 3)


def test_without_names(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text().replace("bs,", "xx,", 1))
    with pytest.raises(DriverError, match=r"a\.txt: a Face Cap file without a line of names"):
        read_series(path)
