"""Colours that were seen and that were not: on flat pictures, each with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from retarget.pipeline.review.face_view import REGIONS, VIEW, Regions
from retarget.pipeline.review.palette import Palette, PersonColors, Zones, cells_of

S = VIEW.size_px
SKIN, LIPS, HAIR, GREEN = (200, 150, 130), (150, 40, 50), (40, 30, 25), (20, 200, 40)
LIPS_AT, EYE_AT, CHIN_AT = np.s_[100:120, 60:100], np.s_[50:60, 40:60], np.s_[130:140, 70:90]


def box() -> NDArray[np.uint8]:
    """Skin with lips, hair around."""
    picture = np.full((S, S, 3), HAIR, np.uint8)
    picture[20:150, 20:140] = SKIN
    picture[LIPS_AT] = LIPS
    return picture


@pytest.fixture
def zones() -> Zones:
    lower, inside = np.zeros((S, S), np.bool_), np.zeros((S, S), np.bool_)
    lower[90:], inside[26:144, 26:134] = True, True
    return Zones(lower, inside)


@pytest.fixture
def regions() -> Regions:
    masks = {name: np.zeros((S, S), np.bool_) for name in REGIONS}
    masks["face"][:] = True
    masks["mouth"][95:125, 55:105] = True
    masks["eyes"][45:65, 35:65] = True
    return masks


def test_a_colour_beside_a_seen_one_is_known_and_another_is_not() -> None:
    palette = Palette()
    palette.add(cells_of(np.full((1, 1, 3), SKIN, np.uint8)).ravel())
    shades = np.array([[SKIN, np.add(SKIN, 3), np.add(SKIN, 40), GREEN]], np.uint8)
    assert palette.knows(cells_of(shades)).tolist() == [[True, True, False, False]]


def test_nothing_is_strange_in_the_source_itself(zones: Zones, regions: Regions) -> None:
    colors = PersonColors()
    colors.add(0, 0, box(), box(), zones, regions)
    np.testing.assert_array_equal(colors.never_seen(0, 1), 0)


@pytest.mark.parametrize(
    ("place", "color", "per_mille"),
    [
        (EYE_AT, GREEN, {"face": 200, "eyes": 200}),
        (EYE_AT, LIPS, {"face": 200, "eyes": 200}),  # as red as a lip, and no eye was
        (EYE_AT, HAIR, {"face": 200, "eyes": 200}),  # which is beside the face, not in it
        (EYE_AT, SKIN, {}),
        (LIPS_AT, SKIN, {}),
        (CHIN_AT, LIPS, {}),  # a lip may come down there
        (CHIN_AT, GREEN, {"face": 200}),
    ],
)
def test_what_may_be_where(
    place: tuple[slice, slice],
    color: tuple[int, int, int],
    per_mille: dict[str, int],
    zones: Zones,
    regions: Regions,
) -> None:
    painted, colors = box(), PersonColors()
    painted[place] = color
    colors.add(0, 0, box(), painted, zones, regions)
    expected = [per_mille.get(name, 0) * 1000 / S**2 for name in REGIONS]
    np.testing.assert_allclose(colors.never_seen(0, 1)[0], expected)


def test_a_colour_that_comes_later_was_seen_too(zones: Zones, regions: Regions) -> None:
    painted, colors = box(), PersonColors()
    painted[CHIN_AT] = GREEN
    colors.add(0, 0, box(), painted, zones, regions)
    assert colors.never_seen(0, 1)[0, 0] > 0
    colors.add(1, 0, painted, painted, zones, regions)  # in another shot of the same person
    np.testing.assert_array_equal(colors.never_seen(0, 1), 0)


def test_tracks_are_told_apart(zones: Zones, regions: Regions) -> None:
    painted, colors = box(), PersonColors()
    painted[CHIN_AT] = GREEN
    colors.add(0, 0, box(), box(), zones, regions)
    colors.add(1, 2, box(), painted, zones, regions)
    assert colors.never_seen(0, 3)[:, 0].tolist() == [0, 0, 0]
    assert colors.never_seen(1, 3)[:, 0].tolist() == [0, 0, pytest.approx(200 * 1000 / S**2)]
