import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.drivers.curves import CurveDriver
from retarget.pipeline.drivers.load import FaceDrivers, files_of_driver, load_driver
from retarget.pipeline.errors import DriverError, OptionError
from retarget.pipeline.faces import FaceSelection
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.records import Target
from retarget.pipeline.run import Resources, retarget_video

AU12 = action_units.resolve("AU12")[0]


class Constant:
    """Asks AU12 of every face."""

    def __init__(self, value: float, duration_seconds: float = math.inf, notes: tuple[str, ...] = ()) -> None:
        self._value, self.duration_seconds, self.notes = value, duration_seconds, notes
        self.asked: list[int] = []

    def target(self, seconds: Any, face: int) -> Target:
        self.asked.append(face)
        values = np.zeros((len(seconds), action_units.COUNT), np.float32)
        values[:, AU12] = self._value
        return Target(values, np.ones_like(values), np.zeros(values.shape, np.bool_))


def test_each_face_has_its_own_driver() -> None:
    first, second = Constant(0.25), Constant(0.75)
    drivers, seconds = FaceDrivers([first, second]), np.arange(3.0)
    assert drivers.target(seconds, 0).values[:, AU12].tolist() == [0.25] * 3
    assert drivers.target(seconds, 1).values[:, AU12].tolist() == [0.75] * 3
    assert (first.asked, second.asked) == ([0], [1])
    beyond = drivers.target(seconds, 2)
    assert beyond.weight.shape == (3, action_units.COUNT)
    assert not beyond.weight.any(), "a face too many is asked nothing"


@pytest.mark.parametrize(
    ("ends", "end"), [((2.0, 5.0), 5.0), ((2.0, math.inf), 2.0), ((math.inf, math.inf), math.inf)]
)
def test_the_longest_that_ends_counts(ends: tuple[float, float], end: float) -> None:
    assert FaceDrivers([Constant(0, seconds) for seconds in ends]).duration_seconds == end


def test_notes_are_said_once() -> None:
    drivers = FaceDrivers([Constant(0, notes=("a", "b")), Constant(0, notes=("b",))])
    assert drivers.notes == ("a", "b")


def test_the_files_of_a_driver(samples: Path, tmp_path: Path) -> None:
    assert files_of_driver(samples / "smile.mp4", frame_rate=Fraction(25)) == [samples / "smile.mp4"]
    curve = tmp_path / "curve.yaml"
    curve.write_text("curves:\n  AU12:\n    00:00:00:28: 0.5\n")
    assert files_of_driver(curve, frame_rate=Fraction(30)) == [curve]
    with pytest.raises(DriverError, match=r"curve\.yaml, line 3"):
        files_of_driver(curve, frame_rate=Fraction(25))


def test_several_drivers_choose_all_faces_and_those_left_over_are_named(samples: Path, tmp_path: Path) -> None:
    options = RetargetOptions(trim_end=0.2, device="cpu")
    drivers = [samples / "smile.yaml", samples / "smile.csv"]
    report = retarget_video(samples / "actress.mp4", drivers, tmp_path / "a.mp4", options, resources=Resources())
    assert report.details["driver"] == [str(driver) for driver in drivers]
    assert f"{drivers[1]}: not used; no shot has more than 1 face" in report.notes
    single = retarget_video(samples / "actress.mp4", drivers[0], tmp_path / "b.mp4", options)
    assert single.details["driver"] == str(drivers[0])
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_several_drivers_for_one_face(samples: Path, tmp_path: Path) -> None:
    options = RetargetOptions(faces=FaceSelection("left-right", 1))
    with pytest.raises(OptionError, match=r"2 drivers are for as many faces, .*; use --face left-right:all"):
        retarget_video(samples / "actress.mp4", [samples / "smile.yaml"] * 2, tmp_path / "a.mp4", options)
    with pytest.raises(OptionError, match="no driver is given"):
        retarget_video(samples / "actress.mp4", [], tmp_path / "a.mp4")


def test_what_is_checked_last_leaves_nothing(samples: Path, tmp_path: Path) -> None:
    def refuse() -> None:
        raise OptionError("no")

    options = RetargetOptions(trim_end=0.2, device="cpu")
    with pytest.raises(OptionError, match="no"):
        retarget_video(samples / "actress.mp4", samples / "smile.yaml", tmp_path / "a.mp4", options, check=refuse)
    assert list(tmp_path.iterdir()) == []


def test_a_curve_file_is_a_curve_driver(samples: Path) -> None:
    assert isinstance(load_driver(samples / "smile.yaml"), CurveDriver)
