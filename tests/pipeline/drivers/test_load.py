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
    assert target.lips_together is not None, "our own table says it like the clip"
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


def test_a_captures_frame_rate_is_the_drivers(tmp_path: Path) -> None:
    """Said as an option, or in the curve file that plays it, which goes first."""
    table = tmp_path / "a.csv"
    table.write_text("frame,AU12_r\n" + "".join(f"{i + 1},{i / 10}\n" for i in range(50)))
    curve = tmp_path / "a.yaml"
    reader = DriverReader()
    asked = DriverOptions(frame_rate=Fraction(25))
    assert reader.read(table, DriverOptions(), frame_rate=RATE).duration_seconds == pytest.approx(50 / 30)
    assert reader.read(table, asked, frame_rate=RATE).duration_seconds == pytest.approx(2)
    curve.write_text("driver: a.csv\n")
    assert reader.read(curve, asked, frame_rate=RATE).duration_seconds == pytest.approx(2)
    curve.write_text("driver: {file: a.csv, frame_rate: 50}\n")
    assert reader.read(curve, asked, frame_rate=RATE).duration_seconds == pytest.approx(1)
    curve.write_text("driver: {file: a.csv, frame_rate: fast}\n")
    with pytest.raises(DriverError, match=r"a\.yaml, line 1: frame rate 'fast' makes no sense"):
        reader.read(curve, asked, frame_rate=RATE)


def test_a_clip_has_no_use_for_a_frame_rate(samples: Path) -> None:
    asked = DriverOptions(frame_rate=Fraction(25))
    driver = DriverReader().read(samples / "astronaut.png", asked, frame_rate=RATE)
    assert "astronaut.png: plays at its own times" in driver.notes[0]


def test_lost_rows_are_no_neighbours_to_smooth_with(tmp_path: Path) -> None:
    """A steady smile stays steady right up to a loss, whatever the lost rows say."""
    table = tmp_path / "a.csv"
    rows = [f"{i / 30},{int(not 20 <= i < 26)},{0 if 20 <= i < 26 else 4}" for i in range(60)]
    table.write_text("\n".join(["timestamp,success,AU12_r", *rows]))
    driver = DriverReader(Measuring(smooth_seconds=0.4)).read(
        table, DriverOptions(neutral="none"), frame_rate=RATE
    )
    smile = driver.target(np.arange(59) / 30, 0).values[:, action_units.resolve("AU12L")[0]]
    assert smile.tolist() == pytest.approx([0.8] * 59)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pdf", b"%PDF-1.4\x00\x01\x02", r"a\.pdf: is no driver that is known; give a clip, a picture, curves"),
        ("a.log", b"hello, world\n", r"a\.log: no known capture format: it looks like a table of 2 columns"),
        ("a.csv", b"source,driver\nx,y\n", r"it looks like a job sheet, for 'retarget batch'\. Known are "),
    ],
)
def test_what_is_no_driver(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DriverError, match=message):
        DriverReader().read(path, DriverOptions(), frame_rate=RATE)
