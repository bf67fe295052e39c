"""Recordings of iFacialMocap's stream, made here."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.model import action_units
from retarget.pipeline.drivers.capture import read_series


def line(jaw: float, mark: str = "-") -> str:
    shapes = {"mouthSmile_R": 0, "mouthSmile_L": 10, "eyeBlink_L": 7, "jawOpen": jaw, "mouthClose": 0}
    tail = "=head#1.2,-3.4,0.1,0,0,-0.5|rightEye#1,2,0|leftEye#1,2,0|"
    return "|".join([f"trackingStatus{mark}1", *(f"{n}{mark}{v}" for n, v in shapes.items()), tail])


@pytest.mark.parametrize("mark", ["-", "&"])
def test_per_cent_at_sixty_a_second(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n".join(line(jaw, mark) for jaw in (0, 25, 50)))
    file = read_series(path)
    assert file.kind == "ifacialmocap"
    assert file.series.seconds.tolist() == pytest.approx([0, 1 / 60, 2 / 60])
    assert file.series.values[:, action_units.NAMES.index("AU26")].tolist() == pytest.approx([0, 0.25, 0.5])
    assert "counted the rows at 60 a second" in file.notes[0]


def test_a_time_before_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n".join(f"{100 + i / 25},{line(jaw)}" for i, jaw in enumerate((0, 25, 50))))
    assert read_series(path).series.seconds.tolist() == pytest.approx([0, 0.04, 0.08])
