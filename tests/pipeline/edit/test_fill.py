"""A part from another frame: moved to where it is needed, in the plate's light."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from retarget.model.mesh import MOUTH
from retarget.pipeline.edit.fill import as_shut, filled, uncovered
from retarget.pipeline.edit.parts import EYES_PART, MOUTH_PART
from retarget.pipeline.edit.records import Fill, FillRequest


@dataclass
class Picture:
    """Stands for a reference."""

    picture: Any
    landmarks: Any


@pytest.fixture
def target(place_face: Any) -> Any:
    return place_face((128, 120), 87).astype(np.float32)


def fill_of(
    target: Any,
    picture: Any,
    plate: Any,
    shift: tuple[float, float] = (0, 0),
    share: float = 1.0,
    face: Any = None,
) -> Fill:
    window = MOUTH_PART.window(target, 256)
    flow = np.full((window.side, window.side, 2), shift, np.float32)
    part = plate[window.top : window.top + window.side, window.left : window.left + window.side]
    request: Any = FillRequest(MOUTH_PART, Picture(picture, target), (share,))  # type: ignore[arg-type]
    seen = np.ones(flow.shape[:2], np.float32) if face is None else face(window)
    return filled(request, window, flow, seen, part, target)


def test_it_is_brought_into_the_plates_light(target: Any) -> None:
    picture = np.full((256, 256, 3), 100, np.uint8)
    plate = np.full((256, 256, 3), 110 / 255, np.float32)
    fill = fill_of(target, picture, plate)
    np.testing.assert_allclose(picture[0, 0] / 255 + fill.shade, 110 / 255, atol=5e-3)


def test_highlights_keep_their_light(target: Any) -> None:
    picture = np.full((256, 256, 3), 100, np.uint8)
    x, y = target[[13, 14], :2].mean(0).astype(int)
    picture[y - 2 : y + 3, x - 2 : x + 3] = 250
    fill = fill_of(target, picture, np.full((256, 256, 3), 120 / 255, np.float32))
    window = fill.window
    assert abs(fill.shade[y - window.top, x - window.left]).max() < 0.02
    assert fill.shade[0, 0].min() > 0.05


def test_another_light_by_far_is_not_believed(target: Any) -> None:
    picture, plate = np.full((256, 256, 3), 60, np.uint8), np.full((256, 256, 3), 0.9, np.float32)
    fill = fill_of(target, picture, plate)
    assert (60 / 255 + fill.shade).max() <= 1.2 * 60 / 255 + 1e-5


def test_what_is_dark_in_the_plates_mouth_does_not_count_as_light(target: Any) -> None:
    picture = np.full((256, 256, 3), 100, np.uint8)
    plate = np.full((256, 256, 3), 100 / 255, np.float32)
    lips = target[[*MOUTH[0], *MOUTH[1]], :2]
    (left, top), (right, bottom) = lips.min(0).astype(int), lips.max(0).astype(int)
    plate[top:bottom, left:right] = 0
    assert np.abs(fill_of(target, picture, plate).shade).max() < 2e-3


def test_shares_scale_the_mask(target: Any) -> None:
    picture, plate = np.full((256, 256, 3), 100, np.uint8), np.full((256, 256, 3), 0.4, np.float32)
    whole, half = fill_of(target, picture, plate), fill_of(target, picture, plate, share=0.5)
    assert whole.share.max() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(half.share, whole.share / 2, atol=1e-6)


def test_paint_goes_where_something_is_laid_over_it(target: Any) -> None:
    picture, plate = np.full((256, 256, 3), 100, np.uint8), np.full((256, 256, 3), 0.4, np.float32)
    fill = fill_of(target, picture, plate)
    residual = np.ones((256, 256, 3), np.float32)
    left = uncovered(residual, [fill])
    x, y = target[[13, 14], :2].mean(0).astype(int)
    assert left[y, x].max() < 0.01
    assert left[10, 10].min() == 1
    assert uncovered(residual, []) is residual
    assert residual.min() == 1


def test_a_shut_eye_stays_as_shut_as_it_was(target: Any) -> None:
    right = EYES_PART.pieces[0]
    upper, lower = (list(chain[1:-1]) for chain in right.opening)
    shut, crossed = target.copy(), target.copy()
    shut[upper, 1] = shut[lower, 1] - 1.5
    crossed[upper, 1] = crossed[lower, 1] + 1
    out = as_shut(EYES_PART, crossed, shut)
    np.testing.assert_allclose(out[upper, :2] - out[lower, :2], shut[upper, :2] - shut[lower, :2], atol=1e-3)
    middle = (crossed[upper, :2] + crossed[lower, :2]) / 2
    np.testing.assert_allclose((out[upper, :2] + out[lower, :2]) / 2, middle, atol=1e-3)
    left_eye = sorted({*EYES_PART.pieces[1].opening[0], *EYES_PART.pieces[1].opening[1]})
    np.testing.assert_array_equal(out[left_eye], crossed[left_eye])


def test_an_open_reference_is_taken_as_it_is_asked(target: Any) -> None:
    upper = list(MOUTH[0][1:-1])
    shut = target.copy()
    shut[upper, 1] += 2
    np.testing.assert_array_equal(as_shut(EYES_PART, shut, target), shut)


def test_it_ends_softly_at_the_faces_silhouette(target: Any) -> None:
    picture, plate = np.full((256, 256, 3), 100, np.uint8), np.full((256, 256, 3), 0.4, np.float32)
    x, y = target[[13, 14], :2].mean(0).astype(int)

    def left_half(window: Any) -> Any:
        face = np.zeros((window.side, window.side), np.float32)
        face[:, : x - window.left] = 1
        return face

    row = fill_of(target, picture, plate, face=left_half).share
    whole = fill_of(target, picture, plate).share
    y -= fill_of(target, picture, plate).window.top
    x -= fill_of(target, picture, plate).window.left
    assert not row[y, x:].any()
    assert row[y, x - 16] == pytest.approx(whole[y, x - 16], abs=0.01)
    assert np.abs(np.diff(row[y])).max() < 0.3
