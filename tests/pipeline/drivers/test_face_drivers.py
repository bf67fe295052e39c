"""Several drivers at once: each face has its own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.drivers.face_drivers import FaceDrivers
from retarget.pipeline.records import Target

AU12 = action_units.resolve("AU12")[0]


class Constant:
    """Asks AU12 of every face."""

    def __init__(self, value: float, duration_seconds: float = math.inf, notes: tuple[str, ...] = ()) -> None:
        self._value, self.duration_seconds, self.notes = value, duration_seconds, notes
        self.asked: list[int] = []

    def target(self, seconds: Any, face: int) -> Target:
        self.asked.append(face)
        values = np.zeros((len(seconds), action_units.COUNT), np.float32)
        values[:, AU12] = self._value
        return Target(values, np.ones_like(values), np.zeros(values.shape, np.bool_))


def test_each_face_has_its_own_driver() -> None:
    first, second = Constant(0.25), Constant(0.75)
    drivers, seconds = FaceDrivers([first, second]), np.arange(3.0)
    assert drivers.target(seconds, 0).values[:, AU12].tolist() == [0.25] * 3
    assert drivers.target(seconds, 1).values[:, AU12].tolist() == [0.75] * 3
    assert (first.asked, second.asked) == ([0], [1])
    beyond = drivers.target(seconds, 2)
    assert beyond.weight.shape == (3, action_units.COUNT)
    assert not beyond.weight.any(), "a face too many is asked nothing"


@pytest.mark.parametrize(
    ("ends", "end"), [((2.0, 5.0), 5.0), ((2.0, math.inf), 2.0), ((math.inf, math.inf), math.inf)]
)
def test_the_longest_that_ends_counts(ends: tuple[float, float], end: float) -> None:
    assert FaceDrivers([Constant(0, seconds) for seconds in ends]).duration_seconds == end


def test_notes_are_said_once() -> None:
    drivers = FaceDrivers([Constant(0, notes=("a", "b")), Constant(0, notes=("b",))])
    assert drivers.notes == ("a", "b")
