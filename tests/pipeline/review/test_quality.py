from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from retarget.pipeline.review.quality import REASONS, Flag, markers_of, quality_from_json


def test_a_flag_checks_its_frames() -> None:
    with pytest.raises(ValueError, match="Flag spans frames 5 to 4 with the worst at 5"):
        Flag("blur", 5, 4, 0.0, 0.0, 5, "")


def test_the_score_by_hand(quality_with: Any, flag_of: Any) -> None:
    assert quality_with().score == 0
    # orange weighs 18: a third for being there, the rest by the half of the clip that it covers
    assert quality_with(flag_of("flicker", 0, 49)).score == 12
    red, green = flag_of("face_lost_output", 0, 0), flag_of("face_count", 0, 99)
    assert quality_with(red).score > quality_with(green).score
    half = {"edit": (0.0, 0.4), "residual": (0.3, 0.2)}
    assert quality_with(**half).score == 2.5  # half of the request is left, of 5
    assert quality_with(flag_of("failed", 0, 0)).score == 100


def test_what_was_stored_before_pictures_were_judged_is_measured_again(quality_with: Any) -> None:
    stored = json.loads(quality_with().to_json())
    assert quality_from_json(json.dumps(stored).encode()) == quality_with()
    del stored["pictures"]
    with pytest.raises(ValueError, match="pictures"):
        quality_from_json(json.dumps(stored).encode())


def test_markers_are_for_frames(quality_with: Any, flag_of: Any) -> None:
    markers = markers_of(quality_with(flag_of("flicker", 12, 15)))
    assert [(m.name, m.comment, m.color, m.start_frame, m.frame_count) for m in markers] == [
        ("Flicker", "as measured", "ORANGE", 12, 4)
    ]
    assert markers_of(quality_with(flag_of("failed", 0, 0))) == []


def test_every_reason_has_a_color_of_timelines() -> None:
    assert {info.color for info in REASONS.values()} == {"RED", "ORANGE", "YELLOW", "GREEN"}


@pytest.mark.parametrize(
    ("rate", "frame", "timecode"),
    [
        (Fraction(25), 26, "00:00:01:01"),
        (Fraction(24000, 1001), 24, "00:00:01:00"),
        (Fraction(30000, 1001), 1800, "00:01:00;02"),
    ],
)
def test_timecode(quality_with: Any, rate: Fraction, frame: int, timecode: str) -> None:
    assert quality_with(frame_rate=rate).timecode(frame) == timecode


def test_the_records_are_light() -> None:
    program = "import sys, retarget.pipeline.review.quality; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "av", "cv2", "mediapipe", "matplotlib", "scipy"} & set(run.stdout.split())


def test_names_that_are_no_utf8_are_stored_as_they_are_shown(quality_with: Any) -> None:
    odd = replace(quality_with(), name="pl\udce4te", notes=("pl\udce4te.mov: a note",))
    stored = quality_from_json(odd.to_json())
    assert stored.name == "pl\\udce4te"
    assert stored.notes == ("pl\\udce4te.mov: a note",)
