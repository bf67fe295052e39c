"""PySceneDetect's scene lists, and what is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from retarget.pipeline.editorial.load import load_timeline
from retarget.pipeline.editorial.timeline import TimelineError

from .conftest import write

MakeFilm = Callable[..., Path]

HEADER = "Scene Number,Start Frame,Start Timecode,End Frame\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a,b\n1,2\n", "is no scene list; write one with `scenedetect"),
        (HEADER, "lists no scene; detect them again"),
        (
            HEADER + "1,1,00:00:00.000,10\n2,eleven,x,20\n",
            r"csv:3: needs whole numbers for Scene Number, Start Frame",
        ),
        (
            "Timecode List:,x\n" + HEADER + "1,11,00:00:00.000,10\n",
            r"csv:3: scene 1 runs from frame 11 to 10; correct",
        ),
    ],
)
def test_scene_lists_that_cannot_be_read(tmp_path: Path, make_film: MakeFilm, text: str, complaint: str) -> None:
    with pytest.raises(TimelineError, match=complaint):
        load_timeline(write(tmp_path / "s.csv", text), source=make_film(tmp_path / "film.mov"))
