"""Options that make no sense are refused."""

from __future__ import annotations

from typing import Any

import pytest

from retarget.pipeline.errors import OptionError
from retarget.train.prepare.options import PrepareOptions


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"frames_per_clip": 0}, "0 frames per clip make no sense"),
        ({"jobs": -1}, "-1 jobs make no sense"),
        ({"jpeg_quality": 101}, "JPEG quality 101 makes no sense"),
        ({"eval_fraction": 1.0}, "eval fraction 1.0 makes no sense"),
        ({"min_face_px": 0}, "smallest face of 0 px makes no sense"),
    ],
)
def test_options_that_make_no_sense(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        PrepareOptions(**fields)
