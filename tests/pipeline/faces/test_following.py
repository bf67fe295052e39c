"""Where a followed face is looked for: as the detector would have said, whatever its turn and size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.pipeline.faces.following import place_of
from retarget.pipeline.faces.models import read_models
from retarget.pipeline.faces.networks import Networks


def test_it_turns_grows_and_moves_with_the_face(place_face: Any) -> None:
    upright = place_of(place_face((200, 100), 40))
    turned = place_of(place_face((500, 300), 80, roll=30))
    assert np.degrees(turned.roll_radians - upright.roll_radians) == pytest.approx(30)
    assert turned.size_px == pytest.approx(2 * upright.size_px)
    offset = upright.center - (200, 100)
    c, s = np.cos(np.radians(30)), np.sin(np.radians(30))
    np.testing.assert_allclose(turned.center, (500, 300) + 2 * np.array([[c, -s], [s, c]]) @ offset, atol=1e-6)


@pytest.mark.parametrize("turn_degrees", [0, 8, -6])
def test_it_is_the_detectors_box(samples: Path, turn_degrees: float) -> None:
    picture = cv2.cvtColor(cv2.imread(str(samples / "astronaut.png")), cv2.COLOR_BGR2RGB)
    matrix = cv2.getRotationMatrix2D((225, 120), turn_degrees, 1)
    matrix[:, 2] += (160 - 225, 160 - 120)
    picture = cv2.warpAffine(picture, matrix, (320, 320), borderMode=cv2.BORDER_REPLICATE)
    networks = Networks(read_models())
    (detected,), seen = networks.detect(picture), networks.find(picture)
    assert seen is not None
    place = place_of(seen[0])
    assert place.size_px == pytest.approx(detected.size_px, rel=0.05)
    assert np.linalg.norm(place.center - detected.center) < 0.05 * detected.size_px
    assert abs(np.degrees(place.roll_radians - detected.roll_radians)) < 5
