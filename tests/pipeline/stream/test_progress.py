"""Stages are types, and still the words that a bar shows."""

from __future__ import annotations

from retarget.pipeline.stream.progress import Stage, no_progress


def test_a_stage_is_its_word() -> None:
    assert f"{Stage.RETARGET:>8}" == "retarget"
    assert Stage("QC output") is Stage.QC_OUTPUT
    assert len({stage.value for stage in Stage}) == len(Stage)


def test_no_progress_hands_on_the_very_items() -> None:
    items = [1, 2]
    assert no_progress(items, Stage.TRACK, 2) is items
