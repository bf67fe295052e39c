"""Cells as numbers."""

from __future__ import annotations

import math

import pytest

from retarget.pipeline.drivers.capture_table import number_in


@pytest.mark.parametrize(
    "cell", ["", " ", "nan", "NaN", "-nan", "-nan(ind)", "-1.#IND", "1.#QNAN", "NA", "#N/A", "null", "None"]
)
def test_no_value(cell: str) -> None:
    assert math.isnan(number_in(cell))


@pytest.mark.parametrize(
    ("cell", "value"), [("0.5", 0.5), ("0,5", 0.5), ("-1e-3", -0.001), (" 2 ", 2), ("-3,25", -3.25)]
)
def test_numbers(cell: str, value: float) -> None:
    assert number_in(cell) == value


@pytest.mark.parametrize("cell", ["high", "inf", "1,234.5", "1,2,3", "0.5.5"])
def test_no_numbers(cell: str) -> None:
    assert math.isinf(number_in(cell))
