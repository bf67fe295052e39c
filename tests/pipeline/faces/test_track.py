from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.model.action_units import COUNT
from retarget.pipeline.faces.following import Place
from retarget.pipeline.faces.landmarker import Landmarker, SeenFace
from retarget.pipeline.faces.options import TrackOptions
from retarget.pipeline.faces.pose import head_pose
from retarget.pipeline.faces.track import FaceTracker, _without_twins
from retarget.pipeline.faces.track import _Track as Track
from retarget.pipeline.records import Face, Frame, TrackedFrame

# Identities


def seen_at(place_face: Any, center: tuple[float, float], scale_px: float = 40) -> SeenFace:
    landmarks = place_face(center, scale_px)
    return SeenFace(landmarks, head_pose(landmarks), np.zeros(COUNT, np.float32))


def test_tracks_that_meet_become_the_older(place_face: Any) -> None:
    older, twin = (Track(i, seen_at(place_face, (200 + i, 200))) for i in range(2))
    other = Track(2, seen_at(place_face, (400, 200)))
    assert _without_twins([older, twin, other]) == [older, other]


def test_of_tracks_that_meet_the_one_that_fits_the_face_stays(place_face: Any) -> None:
    slid, there = (Track(i, seen_at(place_face, (200 + i, 200))) for i in range(2))
    landmarks = slid.last.landmarks + np.random.default_rng(0).normal(0, 4, slid.last.landmarks.shape)
    slid.last = SeenFace(landmarks, head_pose(landmarks), np.zeros(COUNT, np.float32))
    assert _without_twins([slid, there]) == [there]


# Following, with the landmarker's answers given


class ScriptedTracker(FaceTracker):
    """Sees the faces it is told of: each at (center, scale_px) per frame; without a network."""

    def __init__(self, info: Any, place_face: Any, script: list[list[tuple[tuple[float, float], float]]]) -> None:
        super().__init__(info, TrackOptions(min_face_px=32))
        self.place_face, self.script = place_face, script
        self.detections: list[int] = []
        self.upside_down: list[int] = []
        self.detector_error_px = 0.0
        """How far right and down of a face the detector puts its box."""

    def _there(self, frame: Frame) -> list[SeenFace]:
        return [seen_at(self.place_face, *place) for place in self.script[frame.index]]

    def _places(self, frame: Frame, *, upside_down: bool = False) -> list[Place]:
        if upside_down:
            self.upside_down.append(frame.index)
            return []
        self.detections.append(frame.index)
        error = self.detector_error_px
        return [Place(seen.center + error, seen.size_px, 0.0) for seen in self._there(frame)]

    def _upright(self, frame: Frame, place: Place) -> Place:  # noqa: ARG002
        return place

    def _look(self, frame: Frame, place: Place, *, is_known: bool = True) -> SeenFace | None:  # noqa: ARG002
        near = [seen for seen in self._there(frame) if np.abs(seen.center - place.center).max() < place.size_px]
        return min(near, key=lambda seen: float(np.linalg.norm(seen.center - place.center)), default=None)


def follow(make_frame: Any, tracker: ScriptedTracker, shots: list[int] | None = None) -> list[TrackedFrame]:
    count = len(tracker.script)
    numbers = shots or [0] * count
    return list(tracker.track((make_frame(8, 8, index=i), numbers[i]) for i in range(count)))


def ids(frames: list[TrackedFrame]) -> list[list[int]]:
    return [[face.face_id for face in frame.faces] for frame in frames]


def test_two_faces_keep_their_numbers(make_frame: Any, make_info: Any, place_face: Any) -> None:
    script = [[((100 + 4 * i, 200), 40.0), ((500 - 4 * i, 200), 40.0)] for i in range(20)]
    tracker = ScriptedTracker(make_info(640, 480), place_face, script)
    found = follow(make_frame, tracker)
    assert ids(found) == [[0, 1]] * 20
    assert [frame.faces[0].center[0] < frame.faces[1].center[0] for frame in found] == [True] * 20
    assert tracker.detections == [0], "once, then every two seconds"


def test_a_face_lost_for_a_moment_comes_back_as_itself(make_frame: Any, make_info: Any, place_face: Any) -> None:
    script: list[Any] = [[((200, 200), 40.0)] if not 5 <= i < 9 else [] for i in range(15)]
    found = follow(make_frame, ScriptedTracker(make_info(640, 480), place_face, script))
    assert ids(found) == [[0]] * 5 + [[]] * 4 + [[0]] * 6


def test_a_face_lost_for_long_is_another(make_frame: Any, make_info: Any, place_face: Any) -> None:
    script: list[Any] = [[((200, 200), 40.0)] if not 5 <= i < 35 else [] for i in range(60)]
    found = ids(follow(make_frame, ScriptedTracker(make_info(640, 480), place_face, script)))
    assert found[4] == [0]
    assert found[-1] == [1]
    assert set(map(tuple, found[5:35])) == {()}


def test_a_new_shot_begins_anew(make_frame: Any, make_info: Any, place_face: Any) -> None:
    script = [[((200, 200), 40.0)]] * 10
    tracker = ScriptedTracker(make_info(640, 480), place_face, script)
    found = follow(make_frame, tracker, [0] * 5 + [1] * 5)
    assert ids(found) == [[0]] * 10
    assert [frame.shot for frame in found] == [0] * 5 + [1] * 5
    assert tracker.detections == [0, 5]


def test_a_small_face_is_left_out_and_told_of(make_frame: Any, make_info: Any, place_face: Any) -> None:
    script = [[((200, 200), 12.0)]] * 3
    tracker = ScriptedTracker(make_info(640, 480), place_face, script)
    assert ids(follow(make_frame, tracker)) == [[]] * 3
    assert tracker.largest_rejected_px == pytest.approx(12 * (1.2420787 + 0.6520020), rel=0.01)


def test_a_face_in_front_of_another_does_not_take_its_number(
    make_frame: Any, make_info: Any, place_face: Any
) -> None:
    # A small face appears in the corner of a large one's box; the large one keeps its number and its place.
    large, small = ((300, 200), 100.0), ((373, 305), 30.0)
    script: list[Any] = [[large]] * 10 + [[large, small]] * 60
    tracker = ScriptedTracker(make_info(640, 480), place_face, script)
    tracker.detector_error_px = 15
    found = follow(make_frame, tracker)
    assert ids(found)[-1] == [0, 1]
    assert [frame.faces[0].size_px > 150 for frame in found] == [True] * 70


def test_the_picture_is_turned_over_now_and_then_while_nobody_is_seen(
    make_frame: Any, make_info: Any, place_face: Any
) -> None:
    script: list[Any] = [[((200, 200), 40.0)] if i >= 70 else [] for i in range(150)]
    tracker = ScriptedTracker(make_info(640, 480), place_face, script)
    follow(make_frame, tracker)
    assert tracker.upside_down == [0, 52], "every two seconds, when it is looked anyway"
    assert len(tracker.detections) > 5


# The real thing


@pytest.fixture(scope="module")
def astronaut(samples: Any) -> Any:
    picture = cv2.imread(str(samples / "astronaut.png"))
    assert picture is not None
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def as_frame(picture: Any, formats: Any) -> Frame:
    red, green, blue = (np.ascontiguousarray(picture[..., i]) for i in range(3))
    return Frame(0, 0, Fraction(1, 25), (green, blue, red), formats["gbrp"])


@pytest.fixture(scope="module")
def find_faces(make_info: Any, formats: Any) -> Any:
    """A function from an RGB picture to the faces found in it."""

    def find(picture: Any) -> tuple[Face, ...]:
        height, width = picture.shape[:2]
        with FaceTracker(make_info(width, height, "gbrp")) as tracker:
            return next(iter(tracker.track([(as_frame(picture, formats), 0)]))).faces

    return find


@pytest.fixture(scope="module")
def large(astronaut: Any, find_faces: Any) -> Face:
    faces = find_faces(astronaut)
    assert len(faces) == 1
    return faces[0]


def test_a_real_face_is_found_upright(large: Face, astronaut: Any) -> None:
    height, width = astronaut.shape[:2]
    x, y = large.landmarks[:, 0], large.landmarks[:, 1]
    assert 0 <= x.min() < x.max() <= width
    assert 0 <= y.min() < y.max() <= height
    pose = head_pose(large.landmarks)
    assert abs(np.degrees(pose.roll_radians)) < 20
    assert abs(large.yaw_degrees) < 25
    assert large.confidence > 0.9
    assert large.landmarks[152, 1] > large.landmarks[10, 1]


def test_she_smiles_with_open_eyes(large: Face) -> None:
    from retarget.model import action_units

    units = dict(zip(action_units.NAMES, large.action_units.tolist(), strict=True))
    assert min(units["AU12L"], units["AU12R"]) > 0.4
    assert max(units["AU45L"], units["AU45R"]) < 0.4


def pasted(astronaut: Any, places: list[tuple[int, int]], scale: float) -> Any:
    canvas = np.full((720, 1280, 3), 90, np.uint8)
    small = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for left, top in places:
        canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas


def test_the_same_landmarks_on_a_small_face(large: Face, astronaut: Any, find_faces: Any) -> None:
    scale = 80 / large.size_px
    faces = find_faces(pasted(astronaut, [(837, 311)], scale))
    assert len(faces) == 1
    expected = large.landmarks[:, :2] * round(scale * astronaut.shape[0]) / astronaut.shape[0] + (837, 311)
    misfit = np.linalg.norm(faces[0].landmarks[:, :2] - expected, axis=1)
    assert np.sqrt((misfit**2).mean()) < 0.02 * 80


def test_two_pasted_faces_are_two(large: Face, astronaut: Any, find_faces: Any) -> None:
    scale = 80 / large.size_px
    faces = find_faces(pasted(astronaut, [(100, 60), (900, 330)], scale))
    assert sorted(face.face_id for face in faces) == [0, 1]
    offset = np.subtract(*(face.center for face in sorted(faces, key=lambda face: -face.center[0])))
    assert offset.tolist() == pytest.approx([800, 270], abs=2)


@pytest.mark.parametrize("degrees", [90, 130, 180, 225, 270])
def test_a_lying_face_is_found_and_has_its_turn(
    large: Face, astronaut: Any, find_faces: Any, degrees: int
) -> None:
    center = np.array(large.center)
    turn = cv2.getRotationMatrix2D(tuple(center - 0.5), -degrees, 1)
    turn[:, 2] += np.array([256, 256]) - center
    turned = cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    (found,) = find_faces(turned)
    expected = large.landmarks[:, :2] @ turn[:, :2].T + turn[:, 2]
    misfit = np.linalg.norm(found.landmarks[:, :2] - expected, axis=1)
    assert misfit.mean() < 0.025 * large.size_px
    roll = head_pose(found.landmarks).roll_radians - head_pose(large.landmarks).roll_radians
    assert np.degrees(np.angle(np.exp(1j * (roll - np.radians(degrees))))) == pytest.approx(0, abs=4)
    assert np.abs(found.action_units - large.action_units).mean() < 0.03


def test_a_picture_without_a_face_has_none(find_faces: Any) -> None:
    assert find_faces(np.full((240, 320, 3), 128, np.uint8)) == ()


def test_one_landmarker_serves_many_pictures_and_looks_where_it_is_told(
    large: Face, astronaut: Any, make_info: Any, formats: Any
) -> None:
    with Landmarker() as landmarker:
        for picture in (astronaut, np.ascontiguousarray(astronaut[:400, :480])):
            info = make_info(picture.shape[1], picture.shape[0], "gbrp")
            with FaceTracker(info, landmarker=landmarker) as tracker:
                (found,) = tracker.track([(as_frame(picture, formats), 0)])
            assert len(found.faces) == 1
        near = landmarker.near(astronaut, large.landmarks + 4)
        assert near is not None
        misfit = np.linalg.norm((near.landmarks - large.landmarks)[:, :2], axis=1)
        assert misfit.mean() < 0.01 * large.size_px
        off = np.abs(near.action_units - large.action_units)
        assert off.mean() < 0.02
        assert off.max() < 0.15, "a single unit moves by a tenth where the region does by a pixel"
        assert landmarker.near(astronaut, large.landmarks * 0.3) is None, "a face of another size is another"
        assert landmarker.near(np.full_like(astronaut, 90), large.landmarks) is None
