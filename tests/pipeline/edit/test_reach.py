"""Nothing opens further than can be shown, and nothing else is touched."""

from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.edit.reach import LEFT_EYE_OPENER, MOUTH_OPENER, Opener, held_back

JAW, SMILE, BLINK_LEFT = (action_units.resolve(name)[0] for name in ("AU26", "AU12L", "AU45L"))
SECONDS = np.arange(40) / 25


def asked(**units: float) -> Any:
    delta = np.zeros((40, action_units.COUNT), np.float32)
    for name, value in units.items():
        delta[:, list(action_units.resolve(name))] = value
    return delta


def jaw_gap(delta: Any) -> Any:
    """A mouth that the jaw opens by its own number, from 0.1."""
    return 0.1 + delta[:, [JAW]].astype(float)


def test_what_is_shown_is_opened_as_asked() -> None:
    delta = asked(AU26=0.3, AU12=0.5)
    out, left = held_back(delta, [MOUTH_OPENER], np.full((40, 1), 0.5), jaw_gap, SECONDS)
    np.testing.assert_array_equal(out, delta)
    assert (left == 1).all()


def test_more_than_is_shown_is_held_back_and_the_smile_stays() -> None:
    out, left = held_back(asked(AU26=0.9, AU12=0.5), [MOUTH_OPENER], np.full((40, 1), 0.4), jaw_gap, SECONDS)
    np.testing.assert_allclose(jaw_gap(out), MOUTH_OPENER.slack * 0.4, rtol=1e-3)
    np.testing.assert_allclose(left, (MOUTH_OPENER.slack * 0.4 - 0.1) / 0.9, rtol=1e-3)
    np.testing.assert_array_equal(out[:, SMILE], 0.5)


def test_a_dark_slit_can_always_be_shown() -> None:
    out, _ = held_back(asked(AU26=0.9), [MOUTH_OPENER], np.zeros((40, 1)), jaw_gap, SECONDS)
    np.testing.assert_allclose(jaw_gap(out), MOUTH_OPENER.always, rtol=1e-3)


def test_a_moment_is_held_back_without_a_jump_and_never_too_little() -> None:
    delta = asked(AU26=0.1)
    delta[20, JAW] = 0.9
    out, left = held_back(delta, [MOUTH_OPENER], np.full((40, 1), 0.4), jaw_gap, SECONDS)
    assert jaw_gap(out)[20, 0] <= MOUTH_OPENER.slack * 0.4 + 1e-6
    assert np.abs(np.diff(left[:, 0])).max() < 0.35
    assert left[5, 0] == left[35, 0] == 1


def test_a_blink_that_is_undone_opens_no_further_than_is_shown() -> None:
    def gap(delta: Any) -> Any:
        return 0.05 - 0.3 * delta[:, [BLINK_LEFT]].astype(float)

    out, _ = held_back(asked(AU45=-1.0), [LEFT_EYE_OPENER], np.full((40, 1), 0.15), gap, SECONDS)
    np.testing.assert_allclose(gap(out), LEFT_EYE_OPENER.slack * 0.15, rtol=1e-3)
    right = list(action_units.resolve("AU45R"))
    np.testing.assert_array_equal(out[:, right], -1)


def test_what_shuts_is_not_held_back() -> None:
    delta = asked(AU26=-0.5, AU45=1.0)
    out, _ = held_back(delta, [MOUTH_OPENER], np.zeros((40, 1)), jaw_gap, SECONDS)
    np.testing.assert_array_equal(out, delta)


def test_a_single_moment() -> None:
    out, left = held_back(asked(AU26=0.9)[:1], [MOUTH_OPENER], np.array([[0.4]]), jaw_gap, SECONDS[:1])
    assert jaw_gap(out)[0, 0] == pytest.approx(MOUTH_OPENER.slack * 0.4)
    assert left.shape == (1, 1)


def test_openers_name_units_of_the_schema() -> None:
    for opener in (MOUTH_OPENER, LEFT_EYE_OPENER):
        assert isinstance(opener, Opener)
        for name in (*opener.units, *opener.shutters):
            assert action_units.resolve(name)
