"""What somebody may have meant."""

from __future__ import annotations

from retarget.model.suggestions import suggestion

KNOWN = ("strength", "gain", "region")


def test_the_nearest_is_named() -> None:
    assert suggestion("strenght", KNOWN, "none") == "did you mean strength?"
    assert suggestion("gian", iter(KNOWN), "none", quoted="'{}'") == "did you mean 'gain'?"


def test_nothing_near_is_no_guess() -> None:
    assert suggestion("colour", KNOWN, "known are three") == "known are three"
    assert suggestion("strenght", KNOWN, "none", cutoff=1) == "none"
