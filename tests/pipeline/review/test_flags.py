"""Flags of planted defects."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.edit import Fade
from retarget.pipeline.review.flags import flags_of
from retarget.pipeline.review.series import ClipSeries, FaceSeries

Ranges = list[tuple[str, int, int]]


def with_rows(series: FaceSeries, rows: slice | list[int], **values: float) -> FaceSeries:
    """The series with other values in some rows; `jitter_1` is column 1 of jitter."""
    changed = {}
    for key, value in values.items():
        name, _, column = key.rpartition("_") if key[-1].isdigit() else (key, "", "")
        array = changed.get(name, getattr(series, name).copy())
        array[(rows, int(column)) if column else rows] = value
        changed[name] = array
    return dataclasses.replace(series, **changed)


@pytest.fixture
def found(clip_of: Any) -> Callable[[FaceSeries], Ranges]:
    """`found(face)`: (reason, first, last) of the flags of a clip with that face."""

    def flagged(face: FaceSeries) -> Ranges:
        return [(flag.reason, flag.first_frame, flag.last_frame) for flag in flags_of(clip_of(face))]

    return flagged


def test_a_clip_in_order_has_no_flag(clip_of: Any, face: FaceSeries) -> None:
    assert flags_of(clip_of(face)) == ()


def test_a_face_lost_for_five_frames(clip_of: Any, face: FaceSeries) -> None:
    nothing = dict.fromkeys(("confidence", "yaw_degrees", "misfit", "requested", "measured", "jitter"), math.nan)
    lost = with_rows(face, slice(10, 15), **nothing, output_confidence=math.nan)
    (flag,) = flags_of(clip_of(lost))
    assert (flag.reason, flag.first_frame, flag.last_frame, flag.frame_count) == ("face_lost_source", 110, 114, 5)
    assert (flag.in_seconds, flag.out_seconds) == (4.4, 4.6)  # frame 115 is shown at 4.6 s
    assert (flag.color, flag.face) == ("ORANGE", 0)


def test_a_face_lost_in_the_output_alone(clip_of: Any, face: FaceSeries) -> None:
    lost = with_rows(face, slice(10, 15), output_confidence=math.nan, measured=math.nan, jitter_1=math.nan)
    (flag,) = flags_of(clip_of(lost))
    assert (flag.reason, flag.first_frame, flag.last_frame, flag.color) == ("face_lost_output", 110, 114, "RED")


def test_flicker_in_two_frames(found: Any, face: FaceSeries) -> None:
    assert found(with_rows(face, [20, 30], jitter_1=0.04)) == [("flicker", 120, 120), ("flicker", 130, 130)]


def test_flicker_that_the_source_has_too_is_none(found: Any, face: FaceSeries) -> None:
    assert found(with_rows(face, [20, 30], jitter_0=0.04, jitter_1=0.05)) == []


def test_a_driven_blink_is_no_flicker(found: Any, face: FaceSeries) -> None:
    # one of v_rel up and down again: a second difference of 2, good for 0.06
    blink = with_rows(face, [20], requested=1.5, measured=0.9, jitter_1=0.06)
    assert found(blink) == []


def test_an_edit_left_out_in_one_frame_is_flicker(found: Any, face: FaceSeries) -> None:
    # it departs by all that the edit changes, 4 levels; the allowance is 0.45 * (4 + 1)
    assert found(with_rows(face, [20], pop_0=4.0)) == [("flicker", 120, 120)]
    assert found(with_rows(face, [20], pop_0=2.2)) == []
    invisible = with_rows(face, slice(None), pop_1=0.5)
    assert found(with_rows(invisible, [20], pop_0=1.4)) == [], "less than a level and a half is not seen"


def test_a_residual_as_large_as_the_request(clip_of: Any, face: FaceSeries) -> None:
    # 0.1 of its own + 0.5 asked = 0.6 wanted; 0.1 measured leaves all 0.5
    missed = with_rows(face, slice(12, 20), measured=0.1)
    (flag,) = flags_of(clip_of(missed))
    assert (flag.reason, flag.first_frame, flag.last_frame) == ("residual", 112, 119)
    assert flag.comment == "0.50 left of 0.50 asked; most AU12L (0.50)"


def test_two_frames_of_residual_are_chance(found: Any, face: FaceSeries) -> None:
    assert found(with_rows(face, slice(12, 14), measured=0.1)) == []


def test_an_edited_face_that_is_softer(found: Any, face: FaceSeries) -> None:
    assert found(with_rows(face, slice(5, 9), sharpness_1=0.3)) == [("softer", 105, 108)]
    untouched = dataclasses.replace(face, requested=np.zeros((len(face.frames), 1)))
    assert found(with_rows(untouched, slice(5, 9), sharpness_1=0.3)) == []


def test_a_colour_never_seen_in_one_frame(clip_of: Any, face: FaceSeries) -> None:
    painted = with_rows(with_rows(face, [20], never_seen_0=2.5, never_seen_2=2.0), [30], never_seen_0=0.2)
    (flag,) = flags_of(clip_of(painted))
    assert (flag.reason, flag.first_frame, flag.last_frame, flag.color) == ("painted", 120, 120, "RED")
    assert flag.comment == "2.5 ‰ of the face in colours never seen there; most in the eyes"


def test_a_mouth_of_one_colour(clip_of: Any, face: FaceSeries) -> None:
    detail = face.detail.copy()
    detail[10:16, 0, 1] = 2.0
    (flag,) = flags_of(clip_of(dataclasses.replace(face, detail=detail)))
    assert (flag.reason, flag.first_frame, flag.last_frame) == ("painted", 110, 115)
    assert flag.comment == "the open mouth is flat: detail 2.0, in the shot 20.0"
    detail[:, 0, 0] = math.nan  # the source's is never open
    (flag,) = flags_of(clip_of(dataclasses.replace(face, detail=np.where(detail == 2, 1.9, detail))))
    assert flag.comment == "the open mouth is flat: detail 1.9, in the shot 8.0"


def test_boiling_in_a_region_for_a_while(clip_of: Any, face: FaceSeries) -> None:
    boiling = face.boiling.copy()
    boiling[10:25, 3, 1] = 10.0
    (flag,) = flags_of(clip_of(dataclasses.replace(face, boiling=boiling)))
    assert (flag.reason, flag.color) == ("boiling", "ORANGE")
    assert flag.first_frame <= 112
    assert flag.last_frame >= 122
    assert flag.comment == "2.0 times the source's in the jaw; what was asked explains 1.3"


def test_lips_that_are_driven_fast_may_change_and_a_jaw_may_not(found: Any, face: FaceSeries) -> None:
    boiling, requested = face.boiling.copy(), face.requested.copy()
    requested[10:25, 0] += np.arange(15) % 2  # 1 a frame, good for 10 levels in the mouth and 2 along the jaw
    driven = dataclasses.replace(face, requested=requested, measured=requested + face.own, jitter=0 * face.jitter)
    boiling[12:23, 1, 1] = 12.0
    assert found(dataclasses.replace(driven, boiling=boiling)) == []
    boiling[12:23, 3, 1] = 12.0
    assert [reason for reason, _, _ in found(dataclasses.replace(driven, boiling=boiling))] == ["boiling"]


def test_a_blurred_source(found: Any, face: FaceSeries) -> None:
    assert found(with_rows(face, slice(5, 9), sharpness=0.2)) == [("blur", 105, 108)]


@pytest.mark.parametrize(("angle", "degrees"), [("yaw_degrees", -48.0), ("pitch_degrees", 40.0)])
def test_a_pose_that_fades_the_edit(clip_of: Any, face: FaceSeries, angle: str, degrees: float) -> None:
    (flag,) = flags_of(clip_of(with_rows(face, slice(5, 9), **{angle: degrees})))
    assert (flag.reason, flag.first_frame, flag.last_frame, flag.color) == ("pose", 105, 108, "YELLOW")
    assert "of the edit applied" in flag.comment


def test_where_an_edit_was_held_back(clip_of: Any, face: FaceSeries) -> None:
    fades = (Fade(103, 108, "border"), Fade(120, 130, "turned"))
    (flag,) = flags_of(clip_of(dataclasses.replace(face, fades=fades)))
    assert (flag.reason, flag.first_frame, flag.last_frame, flag.color) == ("faded", 103, 108, "YELLOW")
    assert flag.comment == "less is done than was asked: cut by the picture's border"


@pytest.mark.parametrize("values", [{"misfit": 0.09}, {"covered": 0.3}, {"confidence": 0.4}])
def test_something_before_the_face(found: Any, face: FaceSeries, values: dict[str, float]) -> None:
    assert found(with_rows(face, slice(5, 9), **values)) == [("occlusion", 105, 108)]


def test_a_turning_head_looks_otherwise_without_being_covered(found: Any, face: FaceSeries) -> None:
    assert found(with_rows(face, slice(5, 9), covered=0.3, yaw_degrees=25.0)) == []


def test_ranges_with_two_good_frames_between_are_one_and_with_three_are_two(found: Any, face: FaceSeries) -> None:
    lost = {"output_confidence": math.nan}
    assert found(with_rows(face, [10, 13], **lost)) == [("face_lost_output", 110, 113)]
    assert found(with_rows(face, [10, 14], **lost)) == [
        ("face_lost_output", 110, 110),
        ("face_lost_output", 114, 114),
    ]


def test_the_worst_frame_of_a_range(clip_of: Any, face: FaceSeries) -> None:
    missed = with_rows(with_rows(face, slice(12, 20), measured=0.1), [17], measured=0.0)
    (flag,) = flags_of(clip_of(missed))
    assert flag.worst_frame == 117


def test_pictures_that_did_not_decode(clip_of: Any, face: FaceSeries) -> None:
    corrupt = np.zeros((200, 2), np.bool_)
    corrupt[7, 0] = corrupt[60, :] = True
    flags = flags_of(clip_of(face, corrupt=corrupt))
    assert [(f.reason, f.first_frame, f.comment) for f in flags] == [
        ("decode", 7, "in the source"),
        ("decode", 60, "in the source and the output"),
    ]


def test_another_face_for_a_while(clip_of: Any, face: FaceSeries) -> None:
    counts = np.ones((200, 2), np.int64)
    counts[50:60] = 2
    counts[80, 1] = 0  # a single frame is chance
    (flag,) = flags_of(clip_of(face, face_counts=counts))
    assert (flag.reason, flag.first_frame, flag.last_frame, flag.color) == ("face_count", 50, 59, "GREEN")


def test_a_shot_with_nobody_to_edit(clip_of: Any, face: FaceSeries) -> None:
    shots = np.zeros(200, np.int64)
    shots[150:] = 1
    counts = np.ones((200, 2), np.int64)
    counts[150:] = 0
    (flag,) = flags_of(clip_of(face, shot_of_frame=shots, face_counts=counts))
    assert (flag.reason, flag.first_frame, flag.last_frame) == ("no_face", 150, 199)
    assert flag.out_seconds == 8.0


def test_an_output_with_a_frame_too_few(clip_of: Any, face: FaceSeries) -> None:
    (flag,) = flags_of(clip_of(face, output_frames=199))
    assert (flag.reason, flag.first_frame, flag.color) == ("frame_count", 198, "RED")
    assert flag.comment == "199 frames, the source has 200"


def test_a_source_that_is_not_whole(clip_of: Callable[..., ClipSeries]) -> None:
    (flag,) = [f for f in flags_of(clip_of(shortfall="the source is not whole")) if f.reason == "incomplete"]
    assert (flag.first_frame, flag.last_frame, flag.comment) == (199, 199, "the source is not whole")
