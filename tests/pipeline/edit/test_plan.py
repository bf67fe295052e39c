from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec
from retarget.pipeline.edit.plan import EDIT_FLOOR, EditSchedule, PlanOptions, _allowed, plan_faces, units_of
from retarget.pipeline.errors import OptionError, UnknownActionUnitError
from retarget.pipeline.faces import ClipAnalysis, FaceSelection, FaceTrack, Shot, alignment, apply, crop_matrix
from retarget.pipeline.records import Target, TrackedFrame

C = action_units.COUNT
SMILE = list(action_units.resolve("AU12"))
CROP = CropSpec(size_px=64)


class FixedDriver:
    """Asks the same of every face at every moment, or per face in turn; remembers what it was asked."""

    duration_seconds = 10.0
    notes: tuple[str, ...] = ()

    def __init__(self, *wishes: dict[str, float], additive: bool = False, weight: float = 1.0) -> None:
        self.wishes, self.additive, self.weight = wishes, additive, weight
        self.asked: list[tuple[Any, int]] = []

    def target(self, seconds: Any, face: int) -> Target:
        self.asked.append((seconds, face))
        values, weight = np.zeros((2, len(seconds), C), np.float32)
        for name, value in self.wishes[face % len(self.wishes)].items():
            columns = list(action_units.resolve(name))
            values[:, columns], weight[:, columns] = value, self.weight
        return Target(values, weight, np.full(values.shape, self.additive))


@pytest.fixture
def analysed(make_face: Any) -> Iterator[Any]:
    """A function from a list of frames' faces (or a face and a count) to an analysis of one shot."""
    opened: list[ClipAnalysis] = []

    def run(*shots: list[tuple[Any, ...]]) -> ClipAnalysis:
        analysis = ClipAnalysis().__enter__()
        opened.append(analysis)
        frames = [(number, faces) for number, shot in enumerate(shots) for faces in shot]
        records = (TrackedFrame(i, i, i / 25, number, faces) for i, (number, faces) in enumerate(frames))
        assert sum(1 for _ in analysis.collect(records)) == len(frames)
        return analysis

    yield run
    for analysis in opened:
        analysis.__exit__(None, None, None)


def only(plans: list[Any]) -> Any:
    assert len(plans) == 1
    return plans[0]


# Options


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


# Plans


def plan(analysis: Any, wish: dict[str, float], neutral: Any = "none", **options: Any) -> Any:
    return only(plan_faces(analysis, FixedDriver(wish), PlanOptions(neutral=neutral, **options)))


def test_what_is_asked_minus_what_is_there(analysed: Any, make_face: Any) -> None:
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
    analysed: Any, make_face: Any, options: dict[str, Any], expected: dict[str, float]
) -> None:
    found = plan(analysed([(make_face(),)] * 8), {"AU12": 0.5, "AU26": 0.4}, **options)
    for name, value in expected.items():
        np.testing.assert_allclose(found.delta_au[:, list(action_units.resolve(name))], value, atol=1e-6)


def test_zero_strength_leaves_nothing_to_do(analysed: Any, make_face: Any) -> None:
    analysis = analysed([(make_face(units={"AU12": 0.3}),)] * 8)
    found = plan(analysis, {"AU12": 1.0}, strength=0)
    assert not found.is_active.any()
    assert np.abs(found.delta_au).max() == 0
    assert len(EditSchedule(analysis, [found], CROP)) == 0


def test_a_driver_that_leaves_the_performance_alone_changes_nothing(analysed: Any, make_face: Any) -> None:
    noisy = [(make_face(units={"AU12": value}),) for value in np.random.default_rng(0).random(20)]
    driver = FixedDriver({"AU12": 1.0}, weight=0)
    assert not only(plan_faces(analysed(noisy), driver, PlanOptions())).is_active.any()


def test_neutral_options(analysed: Any, make_face: Any) -> None:
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


def test_a_neutral_second_is_read_off_each_face_itself(analysed: Any, make_face: Any) -> None:
    serious, cheerful = make_face(0), make_face(1, (400, 100), 60, units={"AU12": 0.4})
    options = PlanOptions(neutral=0.1, faces=FaceSelection("large-small", None))
    plans = plan_faces(analysed([(serious, cheerful)] * 10), FixedDriver({"AU12": 0.0}), options)
    for found in plans:  # both rest, and are asked to
        assert np.abs(found.delta_au).max() < 1e-6


def test_a_neutral_from_another_shot_is_of_the_same_place_in_the_order(analysed: Any, make_face: Any) -> None:
    def pair(large: float, small: float) -> tuple[Any, ...]:
        return make_face(0, units={"AU12": large}), make_face(1, (400, 100), 60, units={"AU12": small})

    options = PlanOptions(neutral=0.1, faces=FaceSelection("large-small", None))
    analysis = analysed([pair(0, 0.4)] * 10, [pair(0, 0.4)] * 10 + [()] * 20)
    for found in plan_faces(analysis, FixedDriver({"AU12": 0.0}), options):
        assert np.abs(found.delta_au).max() < 1e-6, (found.track.shot, found.position)


def test_a_neutral_second_without_the_face(analysed: Any, make_face: Any) -> None:
    with pytest.raises(OptionError, match="no selected face is seen at 9 s of the source"):
        plan(analysed([(make_face(),)] * 8), {}, 9.0)


def test_a_turned_head_is_edited_less(analysed: Any, make_face: Any) -> None:
    analysis = analysed([(make_face(yaw=45),)] * 10)
    found = plan(analysis, {"AU12": 0.5})
    np.testing.assert_allclose(found.allowed, 0.5, atol=1e-3)
    np.testing.assert_allclose(found.delta_au[:, SMILE], 0.25, atol=1e-3)


def test_an_edit_sets_in_where_a_face_appears_within_a_shot(analysed: Any, make_face: Any) -> None:
    gone: tuple[Any, ...] = ()
    found = plan(analysed([gone] * 5 + [(make_face(),)] * 20 + [gone] * 5), {"AU12": 0.5})
    expected = [0, 0.1, 0.2, 0.3, 0.4, 0.5]  # 0.2 s are five frames
    assert found.delta_au[:6, SMILE[0]].tolist() == pytest.approx(expected, abs=1e-6)
    assert found.delta_au[-6:, SMILE[0]].tolist() == pytest.approx(expected[::-1], abs=1e-6)
    whole = plan(analysed([(make_face(),)] * 20), {"AU12": 0.5})
    np.testing.assert_allclose(whole.delta_au[:, SMILE], 0.5, atol=1e-6)


def test_each_face_gets_its_own_part_and_the_clips_seconds(analysed: Any, make_face: Any) -> None:
    left, right = make_face(1, (100, 100), 60), make_face(0, (400, 100), 80)
    driver = FixedDriver({"AU12": 0.5}, {"AU26": 0.5})
    options = PlanOptions(neutral="none", faces=FaceSelection("left-right", None))
    first, second = plan_faces(analysed([(right, left)] * 8), driver, options)
    assert (first.track.face_id, first.position) == (1, 0)
    assert (second.track.face_id, second.position) == (0, 1)
    assert first.delta_au[3, SMILE[0]] > 0.4
    assert second.delta_au[3, SMILE[0]] == 0
    seconds, _ = driver.asked[0]
    assert seconds.tolist() == pytest.approx((np.arange(8) / 25).tolist())


def test_smoothing_crosses_no_cut(analysed: Any, make_face: Any) -> None:
    rest, smile = (make_face(),), (make_face(units={"AU12": 1.0}),)
    plans = plan_faces(analysed([rest] * 10, [smile] * 10), FixedDriver({}), PlanOptions(smooth_seconds=0.4))
    np.testing.assert_allclose(plans[0].own[:, SMILE], 0, atol=1e-6)
    np.testing.assert_allclose(plans[1].own[:, SMILE], 1, atol=1e-6)


def test_a_head_upside_down_does_not_spin_its_crop(analysed: Any, make_face: Any, place_face: Any) -> None:
    import dataclasses

    rolls = 180 + 3 * np.arange(-5, 6)  # through the seam of the angle
    faces = [
        (dataclasses.replace(make_face(), landmarks=place_face(roll=roll).astype(np.float32)),) for roll in rolls
    ]
    found = plan(analysed(faces), {"AU12": 0.5})
    np.testing.assert_allclose(np.diff(np.degrees(found.alignments[:, 3])), 3, atol=0.1)


# Schedule


def test_requests_carry_crop_landmarks_and_units(analysed: Any, make_face: Any) -> None:
    face = make_face(0, (300, 200), 50)
    analysis = analysed([(face,)] * 8)
    found = plan(analysis, {"AU12": 0.5})
    schedule = EditSchedule(analysis, [found], CROP)
    assert len(schedule) == 8
    request = schedule.faces(4)[0]
    matrix = crop_matrix(alignment(face.landmarks), CROP)
    np.testing.assert_allclose(request.crop_from_display, matrix, atol=1e-4)
    np.testing.assert_allclose(request.landmarks, apply(matrix, face.landmarks), atol=1e-3)
    assert request.landmarks.dtype == np.float32
    np.testing.assert_array_equal(request.delta_au, found.delta_au[4])
    assert schedule.faces(99) == []


def test_moments_below_the_floor_pass_through(analysed: Any, make_face: Any) -> None:
    analysis = analysed([(make_face(),)] * 8)
    assert len(EditSchedule(analysis, [plan(analysis, {"AU12": 0.9 * EDIT_FLOOR})], CROP)) == 0
    assert len(EditSchedule(analysis, [plan(analysis, {"AU12": 1.1 * EDIT_FLOOR})], CROP)) == 8


def test_jittering_landmarks_are_steadied_but_not_across_a_missing_frame(analysed: Any, make_face: Any) -> None:
    import dataclasses

    def face(dy: float) -> Any:
        points = make_face().landmarks.copy()
        points[13, 1] += dy  # the upper lip; no stable landmark, so the crop stays
        return (dataclasses.replace(make_face(), landmarks=points),)

    spike = [face(0)] * 5 + [face(10)] + [face(0)] * 5
    heights = []
    for faces in (spike, [*spike[:3], (), *spike[4:]]):  # frame 3 is too near to 5 for five in a row
        analysis = analysed(faces)
        schedule = EditSchedule(analysis, [plan(analysis, {"AU12": 0.5})], CROP)
        request = schedule.faces(5)[0]
        scale = np.hypot(*request.crop_from_display[:, 0])
        rest = apply(request.crop_from_display, make_face().landmarks)[13, 1]
        heights.append(float(request.landmarks[13, 1] - rest) / scale)
    assert heights[0] == pytest.approx(10 * 17 / 35, abs=0.05)
    assert heights[1] == pytest.approx(10, abs=0.05)


def test_an_edit_fades_around_a_gap_in_a_track() -> None:
    frames = np.array([*range(20), *range(26, 40)])  # lost for six frames
    n = len(frames)
    track = FaceTrack(
        shot=0,
        face_id=0,
        rows=np.arange(n),
        frames=frames,
        seconds=frames / 25,
        action_units=np.zeros((n, action_units.COUNT), np.float32),
        alignments=np.zeros((n, 4)),
        confidence=np.ones(n),
        yaw_degrees=np.zeros(n),
        pitch_degrees=np.zeros(n),
        size_px=np.full(n, 100.0),
        centers=np.zeros((n, 2)),
    )
    allowed = _allowed(track, Shot(0, 0, 39, 0.0, 39 / 25))
    assert allowed[19] == allowed[20] == 0  # the last before and the first after
    assert allowed[[0, -1]] == pytest.approx(1)  # the shot's own edges need no ramp
    assert (np.diff(allowed[14:20]) < 0).all()
    assert (np.diff(allowed[20:26]) > 0).all()
