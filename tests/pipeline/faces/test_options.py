"""How faces are looked for."""

from __future__ import annotations

from typing import Any

import pytest

from retarget.pipeline.errors import OptionError
from retarget.pipeline.faces.options import TrackOptions


def test_the_smallest_face_goes_with_the_picture(make_info: Any) -> None:
    assert TrackOptions().min_face(make_info(1920, 1080)) == 65
    assert TrackOptions().min_face(make_info(320, 240)) == 32
    assert TrackOptions(min_face_px=20).min_face(make_info(1920, 1080)) == 20


def test_a_tracker_that_is_none() -> None:
    with pytest.raises(OptionError, match="tracker 'dlib' is unknown; use own or mediapipe"):
        TrackOptions(tracker="dlib")  # type: ignore[arg-type]
