"""Who is in a clip: numbers that one can count oneself, a table, a sheet; what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.pipeline.commands.main import main
from retarget.pipeline.errors import NoFaceError, OptionError, VideoWriteError
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.review.people import People, list_people


@pytest.fixture(scope="module")
def hidden(occlusion_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[People, Path]:
    """Who is in the clip with the bar, and the sheet."""
    sheet = tmp_path_factory.mktemp("people") / "people.png"
    return list_people(occlusion_clip, sheet), sheet


def test_numbers_are_those_one_can_count(hidden: tuple[People, Path]) -> None:
    people, _ = hidden
    assert (people.width, people.height, people.frames, people.seconds) == (800, 300, 100, 4.0)
    assert people.shots == ((0.0, 4.0),)
    her, him = people.persons
    assert (her.number, her.seconds, her.fraction) == (1, 4.0, 1.0)
    assert her.smallest_px <= her.size_px <= her.largest_px
    assert 150 < her.size_px < 200
    (part,) = her.shots
    assert (part.shot, part.first_seconds, part.last_seconds, part.spans) == (0, 0.0, 3.96, ((0.0, 4.0),))
    assert him.number == 2
    assert 2.0 < him.seconds < 2.6
    before, after = him.shots[0].spans
    assert before[0] == 0
    assert abs(before[1] - 1.2) < 0.13
    assert 2.7 < after[0] < 3.5
    assert after[1] == 4.0


def test_the_table_has_a_line_a_person(hidden: tuple[People, Path]) -> None:
    people, _ = hidden
    assert people.headline == "stage.mp4: 100 frames, 4.0 s, 1 shot, 2 people"
    heading, first, second = people.table()
    assert heading.split() == ["--face", "seconds", "of", "clip", "size", "px", "from..to", "shots"]
    assert first.split()[:3] == ["person:1", "4.00", "100%"]
    assert second.startswith("person:2 ")
    assert {len(line.split()[4]) > 0 for line in (first, second)} == {True}


def test_the_sheet_shows_everybody(hidden: tuple[People, Path], heads: dict[str, Any]) -> None:
    _, path = hidden
    sheet = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    assert sheet.shape[1] == 1280
    from retarget.pipeline.review.people_sheet import HEADER_PX, MARGIN_PX, PORTRAIT_PX, ROW_PX

    for row, name in enumerate(("actress", "smile")):
        top = HEADER_PX + row * ROW_PX + 12
        portrait = sheet[top : top + PORTRAIT_PX, MARGIN_PX : MARGIN_PX + PORTRAIT_PX]
        # the skin in the middle of the portrait is the skin of the sample, and not the other's
        means = {key: heads[key][45][90:130, 90:130].mean((0, 1)) for key in heads}
        middle = portrait[70:100, 70:100].mean((0, 1))
        assert min(means, key=lambda key: float(np.linalg.norm(means[key] - middle))) == name


def test_two_shots_and_irregular_times(samples: Path) -> None:
    people = list_people(samples / "cut.mov")
    assert len(people.shots) == 2
    (person,) = people.persons
    assert [part.shot for part in person.shots] == [0]
    assert person.seconds == pytest.approx(0.2, abs=0.01)
    assert person.fraction == pytest.approx(person.seconds / people.seconds, abs=1e-3)


def test_a_part_of_a_clip(occlusion_clip: Path) -> None:
    people = list_people(occlusion_clip, options=RetargetOptions(trim_start=1.6, trim_end=2.4))
    assert [(person.number, person.fraction) for person in people.persons] == [(1, 1.0)]


def test_a_picture(samples: Path, tmp_path: Path) -> None:
    people = list_people(samples / "astronaut.png", tmp_path / "a.jpg")
    assert len(people.persons) == 1
    assert (tmp_path / "a.jpg").read_bytes()[:3] == b"\xff\xd8\xff"


def test_what_is_refused(samples: Path, disc_clip: Path, tmp_path: Path) -> None:
    clip = samples / "cut.mov"
    with pytest.raises(OptionError, match=r"p\.gif: cannot write a sheet of portraits as \.gif; use \.png, \.jpg"):
        list_people(clip, tmp_path / "p.gif")
    (tmp_path / "p.png").write_bytes(b"mine")
    with pytest.raises(VideoWriteError, match=r"p\.png: exists already"):
        list_people(clip, tmp_path / "p.png")
    with pytest.raises(VideoWriteError, match="is the clip itself"):
        list_people(samples / "astronaut.png", samples / "astronaut.png", RetargetOptions(overwrite=True))
    with pytest.raises(NoFaceError, match=r"disc\.mp4: no face found"):
        list_people(disc_clip, tmp_path / "q.png")
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]


def test_the_command(samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = str(samples / "cut.mov")
    assert main(["faces", clip, "-o", str(tmp_path / "people.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "cut.mov: 51 frames, 2.0 s, 2 shots, 1 person"
    assert lines[2].startswith("person:1")
    assert (tmp_path / "people.png").exists()
    assert main(["faces", clip, "--json"]) == 0
    found: Callable[..., Any] = json.loads(capsys.readouterr().out)
    assert found == json.loads(json.dumps(asdict(list_people(clip))))
    assert main(["faces", clip, "-o", str(tmp_path / "people.png")]) == 2
    assert "exists already" in capsys.readouterr().err
