"""How a request becomes relative action units: what is refused, and which units a region means."""

from __future__ import annotations

import pytest

from retarget.model import action_units
from retarget.pipeline.edit.options import PlanOptions, units_of
from retarget.pipeline.errors import OptionError, UnknownActionUnitError

C = action_units.COUNT
SMILE = list(action_units.resolve("AU12"))


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), 11, -10.5])
def test_senseless_strength(strength: float) -> None:
    with pytest.raises(OptionError, match=r"strength .* makes no sense; 1 is as driven"):
        PlanOptions(strength=strength)


@pytest.mark.parametrize("seconds", [-0.1, 6, float("nan")])
def test_senseless_smoothing(seconds: float) -> None:
    with pytest.raises(OptionError, match=r"smoothing over .* s makes no sense; use 0"):
        PlanOptions(smooth_seconds=seconds)


@pytest.mark.parametrize("gain", [float("nan"), -11])
def test_senseless_gain(gain: float) -> None:
    with pytest.raises(OptionError, match=rf"gain {gain} of AU12 makes no sense; 1 is as driven"):
        PlanOptions(gains={"AU12": gain})


def test_names_are_checked_before_the_work() -> None:
    with pytest.raises(UnknownActionUnitError, match="unknown action unit 'AU99'"):
        PlanOptions(gains={"AU99": 1.0})
    with pytest.raises(UnknownActionUnitError, match="region 'chin' is none of"):
        PlanOptions(regions=("chin",))


def test_regions_and_units_mix() -> None:
    assert units_of(["AU12", "au1L"]) == tuple(sorted([*SMILE, action_units.resolve("AU01L")[0]]))
    assert set(units_of(["Mouth"])) == set(action_units.in_regions(["mouth"]))
    assert set(units_of(["eyes", "AU26"])) == {*action_units.in_regions(["eyes"]), *action_units.resolve("AU26")}
    assert set(units_of(["upper", "lower"])) == set(range(C))
    assert units_of([]) == ()


def test_an_unknown_region_is_named() -> None:
    with pytest.raises(UnknownActionUnitError, match="region 'chin' is none of upper, lower, eyes, mouth, and"):
        units_of(["upper", "chin"])
