"""Named expressions against the publications."""

from __future__ import annotations

import pytest

from retarget.model import action_units
from retarget.pipeline.drivers.expressions import ALIASES, EXPRESSIONS, named_expression


@pytest.mark.parametrize("name", [*EXPRESSIONS, *ALIASES])
def test_every_name_is_in_range_and_in_the_schema(name: str) -> None:
    for unit, value in named_expression(name).items():
        assert action_units.resolve(unit)
        assert 0 <= value <= 1


def test_published_combinations() -> None:
    """EMFACS: happiness 6+12, sadness 1+4+15, surprise 1+2+5B+26, disgust 9+15+16, contempt R12A+R14A."""
    assert set(EXPRESSIONS["happiness"]) == {"AU06", "AU12"}
    assert set(EXPRESSIONS["sadness"]) == {"AU01", "AU04", "AU15"}
    assert set(EXPRESSIONS["surprise"]) == {"AU01", "AU02", "AU05", "AU26"}
    assert set(EXPRESSIONS["anger"]) == {"AU04", "AU05", "AU07", "AU23"}
    assert set(EXPRESSIONS["disgust"]) == {"AU09", "AU15", "AU16"}
    assert EXPRESSIONS["contempt"] == {"AU12R": 0.2, "AU14R": 0.2}
    assert named_expression("Polite Smile") == {"AU12": 0.5}
