"""Drivers of every kind from their files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.drivers import DriverOptions
from retarget.pipeline.drivers.load import DriverReader, files_of_driver
from retarget.pipeline.drivers.measuring import Measuring
from retarget.pipeline.errors import DriverError, OptionError
from retarget.pipeline.faces import FaceSelection

RATE = Fraction(24)


def test_the_files_of_a_driver(samples: Path, tmp_path: Path) -> None:
    assert files_of_driver(samples / "smile.mp4", frame_rate=Fraction(25)) == [samples / "smile.mp4"]
    curve = tmp_path / "curve.yaml"
    curve.write_text("curves:\n  AU12:\n    00:00:00:28: 0.5\n")
    assert files_of_driver(curve, frame_rate=Fraction(30)) == [curve]
    with pytest.raises(DriverError, match=r"curve\.yaml, line 3"):
        files_of_driver(curve, frame_rate=Fraction(25))


def test_a_capture_and_a_picture_as_drivers(samples: Path) -> None:
    reader = DriverReader(Measuring(smooth_seconds=0, gaze=False))
    capture = reader.read(samples / "smile.csv", DriverOptions(neutral="none"), frame_rate=RATE)
    target = capture.target(np.array([1.0]), 0)
    assert target.weight[0, action_units.resolve("AU12L")[0]] == 1
    assert not target.weight[0, list(action_units.GAZE)].any(), "the eyeline stays unless gaze is asked for"
    picture = reader.read(samples / "astronaut.png", DriverOptions(neutral="none"), frame_rate=RATE)
    assert picture.target(np.zeros(1), 0).lips_together is not None, "a tracked face shows whether its lips touch"
    smile = picture.target(np.array([0.0, 9.0]), 0).values[:, action_units.resolve("AU12L")[0]]
    assert (smile > 0.4).all(), "one expression for the whole shot"


def test_gaze_is_followed_where_it_is_asked_for(samples: Path) -> None:
    reader = DriverReader(Measuring(gaze=True))
    target = reader.read(samples / "smile.csv", DriverOptions(), frame_rate=RATE).target(np.array([1.0]), 0)
    assert target.weight[0, list(action_units.GAZE)].all()


def test_a_picture_of_the_resting_face_is_what_a_driver_is_measured_from(samples: Path) -> None:
    picture = samples / "astronaut.png"
    reader = DriverReader(Measuring(neutral_picture=picture))
    same = reader.read(picture, DriverOptions(), frame_rate=RATE)
    assert np.abs(same.target(np.array([0.0]), 0).values).max() < 1e-3
    assert reader.picture_expression(picture).shape == (action_units.COUNT,)


def test_a_table_has_no_pictures_to_know_a_person_by(samples: Path) -> None:
    for selection in (FaceSelection(person=1), FaceSelection(picture=samples / "astronaut.png")):
        with pytest.raises(
            OptionError, match=r"smile\.csv: shows no pictures to know a person by; count its faces"
        ):
            DriverReader(Measuring(faces=selection)).read(samples / "smile.csv", DriverOptions(), frame_rate=RATE)


def test_a_persons_number_says_nothing_of_another_picture(samples: Path) -> None:
    reader = DriverReader(Measuring(faces=FaceSelection(person=3)))
    assert reader.picture_expression(samples / "astronaut.png").shape == (action_units.COUNT,)


def test_a_face_that_is_not_there(samples: Path) -> None:
    reader = DriverReader(Measuring(faces=FaceSelection("left-right", 0)))
    with pytest.raises(LookupError, match=r"astronaut\.png: has no face 1 in the order left-right"):
        reader.read(samples / "astronaut.png", DriverOptions(face=1), frame_rate=RATE)
