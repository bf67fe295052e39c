"""What a run can be asked for: refused at once where it makes no sense, and handed on in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.errors import OptionError, VideoOpenError
from retarget.pipeline.faces import FaceSelection
from retarget.pipeline.options import RetargetOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "replace"}, "mode 'replace' is unknown; use match or add"),
        ({"after": "stop"}, "after 'stop' is unknown; use release, hold or loop"),
        ({"refine": 3}, r"3 rounds of refining make no sense; use 0 \(off\) to 2"),
        ({"refine": -1}, "-1 rounds of refining"),
    ],
)
def test_senseless_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        RetargetOptions(**options)


def test_the_parts() -> None:
    options = RetargetOptions(
        driver_neutral=Path("rest.png"), gaze=True, driver_faces=FaceSelection("left-right", 2), min_face_px=40
    )
    assert options.measuring().neutral_picture == Path("rest.png")
    assert options.measuring().gaze
    assert options.driver_options().neutral == "auto"
    assert options.driver_options().face == 2
    assert options.track_options().min_face_px == 40
    assert options.files() == [Path("rest.png")]
    assert not options.is_trimmed
    assert RetargetOptions(trim_end=1.0).is_trimmed


def test_what_is_read_may_be_renamed() -> None:
    options = RetargetOptions(
        faces=FaceSelection(picture=Path("anna.png")),
        driver_faces=FaceSelection(picture=Path("bert.png")),
        driver_neutral=Path("rest.png"),
        references=(Path("take.mov"), Path("stills")),
        checkpoint=Path("net.pt"),
    )
    assert options.face_pictures() == [Path("anna.png"), Path("bert.png")]
    named = ["rest.png", "anna.png", "bert.png", "take.mov", "stills", "net.pt"]
    assert options.files() == [Path(name) for name in named]
    moved = options.with_files(lambda path: Path("cast") / path)
    assert moved.files() == [Path("cast") / name for name in named]
    assert moved.face_pictures() == [Path("cast/anna.png"), Path("cast/bert.png")]
    assert moved.driver_neutral == Path("cast/rest.png")
    assert moved.source_neutral == "auto"
    plain = RetargetOptions(source_neutral=0.5)
    assert plain.face_pictures() == plain.files() == []
    assert plain.with_files(lambda path: Path("cast") / path) == plain


def test_a_folder_of_references_stands_for_what_is_in_it(tmp_path: Path) -> None:
    for name in ("b.mov", "a.png", "notes.txt", ".c.mov"):
        (tmp_path / name).touch()
    options = RetargetOptions(references=(Path("take.mov"), tmp_path))
    assert options.reference_files() == [Path("take.mov"), tmp_path / "a.png", tmp_path / "b.mov"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(VideoOpenError, match="empty: has no films or pictures in it; name another folder"):
        RetargetOptions(references=(tmp_path / "empty",)).reference_files()
