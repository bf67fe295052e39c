"""Which faces are meant, as people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.errors import OptionError
from retarget.pipeline.faces.selection import FaceSelection


@pytest.mark.parametrize(
    ("text", "order", "index"),
    [
        ("large-small", "large-small", 0),
        ("2", "large-small", 2),
        ("left-right:1", "left-right", 1),
        ("all", "left-right", None),
        ("best-worst:all", "best-worst", None),
        (" Top-Bottom ", "top-bottom", 0),
    ],
)
def test_parse(text: str, order: str, index: int | None) -> None:
    assert FaceSelection.parse(text) == FaceSelection(order, index)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["", "biggest", "left-right:x", "-1", "2:1", "all:1", "left-right:-1", "left-right:²"]
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(OptionError, match="is unknown; use all, a number from 0, one of large-small") as refusal:
        FaceSelection.parse(text)
    assert repr(text) in str(refusal.value)


def test_persons_and_pictures() -> None:
    assert FaceSelection.parse("person:2") == FaceSelection(person=2)
    assert FaceSelection.parse(" Person:1 ") == FaceSelection(person=1)
    assert FaceSelection.parse("cast/Anna B.PNG") == FaceSelection(picture=Path("cast/Anna B.PNG"))
    assert FaceSelection.parse("person:2").is_of_person
    assert FaceSelection.parse("anna.jpg").is_of_person
    assert not FaceSelection.parse("left-right:2").is_of_person
    with pytest.raises(OptionError, match="person:0 is nobody; persons are numbered from 1"):
        FaceSelection.parse("person:0")
    for text in ("person:", "person", "person:anna", "person:-1", "anna.mp4"):
        with pytest.raises(OptionError, match=r"is unknown; .* person:NUMBER, or a picture of the face"):
            FaceSelection.parse(text)
