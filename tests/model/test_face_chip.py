"""Where a face sits in the descriptor's picture: as dlib puts it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.model.face_chip import CHIP_PX, FIVE_POINTS, chip_matrix


def test_the_five_points_are_in_dlibs_order(place_face: Callable[..., Any]) -> None:
    # dlib's mean face: outer and inner eye corner at the picture's right, then at its left, then the nose's base.
    right_outer, right_inner, left_outer, left_inner, nose = place_face((128, 100), 80)[list(FIVE_POINTS), :2]
    assert right_outer[0] > right_inner[0] > nose[0] > left_inner[0] > left_outer[0]
    assert nose[1] > max(right_outer[1], right_inner[1], left_outer[1], left_inner[1])


def test_a_face_is_put_in_the_same_place_whatever_its_size_place_and_roll(place_face: Callable[..., Any]) -> None:
    def placed(*where: Any, **turned: Any) -> Any:
        points = place_face(*where, **turned)[:, :2]
        matrix = chip_matrix(points)
        return points @ matrix[:, :2].T + matrix[:, 2]

    upright = placed((128, 100), 80)
    np.testing.assert_allclose(placed((900, 400), 230, roll=35), upright, atol=1e-6)
    eyes = upright[[33, 263]]
    assert abs(eyes[0, 1] - eyes[1, 1]) < 0.5
    assert abs(eyes[:, 0].mean() - CHIP_PX / 2) < 1.5
    assert 0 < upright[152, 1] < CHIP_PX, "the chin is in it"


@pytest.mark.skipif(importlib.util.find_spec("dlib") is None, reason="needs retarget[evaluate]")
def test_the_chip_is_dlibs_own(place_face: Callable[..., Any], disc: Callable[..., Any]) -> None:
    dlib: Any = importlib.import_module("dlib")
    points = place_face((200, 160), 90, roll=8)[:, :2].copy()
    points[list(FIVE_POINTS)] = np.round(points[list(FIVE_POINTS)] - 0.5) + 0.5  # dlib takes whole pixels' centres
    x, y = np.meshgrid(np.arange(400) + 0.5, np.arange(320) + 0.5)
    gray = sum(disc(*points[i], 9, 60, 0)(x, y) for i in FIVE_POINTS) + 60
    picture = np.repeat(gray[..., None], 3, 2).astype(np.uint8)
    corners = [dlib.point(int(x), int(y)) for x, y in points[list(FIVE_POINTS)] - 0.5]
    found = dlib.full_object_detection(dlib.rectangle(100, 60, 300, 260), corners)
    theirs = dlib.get_face_chip(picture, found, CHIP_PX, 0.25)
    matrix = chip_matrix(points)
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # cv2 counts pixel centres as whole numbers
    ours = cv2.warpAffine(picture, matrix, (CHIP_PX, CHIP_PX), flags=cv2.INTER_LINEAR)

    def differs(shift: int, axis: int) -> float:
        return float(np.abs(theirs.astype(float) - np.roll(ours, shift, axis))[10:-10, 10:-10].mean())

    there = differs(0, 0)
    assert there < 0.5 * min(differs(shift, axis) for shift in (-1, 1) for axis in (0, 1))
