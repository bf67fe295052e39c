"""Lips that are to touch, whatever the driver's and the source's rest are."""

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.edit.lips import lips_shut, touching
from retarget.pipeline.records import TOUCHING_AU25, Target

C = action_units.COUNT
(PART,) = action_units.resolve("AU25")


def parted(*values: float) -> np.ndarray:
    out = np.zeros((len(values), C), np.float32)
    out[:, PART] = values
    return out


def wish(*together: float) -> Target:
    nothing = parted(*(0 for _ in together))
    return Target(nothing, nothing, nothing != 0, np.array(together, np.float32))


def test_a_mouth_that_rests_ajar_shuts() -> None:
    shut = lips_shut(parted(0, 0.3, -0.1), parted(0.2, 0.2, 0.2), np.ones(3, np.float32))
    np.testing.assert_allclose(shut[:, PART], -0.2, atol=1e-6)


def test_half_of_it_is_half_of_the_way() -> None:
    shut = lips_shut(parted(0), parted(0.4), np.array([0.5], np.float32))
    assert shut[0, PART] == pytest.approx(-0.5 * (0.4 - 0.5 * TOUCHING_AU25))


def test_whoever_is_driven_by_themselves_stays_as_they_are() -> None:
    own = parted(*np.linspace(0, 2 * TOUCHING_AU25, 9))
    contact = (1 - np.clip(own[:, PART] / TOUCHING_AU25, 0, 1)).astype(np.float32)
    np.testing.assert_allclose(lips_shut(parted(*np.zeros(9)), own, contact), 0, atol=1e-7)


def test_strength_regions_and_fades_count() -> None:
    gain = np.ones(C)
    gain[PART] = 0.5
    np.testing.assert_allclose(touching(wish(1, 0.6), gain, np.array([1.0, 0.5])), [0.5, 0.15])
    gain[PART] = 0
    assert not touching(wish(1), gain, np.ones(1)).any()
    gain[PART] = 3
    assert touching(wish(1), gain, np.ones(1)).tolist() == [1]


def test_a_driver_without_a_word_about_lips_shuts_none() -> None:
    nothing = parted(0)
    assert not touching(Target(nothing, nothing, nothing != 0), np.ones(C), np.ones(1)).any()
