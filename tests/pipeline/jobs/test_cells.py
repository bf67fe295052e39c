"""Mistakes, and where they are."""

from __future__ import annotations

import pytest

from retarget.pipeline.jobs.cells import JobSheetError, Mistakes, Place


def test_mistakes_are_told_once_and_in_order() -> None:
    mistakes = Mistakes()
    mistakes.check()
    for line in (12, 2, 12):
        mistakes.add(Place("jobs.yaml", line), "is\n wrong")
    assert mistakes
    with pytest.raises(JobSheetError) as caught:
        mistakes.check()
    assert caught.value.mistakes == ("jobs.yaml:2: is wrong", "jobs.yaml:12: is wrong")
    assert caught.value.exit_code == 2
