"""From an analysis and a driver to plans: what is asked minus what is there, and where less is done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.edit.options import PlanOptions
from retarget.pipeline.edit.plan import FacePlan, plan_faces
from retarget.pipeline.errors import OptionError
from retarget.pipeline.faces import FaceSelection

C = action_units.COUNT
SMILE = list(action_units.resolve("AU12"))


@pytest.fixture
def plan(fixed_driver: Any) -> Any:
    """The one plan of an analysis for a wish."""

    def run(analysis: Any, wish: dict[str, float], neutral: Any = "none", **options: Any) -> FacePlan:
        (found,) = plan_faces(analysis, fixed_driver(wish), PlanOptions(neutral=neutral, **options)).faces
        return found

    return run


def test_what_is_asked_minus_what_is_there(plan: Any, analysed: Any, make_face: Any) -> None:
    still = analysed([(make_face(units={"AU12": 0.2}),)] * 12)
    found = plan(still, {"AU12": 0.7})
    assert found.delta_au.shape == (12, C)
    np.testing.assert_allclose(found.delta_au[:, SMILE], 0.5, atol=1e-6)
    others = np.delete(found.delta_au, SMILE, axis=1)
    assert np.abs(others).max() == 0
    assert found.is_active.all()
    np.testing.assert_allclose(found.allowed, 1)
    np.testing.assert_allclose(found.own[:, SMILE], 0.2, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"strength": 0.5}, {"AU12": 0.25, "AU26": 0.2}),
        ({"gains": {"au12": 0.5, "AU26": 2.0}}, {"AU12": 0.25, "AU26": 0.8}),
        ({"gains": {"AU12L": 0.0}, "strength": 0.5}, {"AU12L": 0.0, "AU12R": 0.25, "AU26": 0.2}),
        ({"regions": ("AU26",)}, {"AU12": 0.0, "AU26": 0.4}),
        ({"regions": ("upper",)}, {"AU12": 0.0, "AU26": 0.0}),
        ({"strength": -1.0}, {"AU12": 0.0, "AU26": 0.0}),  # nothing there to take away
    ],
)
def test_strength_gains_and_regions(
    plan: Any, analysed: Any, make_face: Any, options: dict[str, Any], expected: dict[str, float]
) -> None:
    found = plan(analysed([(make_face(),)] * 8), {"AU12": 0.5, "AU26": 0.4}, **options)
    for name, value in expected.items():
        np.testing.assert_allclose(found.delta_au[:, list(action_units.resolve(name))], value, atol=1e-6)


def test_zero_strength_leaves_nothing_to_do(plan: Any, analysed: Any, make_face: Any) -> None:
    analysis = analysed([(make_face(units={"AU12": 0.3}),)] * 8)
    found = plan(analysis, {"AU12": 1.0}, strength=0)
    assert not found.is_active.any()
    assert np.abs(found.delta_au).max() == 0


def test_a_driver_that_leaves_the_performance_alone_changes_nothing(
    fixed_driver: Any, analysed: Any, make_face: Any
) -> None:
    noisy = [(make_face(units={"AU12": value}),) for value in np.random.default_rng(0).random(20)]
    driver = fixed_driver({"AU12": 1.0}, weight=0)
    (found,) = plan_faces(analysed(noisy), driver, PlanOptions()).faces
    assert not found.is_active.any()


def test_neutral_options(plan: Any, analysed: Any, make_face: Any) -> None:
    # A face that rests at 0.06 and smiles in the second half, driven to a smile of 0.2 over rest.
    faces = [(make_face(units={"AU12": 0.06}),)] * 30 + [(make_face(units={"AU12": 0.8}),)] * 30
    analysis = analysed(faces)
    moved = {
        "none": 0.2 - 0.06,
        "auto": 0.2,
        0.2: 0.2,
        2.0: 0.2 - (0.06 - 0.8),
    }
    for neutral, expected in moved.items():
        found = plan(analysis, {"AU12": 0.2}, neutral)
        np.testing.assert_allclose(found.delta_au[5, SMILE], expected, atol=1e-3, err_msg=str(neutral))
    given = np.full(C, 0.1, np.float32)
    np.testing.assert_allclose(plan(analysis, {"AU12": 0.2}, given).delta_au[5, SMILE], 0.24, atol=1e-6)


def test_a_neutral_second_is_read_off_each_face_itself(fixed_driver: Any, analysed: Any, make_face: Any) -> None:
    serious, cheerful = make_face(0), make_face(1, (400, 100), 60, units={"AU12": 0.4})
    options = PlanOptions(neutral=0.1, faces=FaceSelection("large-small", None))
    plans = plan_faces(analysed([(serious, cheerful)] * 10), fixed_driver({"AU12": 0.0}), options)
    for found in plans.faces:  # both rest, and are asked to
        assert np.abs(found.delta_au).max() < 1e-6


def test_a_neutral_from_another_shot_is_of_the_same_place_in_the_order(
    fixed_driver: Any, analysed: Any, make_face: Any
) -> None:
    def pair(large: float, small: float) -> tuple[Any, ...]:
        return make_face(0, units={"AU12": large}), make_face(1, (400, 100), 60, units={"AU12": small})

    options = PlanOptions(neutral=0.1, faces=FaceSelection("large-small", None))
    analysis = analysed([pair(0, 0.4)] * 10, [pair(0, 0.4)] * 10 + [()] * 20)
    for found in plan_faces(analysis, fixed_driver({"AU12": 0.0}), options).faces:
        assert np.abs(found.delta_au).max() < 1e-6, (found.track.shot, found.position)


def test_a_neutral_second_without_the_face(plan: Any, analysed: Any, make_face: Any) -> None:
    with pytest.raises(OptionError, match="no selected face is seen at 9 s of the source"):
        plan(analysed([(make_face(),)] * 8), {}, 9.0)


def test_a_turned_head_is_edited_less(plan: Any, analysed: Any, make_face: Any) -> None:
    analysis = analysed([(make_face(yaw=37),)] * 10)
    found = plan(analysis, {"AU12": 0.5})
    np.testing.assert_allclose(found.allowed, 0.5, atol=1e-3)
    np.testing.assert_allclose(found.delta_au[:, SMILE], 0.25, atol=1e-3)


def test_an_edit_sets_in_where_a_face_appears_within_a_shot(plan: Any, analysed: Any, make_face: Any) -> None:
    gone: tuple[Any, ...] = ()
    found = plan(analysed([gone] * 5 + [(make_face(),)] * 20 + [gone] * 5), {"AU12": 0.5})
    expected = [0, 0.08, 0.16, 0.24, 0.32, 0.4]  # 0.25 s are a bit more than six frames
    assert found.delta_au[:6, SMILE[0]].tolist() == pytest.approx(expected, abs=1e-6)
    assert found.delta_au[-6:, SMILE[0]].tolist() == pytest.approx(expected[::-1], abs=1e-6)
    whole = plan(analysed([(make_face(),)] * 20), {"AU12": 0.5})
    np.testing.assert_allclose(whole.delta_au[:, SMILE], 0.5, atol=1e-6)


def test_each_face_gets_its_own_part_and_the_clips_seconds(
    fixed_driver: Any, analysed: Any, make_face: Any
) -> None:
    left, right = make_face(1, (100, 100), 60), make_face(0, (400, 100), 80)
    driver = fixed_driver({"AU12": 0.5}, {"AU26": 0.5})
    options = PlanOptions(neutral="none", faces=FaceSelection("left-right", None))
    first, second = plan_faces(analysed([(right, left)] * 8), driver, options).faces
    assert (first.track.face_id, first.position) == (1, 0)
    assert (second.track.face_id, second.position) == (0, 1)
    assert first.delta_au[3, SMILE[0]] > 0.4
    assert second.delta_au[3, SMILE[0]] == 0
    seconds, _ = driver.asked[0]
    assert seconds.tolist() == pytest.approx((np.arange(8) / 25).tolist())


def test_smoothing_crosses_no_cut(fixed_driver: Any, analysed: Any, make_face: Any) -> None:
    rest, smile = (make_face(),), (make_face(units={"AU12": 1.0}),)
    plans = plan_faces(
        analysed([rest] * 10, [smile] * 10), fixed_driver({}), PlanOptions(smooth_seconds=0.4)
    ).faces
    np.testing.assert_allclose(plans[0].own[:, SMILE], 0, atol=1e-6)
    np.testing.assert_allclose(plans[1].own[:, SMILE], 1, atol=1e-6)


def test_a_head_upside_down_does_not_spin_its_crop(
    plan: Any, analysed: Any, make_face: Any, place_face: Any
) -> None:
    import dataclasses

    rolls = 180 + 3 * np.arange(-5, 6)  # through the seam of the angle
    faces = [
        (dataclasses.replace(make_face(), landmarks=place_face(roll=roll).astype(np.float32)),) for roll in rolls
    ]
    found = plan(analysed(faces), {"AU12": 0.5})
    np.testing.assert_allclose(np.diff(np.degrees(found.alignments[:, 3])), 3, atol=0.1)


def test_what_is_counted(analysed: Any, make_face: Any, fixed_driver: Any) -> None:
    straight, turned = make_face(0), make_face(0, yaw=45)
    analysis = analysed([(straight,)] * 10, [(turned,)] * 10, [()] * 3)
    plans = plan_faces(analysis, fixed_driver({"AU12": 0.5}), PlanOptions(neutral="none"))
    assert (len(plans.faces), plans.edited_frames, plans.faded_frames) == (2, 20, 10)
    assert plans.analysis is analysis
    nothing = plan_faces(analysis, fixed_driver({"AU12": 0.5}), PlanOptions(neutral="none", strength=0))
    assert nothing.edited_frames == 0
