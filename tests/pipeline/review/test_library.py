"""What takes and stills hold: values that one can look up, a table, a sheet, and what is refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.pipeline.commands.main import main
from retarget.pipeline.errors import VideoOpenError, VideoWriteError
from retarget.pipeline.faces import Collector
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.records import TrackedFrame
from retarget.pipeline.review.library import Library, library_of, list_library


@pytest.fixture(scope="module")
def listed(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Library, Path]:
    """What the woman's clip, and a folder of another's picture and her own, hold; and the sheet."""
    folder = tmp_path_factory.mktemp("library")
    takes = folder / "takes"
    takes.mkdir()
    (takes / "a.png").write_bytes((samples / "astronaut.png").read_bytes())
    with_her = cv2.VideoCapture(str(samples / "actress.mp4"))
    cv2.imwrite(str(takes / "b.png"), with_her.read()[1])
    sheet = folder / "sheet.png"
    return list_library([samples / "actress.mp4", takes], sheet), sheet


def test_what_there_is_of_whom(listed: tuple[Library, Path]) -> None:
    library, _ = listed
    her, other = library.persons
    assert library.headline == "3 files, 2 people"
    assert (her.number, her.frames, her.files) == (1, 79, ("actress.mp4", "b.png"))
    assert (other.number, other.frames, other.files) == (2, 1, ("a.png",))
    value = {extreme.what: extreme.value for extreme in her.extremes}
    assert value["mouth widest"] > value["mouth shut most"] > 0.06, "she smiles all the time"
    assert value["eyes shut most"] < 0.13 < 0.35 < value["eyes widest"], "and blinks"
    (blink,) = (extreme for extreme in her.extremes if extreme.what == "eyes shut most")
    assert blink.file.endswith("actress.mp4")
    assert blink.seconds == pytest.approx(blink.frame * 1001 / 24000, abs=1e-3)
    assert [line.partition(" beyond")[0] for line in her.lacks] == [
        "no frame with the mouth open",
        f"no frame with the mouth shut (at least {value['mouth shut most']:.2f} open)",
        "no frame turned to the left",
        "no frame turned to the right",
    ]


def test_a_table(listed: tuple[Library, Path]) -> None:
    library, _ = listed
    lines = list(library.table())
    assert lines[0] == "person 1: 79 frames in actress.mp4, b.png"
    assert lines[1].split()[:2] == ["mouth", "widest"]
    assert lines[7].startswith("  lacks: no frame with the mouth open beyond 0.3")
    assert len(lines) == 16


def test_the_sheet_has_everybody(listed: tuple[Library, Path]) -> None:
    _, path = listed
    sheet = cv2.imread(str(path))
    assert sheet.shape[1] == 1280
    from retarget.pipeline.review.library_sheet import HEADER_PX, MARGIN_PX, SHOWN_PX, STEP_PX

    for place in range(6):
        x, y = MARGIN_PX + place * STEP_PX, HEADER_PX + 40
        assert sheet[y : y + SHOWN_PX, x : x + SHOWN_PX].std() > 20


def test_turned_heads_and_unsure_ones(make_face: Any, make_info: Any) -> None:
    def lacks(*faces: Any) -> tuple[str, ...]:
        collector = Collector(make_info())
        for _ in collector.collect(TrackedFrame(i, i, i / 25, 0, (face,)) for i, face in enumerate(faces)):
            pass
        found = collector.analysis()
        (track,) = found.tracks
        known = replace(track, person=1, descriptors=np.zeros((1, 128), np.float32))
        (person,) = library_of([replace(found, tracks=(known,))]).persons
        return person.lacks

    straight, left, right = (make_face(yaw=yaw) for yaw in (0, -25, 25))
    assert "no frame turned to the left beyond 0 degrees" in lacks(straight, right)
    assert not any("turned" in line for line in lacks(straight, left, right))
    assert lacks(make_face(confidence=0.1)) == ("any frame in which the face is surely seen",)


def test_the_command(
    samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    still = str(samples / "astronaut.png")
    assert main(["faces", "--library", still, "--json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(asdict(list_library([still]))))
    with pytest.raises(SystemExit) as stop:
        main(["faces", still, still])
    assert stop.value.code == 2
    assert "several clips are for --library; name one" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_refused(samples: Path, tmp_path: Path) -> None:
    still = samples / "astronaut.png"
    with pytest.raises(VideoWriteError, match="is one of the clips"):
        list_library([still], still, RetargetOptions(overwrite=True))
    with pytest.raises(VideoOpenError, match="has no films or pictures in it"):
        list_library([tmp_path])
