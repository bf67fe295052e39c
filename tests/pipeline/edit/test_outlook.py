"""Mouth and eyes before and after an edit, a few moments at a time."""

from typing import Any

import numpy as np
import pytest

from retarget.pipeline.edit import outlook as module
from retarget.pipeline.edit.looks import Seen, looks_of
from retarget.pipeline.edit.options import PlanOptions
from retarget.pipeline.edit.outlook import Outlook
from retarget.pipeline.edit.parts import MOUTH_PART, PARTS
from retarget.pipeline.edit.plan import Plans, plan_faces
from retarget.pipeline.edit.render import Renderer

MOUTH_AT = PARTS.index(MOUTH_PART)
WIDTH = 0.1


@pytest.fixture
def renderer(jaw_renderer: Any) -> Renderer:
    made: Renderer = jaw_renderer(0.5)
    return made


@pytest.fixture
def planned(analysed: Any, open_mouth: Any, fixed_driver: Any) -> Plans:
    analysis = analysed([(open_mouth(0.02 * (i % 5)),) for i in range(20)])
    return plan_faces(analysis, fixed_driver({"AU26": 0.5}, additive=True), PlanOptions(neutral="none"))


def outlook_of(plans: Plans, renderer: Renderer) -> Outlook:
    return Outlook(plans, plans.faces[0], np.arange(20), renderer)


def test_what_is_wanted_is_what_the_geometry_does(planned: Plans, renderer: Renderer) -> None:
    wanted = outlook_of(planned, renderer).wanted(planned.faces[0])[MOUTH_AT]
    assert len(wanted.seconds) == 20
    assert (wanted.gaps > wanted.plate_gaps + 0.1).all()
    assert np.ptp(wanted.plate_gaps) > 0.05


def test_however_many_are_held_it_is_the_same(
    planned: Plans, renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = outlook_of(planned, renderer).wanted(planned.faces[0])
    monkeypatch.setattr(module, "AT_ONCE", 3)
    in_threes = outlook_of(planned, renderer).wanted(planned.faces[0])
    for one, other in zip(at_once, in_threes, strict=True):
        np.testing.assert_array_equal(one.gaps, other.gaps)
        np.testing.assert_array_equal(one.rotations, other.rotations)
        for shape, same in zip(one.shapes, other.shapes, strict=True):
            np.testing.assert_array_equal(shape, same)


def test_only_frames_of_about_the_pose_count_as_seen(
    planned: Plans, renderer: Renderer, analysed: Any, open_mouth: Any
) -> None:
    outlook = outlook_of(planned, renderer)
    own = outlook.wanted(planned.faces[0])[MOUTH_AT].plate_gaps
    for yaw, counts in ((0.0, True), (45.0, False)):
        analysis = analysed([(open_mouth(0.4 if yaw == 0 else 0.0, yaw=yaw),)] * 3)
        looks = looks_of([Seen(0, analysis, analysis.tracks[0])], MOUTH_PART)
        shown = outlook.shown(MOUTH_AT, looks)
        assert (shown > own + 0.1).all() == counts
        assert (shown >= own).all()


def test_what_is_held_back_adds_up(planned: Plans, renderer: Renderer) -> None:
    outlook, plan = outlook_of(planned, renderer), planned.faces[0]
    pieces = sum(len(part.pieces) for part in PARTS)
    much, little = np.full((20, pieces), 2.0), np.full((20, pieces), WIDTH)
    assert (outlook.within_reach(plan, much).held_back["mouth"] == 1).all()
    once = outlook.within_reach(plan, little)
    assert once.held_back["mouth"].max() < 1
    twice = outlook.within_reach(once, little)
    np.testing.assert_allclose(twice.held_back["mouth"], once.held_back["mouth"], atol=0.05)
