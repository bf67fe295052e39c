"""Where an edit fades, how fast, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.edit.causes import Fade
from retarget.pipeline.edit.fading import FADE_SECONDS, allowances, fades_of
from retarget.pipeline.edit.options import PlanOptions
from retarget.pipeline.edit.plan import FacePlan, plan_faces
from retarget.pipeline.faces import FaceTrack, Shot

SHOT = Shot(0, 0, 59, 0.0, 59 / 25)


@pytest.fixture
def make_track() -> Callable[..., FaceTrack]:
    """`make_track(frames, **series)`: a still face, 50 px between the eyes, at 25 frames a second."""

    def make(frames: Any = range(60), **series: Any) -> FaceTrack:
        frames = np.asarray(frames)
        n = len(frames)
        values: dict[str, Any] = {
            "alignments": np.tile([200.0, 150.0, np.log(50), 0.0], (n, 1)),
            "confidence": np.ones(n),
            "yaw_degrees": np.zeros(n),
            "outside": np.zeros(n),
        }
        return FaceTrack(
            shot=0,
            face_id=0,
            rows=np.arange(n),
            frames=frames,
            seconds=frames / 25,
            action_units=np.zeros((n, action_units.COUNT), np.float32),
            pitch_degrees=np.zeros(n),
            size_px=np.full(n, 100.0),
            centers=np.tile([200.0, 150.0], (n, 1)),
            **(values | series),
        )

    return make


def allowed(track: FaceTrack) -> Any:
    return np.minimum.reduce(list(allowances(track, SHOT).values()))


def held_back(track: FaceTrack) -> tuple[Fade, ...]:
    return fades_of(track, allowances(track, SHOT), np.ones(len(track.frames), bool))


def test_a_face_that_is_simply_there_is_not_held_back(make_track: Any) -> None:
    track = make_track()
    assert allowed(track).min() == pytest.approx(1)
    assert held_back(track) == ()


def test_an_edit_fades_around_a_gap_in_a_track(make_track: Any) -> None:
    track = make_track([*range(30), *range(36, 60)])  # lost for six frames
    found = allowed(track)
    assert found[29] == found[30] == 0  # the last before and the first after
    assert found[[0, -1]].min() == pytest.approx(1), "the shot's own edges need no ramp"
    assert (np.diff(found[24:30]) < 0).all()
    assert (np.diff(found[30:36]) > 0).all()
    assert held_back(track) == (Fade(23, 42, "unseen"),)


@pytest.mark.parametrize(
    ("series", "value", "cause"),
    [("confidence", 0.0, "unsure"), ("outside", 0.5, "border"), ("yaw_degrees", 60.0, "turned")],
)
def test_what_cannot_be_edited_well_has_faded_when_it_comes(
    make_track: Any, series: str, value: float, cause: str
) -> None:
    values = np.ones(60) if series == "confidence" else np.zeros(60)
    values[30:33] = value
    track = make_track(**{series: values})
    found = allowed(track)
    assert found[30:33].max() == 0
    assert found[[15, 45]].min() > 0.9
    assert np.abs(np.diff(found)).max() <= 1 / 25 / FADE_SECONDS + 1e-9, "nothing pops"
    (fade,) = held_back(track)
    assert fade.cause == cause
    assert fade.first_frame < 27
    assert fade.last_frame > 35


def test_a_forehead_beyond_the_picture_costs_nothing(make_track: Any) -> None:
    assert allowed(make_track(outside=np.full(60, 0.19))).min() == pytest.approx(1)
    assert allowed(make_track(outside=np.full(60, 0.3))) == pytest.approx(0.5)
    assert allowed(make_track(outside=np.full(60, 0.45))).max() == 0


def test_a_mesh_that_slips_off_the_face(make_track: Any) -> None:
    slipped = make_track().alignments.copy()
    slipped[30:32] += (40, 10, -0.2, 0)
    track = make_track(alignments=slipped)
    assert allowed(track)[29:33].max() == 0
    assert {fade.cause for fade in held_back(track)} == {"unsure"}


def test_a_face_that_runs_and_comes_near_is_no_slip(make_track: Any) -> None:
    time = np.arange(60) / 25
    ways = np.c_[200 + 300 * np.sin(4 * time), 150 + 40 * time, np.log(50) + 0.5 * time**2, 0.3 * time]
    assert allowed(make_track(alignments=ways)).min() == pytest.approx(1)


def test_only_what_was_asked_is_told(make_track: Any) -> None:
    track = make_track(outside=np.full(60, 0.5))
    asked = np.zeros(60, bool)
    asked[10:20] = True
    assert fades_of(track, allowances(track, SHOT), asked) == (Fade(10, 19, "border"),)
    assert str(Fade(10, 19, "border")) == "10-19 (cut by the picture's border)"
    assert str(Fade(4, 4, "turned")) == "4 (turned away)"


def test_a_plan_says_where_it_holds_back(analysed: Any, make_face: Any, fixed_driver: Any) -> None:
    straight, turned = (make_face(),), (make_face(yaw=70),)
    analysis = analysed([straight] * 20 + [turned] * 20)

    def plan(wish: dict[str, float]) -> FacePlan:
        (found,) = plan_faces(analysis, fixed_driver(wish), PlanOptions(neutral="none")).faces
        return found

    (fade,) = plan({"AU12": 0.5}).fades
    assert (fade.last_frame, fade.cause) == (39, "turned")
    assert 10 < fade.first_frame < 18
    assert plan({}).fades == ()
