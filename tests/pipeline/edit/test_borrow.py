"""Plans with what they borrow: from the same person's other frames, and no further open than those show."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from retarget.model.mesh import MOUTH
from retarget.pipeline.edit.borrow import borrowing
from retarget.pipeline.edit.lender import Lender
from retarget.pipeline.edit.options import PlanOptions
from retarget.pipeline.edit.plan import Plans, plan_faces
from retarget.pipeline.edit.reach import MOUTH_OPENER
from retarget.pipeline.edit.render import Renderer

LOWER = list(MOUTH[1][1:-1])


@pytest.fixture
def renderer(jaw_renderer: Any) -> Renderer:
    made: Renderer = jaw_renderer(0.5)
    return made


@pytest.fixture
def asked(fixed_driver: Any) -> Any:
    """The plans for a jaw that drops by so much."""

    def run(analysis: Any, jaw: float) -> Plans:
        return plan_faces(analysis, fixed_driver({"AU26": jaw}, additive=True), PlanOptions(neutral="none"))

    return run


def test_a_mouth_is_borrowed_from_the_frame_that_shows_it(
    analysed: Any, open_mouth: Any, asked: Any, renderer: Renderer
) -> None:
    faces = [open_mouth(0.0)] * 12 + [open_mouth(0.25)] * 12
    plans = borrowing(asked(analysed([(face,) for face in faces]), 0.5), renderer)
    assert plans.loans is not None
    loans = plans.loans.by_moment[0, 0, 5]
    (mouth,) = [loan for loan in loans if loan.part.name == "mouth"]
    assert mouth.key[2] >= 12
    assert mouth.shares == pytest.approx((1.0,), abs=0.01)
    assert mouth.key[2] in [int(at) for at in plans.loans.sightings[0]]
    np.testing.assert_array_equal(plans.faces[0].held_back["mouth"][:8], 1)


def test_a_mouth_that_was_never_open_opens_to_a_slit(
    analysed: Any, open_mouth: Any, asked: Any, renderer: Renderer
) -> None:
    plans = borrowing(asked(analysed([(open_mouth(0.0),)] * 12), 0.9), renderer)
    plan = plans.faces[0]
    assert plan.held_back["mouth"].max() < 0.5
    assert plan.delta_au.max() < 0.5
    assert MOUTH_OPENER.always < 0.2
    np.testing.assert_array_equal(plan.held_back["right eye"], 1)


def test_another_persons_mouth_is_not_borrowed(
    analysed: Any, open_mouth: Any, asked: Any, renderer: Renderer, make_face: Any
) -> None:
    other = dataclasses.replace(open_mouth(0.3, (200, 100), 40), face_id=1)
    analysis = analysed([(open_mouth(0.0, scale_px=60), other)] * 12)
    one, two = analysis.tracks
    apart = dataclasses.replace(
        analysis, tracks=(dataclasses.replace(one, person=1), dataclasses.replace(two, person=2))
    )
    plans = borrowing(asked(apart, 0.9), renderer)
    assert plans.loans is not None
    assert {loan.key[1] for loans in plans.loans.by_moment.values() for loan in loans} <= {0}
    assert plans.faces[0].held_back["mouth"].max() < 0.5


def test_other_shots_of_the_same_person_lend(
    analysed: Any, open_mouth: Any, asked: Any, renderer: Renderer
) -> None:
    analysis = analysed([(open_mouth(0.0),)] * 10, [(open_mouth(0.25),)] * 10)
    same = tuple(dataclasses.replace(track, person=1) for track in analysis.tracks)
    plans = borrowing(asked(dataclasses.replace(analysis, tracks=same), 0.5), renderer)
    assert plans.loans is not None
    assert {loan.key[0] for loan in plans.loans.by_moment[0, 0, 5] if loan.part.name == "mouth"} == {1}


def test_nothing_asked_is_nothing_borrowed(analysed: Any, open_mouth: Any, asked: Any, renderer: Renderer) -> None:
    plans = borrowing(asked(analysed([(open_mouth(0.0),)] * 6), 0.0), renderer)
    assert plans.loans is not None
    assert not plans.loans.by_moment
    assert not plans.loans.sightings


def test_a_geometry_alone_borrows_nothing(analysed: Any, open_mouth: Any, asked: Any, jaw_renderer: Any) -> None:
    renderer = jaw_renderer(0.5, width=0)
    plans = asked(analysed([(open_mouth(0.0),)] * 6), 0.5)
    alone = borrowing(plans, renderer)
    assert alone.loans is None
    assert not alone.faces[0].held_back
    np.testing.assert_array_equal(alone.faces[0].delta_au, plans.faces[0].delta_au)


def test_the_frames_asked_for_say_what_is_read(
    analysed: Any, open_mouth: Any, asked: Any, renderer: Renderer
) -> None:
    faces = [open_mouth(0.0)] * 12 + [open_mouth(0.25)] * 12
    plans = borrowing(asked(analysed([(face,) for face in faces]), 0.5), renderer)
    assert plans.loans is not None
    keys = {one.key for lent in plans.sightings([5])[0].values() for one in lent}
    assert keys == {loan.key for loan in plans.loans.by_moment[0, 0, 5]}
    assert plans.sightings([99]) == {}


@pytest.mark.parametrize("size_px", [40.0, 300.0])
def test_another_clip_lends_what_the_first_does_not_show(
    analysed: Any, open_mouth: Any, asked: Any, renderer: Renderer, size_px: float
) -> None:
    source, take = analysed([(open_mouth(0.0),)] * 12), analysed([(open_mouth(0.25, scale_px=size_px),)] * 3)
    alone = borrowing(asked(source, 0.5), renderer)
    lender = Lender(take, {source.tracks[0].person: take.tracks})
    plans = borrowing(dataclasses.replace(asked(source, 0.5), lenders=(lender,)), renderer)
    assert plans.loans is not None
    (mouth,) = [loan for loan in plans.loans.by_moment[0, 0, 5] if loan.part.name == "mouth"]
    assert mouth.key[-1] == 1
    assert plans.faces[0].held_back["mouth"].min() > alone.faces[0].held_back["mouth"].max()
    (sightings,) = plans.loans.sightings[1].values()
    assert sightings[0].scale == pytest.approx(min(1.0, 80 / size_px), rel=1e-3), "as large as where it goes"
    assert plans.frames_lent(1) == (1, 12)
    elsewhere = dataclasses.replace(asked(source, 0.5), lenders=(Lender(take, {7: take.tracks}),))
    assert borrowing(elsewhere, renderer).frames_lent(1) == (0, 0), "it shows somebody else"
