"""Plans with each person's own motion."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.mesh import MOUTH
from retarget.pipeline.edit.moving import MOST_FRAMES, moving
from retarget.pipeline.edit.options import PlanOptions
from retarget.pipeline.edit.plan import Plans, plan_faces
from retarget.pipeline.edit.render import Renderer
from retarget.pipeline.edit.schedule import EditSchedule

(JAW,) = action_units.resolve("AU26")
LOWER = list(MOUTH[1][1:-1])


@pytest.fixture
def renderer(jaw_renderer: Any) -> Renderer:
    made: Renderer = jaw_renderer(0.2)
    return made


@pytest.fixture
def speaking(open_mouth: Any) -> Any:
    """A face whose jaw goes up and down, and opens by half a canonical unit per action unit."""

    def at(i: int) -> tuple[Any, ...]:
        jaw = 0.3 - 0.3 * np.cos(i / 20)
        face = open_mouth(0.5 * jaw)
        units = face.action_units.copy()
        units[JAW] = jaw
        return (dataclasses.replace(face, action_units=units),)

    return at


def planned(analysis: Any, driver: Any) -> Plans:
    return plan_faces(analysis, driver, PlanOptions(neutral="none"))


def test_a_face_moves_as_its_footage_shows(
    analysed: Any, speaking: Any, fixed_driver: Any, renderer: Renderer
) -> None:
    plans = planned(analysed([speaking(i) for i in range(126)]), fixed_driver({"AU26": 0.4}, additive=True))
    own = moving(plans, renderer)

    def dropped(some: Plans) -> float:
        request = EditSchedule(some, renderer.crop).request(some.faces[0], 3)
        (target,) = renderer.targets([request])
        return float((target - request.landmarks)[LOWER, 1].mean())

    assert own.faces[0].own_motion is not None
    assert len(own.faces[0].own_motion.seen) == 126 < MOST_FRAMES
    ratio = dropped(own) / dropped(plans)
    assert 1.4 < ratio < 2, "0.5 instead of 0.2 a unit, believed half"


def test_a_person_moves_alike_in_every_shot(
    analysed: Any, speaking: Any, fixed_driver: Any, renderer: Renderer
) -> None:
    analysis = analysed([speaking(i) for i in range(40)], [speaking(i) for i in range(40, 80)])
    tracks = tuple(dataclasses.replace(track, person=1) for track in analysis.tracks)
    plans = planned(dataclasses.replace(analysis, tracks=tracks), fixed_driver({"AU26": 0.4}, additive=True))
    one, two = moving(plans, renderer).faces
    assert one.own_motion is two.own_motion
    assert one.own_motion is not None
    assert len(one.own_motion.seen) == 80
    again = moving(moving(plans, renderer), renderer)
    assert len(again.faces) == 2


def test_a_still_says_nothing_about_motion(
    analysed: Any, speaking: Any, fixed_driver: Any, renderer: Renderer
) -> None:
    plans = planned(analysed([speaking(0)]), fixed_driver({"AU26": 0.4}, additive=True))
    assert moving(plans, renderer).faces[0].own_motion is None
