"""What one landmark call sees: upright windows, confidence, and whether it is the same face."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from retarget.model.action_units import COUNT
from retarget.model.mesh import STABLE
from retarget.pipeline.faces.following import Place
from retarget.pipeline.faces.landmarker import Landmarker, SeenFace, Window, is_same, tracker_details
from retarget.pipeline.faces.models import SHA256
from retarget.pipeline.faces.pose import head_pose


def test_a_window_is_upright_on_a_rolled_face_and_can_be_undone() -> None:
    window = Window.around(np.array([300.0, 200.0]), 128, np.radians(90))
    # leaning clockwise by 90 degrees, the forehead points to the right: it is up in the window
    assert (window.matrix @ (300, 200, 1)).tolist() == pytest.approx([128, 128])
    assert (window.matrix @ (310, 200, 1)).tolist() == pytest.approx([128, 108])
    points = np.random.default_rng(0).random((478, 3)) * 200
    placed = np.c_[points[:, :2] @ window.matrix[:, :2].T + window.matrix[:, 2], points[:, 2] * 2]
    np.testing.assert_allclose(window.to_display(placed), points, atol=1e-9)


def seen_at(place_face: Any, center: tuple[float, float], scale_px: float = 40) -> SeenFace:
    landmarks = place_face(center, scale_px)
    return SeenFace(landmarks, head_pose(landmarks), np.zeros(COUNT, np.float32))


def test_a_face_does_not_jump_nor_swell_within_a_frame(place_face: Any) -> None:
    last = seen_at(place_face, (200, 200))
    assert is_same(seen_at(place_face, (210, 200)), last)
    assert not is_same(seen_at(place_face, (200 + 0.6 * last.size_px, 200)), last)
    assert not is_same(seen_at(place_face, (200, 200), 80), last)
    assert not is_same(seen_at(place_face, (200, 200), 20), last)


def test_confidence_falls_with_the_misfit(place_face: Any) -> None:
    rng = np.random.default_rng(0)
    found = []
    for noise in (0, 2, 3, 4, 8):  # px, of 40 a unit
        landmarks = place_face((200, 200), 40)
        landmarks[list(STABLE)] += rng.normal(0, noise, (len(STABLE), 3))
        found.append(SeenFace(landmarks, head_pose(landmarks), np.zeros(COUNT, np.float32)).confidence)
    assert found[0] == 1
    assert found[-1] == 0
    assert found == sorted(found, reverse=True)


# Looking, on a real face

View = Callable[[Window], NDArray[np.uint8]]


@pytest.fixture(scope="module")
def landmarker() -> Iterator[Landmarker]:
    with Landmarker() as entered:
        yield entered


@pytest.fixture(scope="module")
def view(samples: Path) -> View:
    picture = cv2.cvtColor(cv2.imread(str(samples / "astronaut.png")), cv2.COLOR_BGR2RGB)
    return lambda window: np.asarray(cv2.warpAffine(picture, window.matrix, (256, 256)), np.uint8)


@pytest.fixture(scope="module")
def place(landmarker: Landmarker, view: View) -> Place:
    """Where the face is."""
    seen = landmarker.look(view, Place(np.array([225.0, 120.0]), 100, 0), is_known=False)
    assert seen is not None
    return seen.place


@pytest.mark.parametrize(
    ("moved", "grown", "turned_degrees"),
    [
        ((0.05, 0), 1, 0),
        ((0.3, 0.2), 1, 0),
        ((0, 0), 1.5, 0),
        ((0, 0), 0.75, 0),
        ((0, 0), 1, 30),
        ((-0.9, 0.3), 1, 0),
    ],
)
def test_a_face_that_moved_is_seen_as_where_it_stood(
    landmarker: Landmarker,
    view: View,
    place: Place,
    moved: tuple[float, float],
    grown: float,
    turned_degrees: float,
) -> None:
    turn = place.roll_radians - np.radians(turned_degrees)
    before = Place(place.center - place.size_px * np.array(moved), place.size_px / grown, turn)
    seen, still = landmarker.look(view, before), landmarker.look(view, place)
    assert seen is not None
    assert still is not None
    misfit = np.linalg.norm(seen.landmarks[:, :2] - still.landmarks[:, :2], axis=1)
    assert misfit.mean() < 0.02 * place.size_px


def test_nothing_is_seen_where_nothing_is(landmarker: Landmarker, view: View, place: Place) -> None:
    elsewhere = replace(place, center=place.center + np.array([0, 3 * place.size_px]))
    assert landmarker.look(view, elsewhere, is_known=False) is None


def test_what_tracks_is_told() -> None:
    about = tracker_details("own")
    assert about["tracker"] == "own"
    assert about["backend"].startswith("LiteRT")
    assert about["model_sha256"] == SHA256


def test_mediapipe_is_not_loaded_unless_asked_for() -> None:
    code = (
        "import sys\nfrom retarget.pipeline.faces import Landmarker\n"
        "with Landmarker(): pass\nprint('mediapipe' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_place_that_takes_chin_for_brow_is_turned_over(landmarker: Landmarker, view: View, place: Place) -> None:
    assert landmarker.upright(view, place) is place
    over = landmarker.upright(view, place.turned(np.pi))
    assert over is not None
    assert not over.is_upside_down
    assert not over.is_off(place)


def test_upside_down_it_has_to_be_a_clear_face(landmarker: Landmarker, place: Place) -> None:
    def blank(window: Window) -> Any:
        return np.full((256, 256, 3), 128, np.uint8)

    assert landmarker.upright(blank, place) is place, "the landmarker will say that it is none"
    assert landmarker.upright(blank, place.turned(np.pi)) is None


def test_a_mesh_that_cannot_be_right_is_looked_for_again(
    landmarker: Landmarker, view: View, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = landmarker.look(view, place)
    assert right is not None
    bad = right.landmarks + np.random.default_rng(0).normal(0, 0.1 * right.size_px, right.landmarks.shape)
    slipped = SeenFace(bad, head_pose(bad), right.action_units)
    see, windows = landmarker.see, []

    def first_slips(rgb: Any, window: Window) -> SeenFace | None:
        windows.append(window)
        return slipped if len(windows) == 1 else see(rgb, window)

    monkeypatch.setattr(landmarker, "see", first_slips)
    found = landmarker.look(view, place)
    assert slipped.confidence == 0
    assert found is not None
    assert found.confidence == 1
    assert np.linalg.norm(found.center - right.center) < 0.03 * right.size_px


def test_a_dark_plate_is_measured_as_a_bright_one(landmarker: Landmarker, view: View, place: Place) -> None:
    def dark(window: Window) -> NDArray[np.uint8]:
        return np.asarray(view(window) * 0.06, np.uint8)

    bright, found = landmarker.look(view, place), landmarker.look(dark, place)
    assert bright is not None
    assert found is not None
    assert np.linalg.norm(found.landmarks - bright.landmarks, axis=1).mean() < 0.005 * bright.size_px
    assert np.abs(found.face(0).action_units - bright.face(0).action_units).mean() < 0.025
