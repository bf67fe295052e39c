"""What is seen of a face: on looks made up."""

from __future__ import annotations

import numpy as np
import pytest

from retarget.pipeline.review.look import CELLS, Look, LookSeries


def look(level: float = 100.0, cells: int = 80, sharpness: float = 0.5) -> Look:
    return Look(sharpness, np.full((4, 4), level, np.float32), np.full((CELLS**2, 3), cells, np.uint8))


def test_an_edit_left_out_in_one_frame_departs_by_all_of_it() -> None:
    series = LookSeries(np.arange(10, 15))
    for at, change in enumerate([4.0, 4.0, 0.0, 4.0, 4.0]):
        series.add(at, look(100), look(100 + change))
    # Its own frame departs by 4 levels; for the two beside it half of that departs, and half is their neighbours'.
    np.testing.assert_allclose(series.pop[:, 0], [np.nan, 0, 4, 0, np.nan])
    np.testing.assert_allclose(series.pop[:, 1], [np.nan, 2, 4, 2, np.nan])


def test_a_frame_without_neighbours_departs_from_none() -> None:
    series = LookSeries(np.array([10, 11, 13, 14]))  # 12 was lost
    for at in range(4):
        series.add(at, look(), look())
    assert np.isnan(series.pop).all()


def test_sharpness_is_of_source_and_output() -> None:
    series = LookSeries(np.arange(2))
    series.add(0, look(sharpness=0.5), look(sharpness=0.3))
    np.testing.assert_array_equal(series.sharpness, [[0.5, 0.3], [np.nan, np.nan]])


def test_another_colour_in_a_part_covers_it_and_another_light_does_not() -> None:
    series = LookSeries(np.arange(5))
    for at in range(5):
        seen = look(cells=80 if at != 1 else 140)  # in frame 1 all is lighter
        if at == 3:
            seen.cells[: CELLS**2 // 4] = 200
        series.add(at, seen, look())
    assert series.covered.tolist() == [0, 0, 0, pytest.approx(0.25), 0]
