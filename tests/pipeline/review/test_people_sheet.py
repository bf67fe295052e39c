"""The sheet of portraits: a row for whom one works with, the others small, whatever their number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retarget.pipeline.review.drawing import PAPER
from retarget.pipeline.review.people import People, PersonInClip, PersonInShot
from retarget.pipeline.review.people_sheet import (
    BAR_PX,
    HEADER_PX,
    MARGIN_PX,
    MOST_ROWS,
    PORTRAIT_PX,
    ROW_PX,
    SHOT_PX,
    SHOTS_X,
    WIDTH_PX,
    PeopleSheet,
    Portrait,
)


def person(number: int, seconds: float, shots: list[int]) -> PersonInClip:
    parts = tuple(PersonInShot(s, 2.0 * s, 2.0 * s + 1, seconds, 120, ((2.0 * s, 2.0 * s + 1),)) for s in shots)
    return PersonInClip(number, seconds * len(shots), seconds * len(shots) / 10, 100, 120, 140, parts)


def people(*persons: PersonInClip) -> People:
    return People(
        "film/a_clip.mov", 1920, 1080, 250, 10.0, tuple((2.0 * i, 2.0 * i + 2) for i in range(5)), persons
    )


def flat(number: int, shot: int, color: tuple[int, int, int]) -> Portrait:
    return Portrait(number, shot, 2.0 * shot, np.full((168, 168, 3), color, np.uint8))


def shown(picture: Any, x: float, y: float) -> tuple[int, ...]:
    return tuple(picture[round(y), round(x)].tolist())


def test_a_row_has_a_portrait_a_picture_a_shot_and_a_bar() -> None:
    red, green, blue = (200, 20, 20), (20, 200, 20), (20, 20, 200)
    both = people(person(1, 1.0, [0, 3]), person(2, 0.8, [1]))
    sheet = PeopleSheet(both, [flat(1, 0, red), flat(1, 3, green), flat(2, 1, blue)]).picture()
    assert sheet.shape == (HEADER_PX + 2 * ROW_PX + 8, WIDTH_PX, 3)
    top = HEADER_PX + 12
    assert shown(sheet, MARGIN_PX + PORTRAIT_PX / 2, top + PORTRAIT_PX / 2) == red
    assert shown(sheet, SHOTS_X + SHOT_PX / 2, top + SHOT_PX / 2) == red
    assert shown(sheet, SHOTS_X + 122 + SHOT_PX / 2, top + SHOT_PX / 2) == green
    assert shown(sheet, MARGIN_PX + PORTRAIT_PX / 2, top + ROW_PX + PORTRAIT_PX / 2) == blue
    bar = top + PORTRAIT_PX - BAR_PX - 16 + BAR_PX / 2
    scale = (WIDTH_PX - MARGIN_PX - SHOTS_X) / 10
    on, off = (shown(sheet, SHOTS_X + seconds * scale, bar) for seconds in (6.5, 7.5))
    assert on == shown(sheet, SHOTS_X + 0.5 * scale, bar) != off == shown(sheet, SHOTS_X + 5 * scale, bar)
    assert shown(sheet, 1, 1) == PAPER


def test_who_flits_by_stands_small_below() -> None:
    few = people(person(1, 1.0, [0]), *(person(n, 0.1, [1]) for n in range(2, 15)))
    portraits = [flat(p.number, p.shots[0].shot, (90, 90, 90)) for p in few.persons]
    sheet = PeopleSheet(few, portraits).picture()
    assert HEADER_PX + ROW_PX + 250 < sheet.shape[0] < HEADER_PX + ROW_PX + 360, "two lines of small ones"


def test_a_crowd_does_not_make_an_endless_sheet() -> None:
    crowd = people(*(person(n, 0.9, [1]) for n in range(1, 400)))
    portraits = [flat(p.number, 1, (90, 90, 90)) for p in crowd.persons]
    assert PeopleSheet(crowd, portraits).picture().shape[0] < HEADER_PX + MOST_ROWS * ROW_PX + 2000


@pytest.mark.parametrize("shots", [1, 12])
def test_everybody_has_a_row_where_all_are_brief(shots: int) -> None:
    brief = people(person(1, 0.01, list(range(shots))))
    portraits = [flat(1, shot, (90, 90, 90)) for shot in range(shots)]
    assert PeopleSheet(brief, portraits).picture().shape[0] == HEADER_PX + ROW_PX + 8
