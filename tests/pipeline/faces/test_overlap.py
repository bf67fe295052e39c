"""Boxes of faces that cover each other."""

from typing import Any

import numpy as np
import pytest

from retarget.pipeline.faces.overlap import share_of_smaller


def corners(left: float, top: float, right: float, bottom: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array([left, top]), np.array([right, bottom])


@pytest.mark.parametrize(
    ("other", "share"),
    [((0, 0, 4, 4), 1.0), ((1, 1, 2, 2), 1.0), ((2, 0, 6, 4), 0.5), ((4, 0, 8, 4), 0.0), ((9, 9, 12, 12), 0.0)],
)
def test_the_smaller_counts(other: tuple[float, float, float, float], share: float) -> None:
    one = corners(0, 0, 4, 4)
    assert share_of_smaller(*one, *corners(*other)) == pytest.approx(share)
    assert share_of_smaller(*corners(*other), *one) == pytest.approx(share)


def test_overlap_is_relative_to_the_smaller() -> None:
    def box(left: float, right: float) -> tuple[Any, Any]:
        return np.array([left, 0.0]), np.array([right, 10.0])

    assert share_of_smaller(*box(0, 10), *box(0, 10)) == 1
    assert share_of_smaller(*box(0, 10), *box(5, 15)) == 0.5
    assert share_of_smaller(*box(0, 10), *box(2, 4)) == 1
    assert share_of_smaller(*box(0, 10), *box(20, 30)) == 0
