"""Boiling: on a textured picture that moves, and edits of it that do or do not."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from retarget.pipeline.review.boiling import FLOOR_LEVELS, Boiling, boiling_ratio, windowed
from retarget.pipeline.review.face_view import REGIONS, VIEW, Regions

S = VIEW.size_px
FRAMES = 7


@pytest.fixture(scope="module")
def regions() -> Regions:
    masks = {name: np.zeros((S, S), np.bool_) for name in REGIONS}
    masks["face"][:] = True
    masks["mouth"][100:130, 50:110] = True
    masks["jaw"][140:155, 20:140] = True
    return masks


@pytest.fixture(scope="module")
def plates() -> list[NDArray[np.uint8]]:
    """A texture that drifts a pixel a frame, with a little grain."""
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.uniform(0, 255, (S, S + 2 * FRAMES, 3)).astype(np.float32), (0, 0), 3)
    wide = 128 + 6 * (wide - wide.mean())
    grain = rng.normal(0, 2, (FRAMES, S, S, 3))
    return [np.clip(wide[:, i : i + S] + grain[i], 0, 255).astype(np.uint8) for i in range(FRAMES)]


def ratios(
    plates: list[NDArray[np.uint8]], edit: Callable[[int, NDArray[np.uint8]], NDArray[np.uint8]], regions: Regions
) -> dict[str, float]:
    boiling = Boiling(FRAMES)
    for i, plate in enumerate(plates):
        boiling.add(i, i, plate, edit(i, plate.copy()), regions)
    assert np.isnan(boiling.residual[[0, -1]]).all(), "they have one neighbour"
    found = boiling_ratio(boiling.residual[1:-1]).mean(axis=0)
    return dict(zip(REGIONS, found.tolist(), strict=True))


def test_no_edit_boils_as_the_source_does(plates: list[NDArray[np.uint8]], regions: Regions) -> None:
    assert ratios(plates, lambda _, plate: plate, regions)["face"] == 1


def test_an_edit_that_rides_along_does_not_boil(plates: list[NDArray[np.uint8]], regions: Regions) -> None:
    def paint(i: int, plate: NDArray[np.uint8]) -> NDArray[np.uint8]:
        plate[105:125, 80 - i : 95 - i] = 20
        return plate

    assert ratios(plates, paint, regions)["mouth"] < 1.3


def test_an_edit_that_moves_evenly_by_itself_does_not_boil(
    plates: list[NDArray[np.uint8]], regions: Regions
) -> None:
    def lift(i: int, plate: NDArray[np.uint8]) -> NDArray[np.uint8]:
        plate[60:150] = plates[0][60 + i : 150 + i] if 150 + i <= S else plate[60:150]
        return plate

    assert ratios(plates, lift, regions)["mouth"] < 1.3


def test_dots_that_come_and_go_boil_where_they_are(plates: list[NDArray[np.uint8]], regions: Regions) -> None:
    rng = np.random.default_rng(1)

    def dots(_: int, plate: NDArray[np.uint8]) -> NDArray[np.uint8]:
        for x, y in zip(rng.integers(20, 140, 60), rng.integers(140, 155, 60), strict=True):
            cv2.circle(plate, (int(x), int(y)), 1, (0, 0, 0), -1)
        return plate

    found = ratios(plates, dots, regions)
    assert found["jaw"] > 2
    assert found["mouth"] < 1.1


def test_a_gap_in_time_is_no_boiling(plates: list[NDArray[np.uint8]], regions: Regions) -> None:
    boiling = Boiling(4)
    for at, frame in enumerate((0, 1, 3, 4)):
        boiling.add(at, frame, plates[frame], plates[frame], regions)
    assert np.isnan(boiling.residual).all()


def test_a_window_is_over_what_is_known() -> None:
    series = np.array([3.0, np.nan, 3.0, 3.0])
    np.testing.assert_allclose(windowed(series), series)
    flash = np.zeros(19)
    flash[9] = 3
    np.testing.assert_allclose(windowed(flash)[[4, 5, 9, 13, 14]], [0, 1, 1, 1, 0], atol=1e-6)


def test_a_still_source_has_a_floor() -> None:
    assert boiling_ratio(np.array([0.0, 0.0])) == 1
    assert boiling_ratio(np.array([0.0, np.sqrt(3) * FLOOR_LEVELS])) == pytest.approx(2)
