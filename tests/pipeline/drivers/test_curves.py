"""What curves mean, worked out by hand."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retarget.model import action_units
from retarget.pipeline.drivers.curves import CurveDriver, Performance

NTSC = Fraction(30000, 1001)
FILES = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def indices(name: str) -> list[int]:
    return list(action_units.resolve(name))


class TestKeys:
    def test_linear_by_hand_and_held_at_both_ends(self, load: Any, at: Any) -> None:
        driver = load("{ease: linear, curves: {AU12: {1: 0.2, 2s: 0.6}}}")
        values, weights = at(driver, "AU12", 0, 1, 1.25, 2, 99)
        assert values == pytest.approx([0.2, 0.2, 0.3, 0.6, 0.6])
        assert weights == [1] * 5
        assert driver.duration_seconds == 2
        assert not driver.target(np.array([1.0]), 0).additive.any() or at(driver, "AU04", 1)[1] == [0]

    def test_smooth_is_the_default(self, load: Any, at: Any) -> None:
        values, _ = at(load("curves: {AU12: {0: 0, 1: 0.8}}"), "AU12", 0.25, 0.5)
        assert values == pytest.approx([0.8 * (3 / 16 - 2 / 64), 0.4])

    def test_hold_jumps_at_the_next_key_exactly(self, load: Any, at: Any) -> None:
        driver = load("curves: {AU12: {0: [0.1, hold], 1f: [0.5, hold], 2f: 0.9}}", frame_rate=NTSC)
        frame = 1001 / 30000
        values, _ = at(driver, "AU12", 0.99 * frame, frame - 1e-9, 1.5 * frame, 2 * frame - 1e-9, 5)
        assert values == pytest.approx([0.1, 0.5, 0.5, 0.9, 0.9])

    def test_cubic_flows_and_never_overshoots(self, load: Any, at: Any) -> None:
        driver = load("curves: {AU12: {ease: cubic, keys: {0: 0, 1: 0.5, 2: 1, 3: 1, 4: 0}}}")
        values = np.array(at(driver, "AU12", *np.linspace(0, 4, 401))[0])
        assert values.max() <= 1
        assert (np.diff(values[:201]) >= -1e-7).all()
        assert values[[0, 100, 200, 300, 400]] == pytest.approx([0, 0.5, 1, 1, 0], abs=1e-6)
        slope_before, slope_after = values[100] - values[99], values[101] - values[100]
        assert slope_before == pytest.approx(slope_after, rel=0.1)  # no corner at the key between
        assert slope_before > 0.004

    def test_a_constant_has_no_end(self, load: Any, at: Any) -> None:
        driver = load("{after: release, curves: {AU04: 0.3}}")
        assert at(driver, "AU04", 0, 1e5) == (pytest.approx([0.3, 0.3]), [1, 1])
        assert driver.duration_seconds == math.inf


class TestBlend:
    def test_set_and_add(self, load: Any, moved: Any) -> None:
        driver = load("curves: {AU12: {blend: add, keys: {0: -0.3}}, AU04: 0.2}")
        target = driver.target(np.zeros(1), 0)
        assert target.additive[0, indices("AU12")].all()
        assert not target.additive[0, indices("AU04")].any()
        change = moved(target, own=0.5)[0]
        assert change[indices("AU12")] == pytest.approx(-0.3)
        assert change[indices("AU04")] == pytest.approx(0.2 - 0.5)
        assert not change[indices("AU26")].any()

    def test_add_for_all(self, load: Any) -> None:
        assert load("{blend: add, curves: {AU12: 0.1}}").target(np.zeros(1), 0).additive.all()


class TestRanges:
    RANGED = """
        curves:
          AU12:
            keys: {0: 0.5}
            ranges: [{in: 1, out: 3, ramp_in: 1, ramp_out: 0.5}, {in: 5, out: 6}]
        """

    def test_ramps_lie_inside(self, load: Any, at: Any) -> None:
        driver = load(self.RANGED)
        values, weights = at(driver, "AU12", 0.9, 1.5, 2, 2.5, 2.75, 3, 4, 5, 5.9, 6)
        assert weights == pytest.approx([0, 0.5, 1, 1, 0.5, 0, 0, 1, 1, 0], abs=1e-4)
        assert values[1:5] == pytest.approx([0.5] * 4)
        assert driver.duration_seconds == 6

    def test_of_the_whole_file(self, load: Any, at: Any) -> None:
        driver = load("{ranges: [{in: 1, out: 2}], curves: {AU12: {0: 0, 4: 1}, AU04: 0.5}}")
        assert at(driver, "AU04", 0.5, 1, 1.9, 2)[1] == [0, 1, 1, 0]
        assert driver.duration_seconds == 2

    def test_a_ramp_of_a_set_curve_is_exact_down_to_nothing(self, load: Any, moved: Any) -> None:
        driver = load("{ranges: [{in: 0, out: 2, ramp_in: 1}], curves: {AU12: 0.6}}")
        for second in (0.01, 0.05, 0.3):
            weight = 3 * second**2 - 2 * second**3
            change = moved(driver.target(np.array([second]), 0), own=0.5)[0, indices("AU12")]
            assert change == pytest.approx(weight * 0.1, abs=1e-5)


class TestAfter:
    KEYS = "{{{settings}, ease: linear, curves: {{AU12: {{0: 0, 1: 0.8}}}}}}"

    def test_release(self, load: Any, at: Any) -> None:
        driver = load(self.KEYS.format(settings="after: release, release: 1s"))
        values, weights = at(driver, "AU12", 1, 1.5, 2, 3)
        assert weights == pytest.approx([1, 0.5, 0, 0])
        assert values[:2] == pytest.approx([0.8, 0.8])

    def test_loop(self, load: Any, at: Any) -> None:
        driver = load(self.KEYS.format(settings="after: loop"))
        assert at(driver, "AU12", 0.5, 1.5, 7.25)[0] == pytest.approx([0.4, 0.4, 0.2])

    def test_offset(self, load: Any, at: Any) -> None:
        driver = load(self.KEYS.format(settings="offset: 2s"))
        assert at(driver, "AU12", 0, 2.5, 3)[0] == pytest.approx([0, 0.4, 0.8])
        assert driver.duration_seconds == 3


def test_nobody_asks_nothing() -> None:
    assert not CurveDriver(None).target(np.zeros(3), 0).weight.any()
    assert CurveDriver(Performance(())).duration_seconds == math.inf


@FILES
@given(
    keys=st.dictionaries(st.integers(0, 200), st.floats(0, 1), min_size=1, max_size=8),
    eases=st.lists(st.sampled_from(["hold", "linear", "smooth", "cubic"]), min_size=8, max_size=8),
)
def test_curves_pass_through_their_keys_and_stay_between(
    keys: dict[int, float], eases: list[str], load: Any, at: Any
) -> None:
    written = ", ".join(f"{f}f: [{v!r}, {e}]" for (f, v), e in zip(keys.items(), eases, strict=False))
    driver = load(f"curves: {{AU12: {{{written}}}}}")
    frames = sorted(keys)
    values, _ = at(driver, "AU12", *(f / 24 for f in frames))
    assert values == pytest.approx([keys[f] for f in frames], abs=1e-6)
    between, _ = at(driver, "AU12", *np.linspace(0, 9, 91))
    assert min(keys.values()) - 1e-6 <= min(between)
    assert max(between) <= max(keys.values()) + 1e-6
