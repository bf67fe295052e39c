import contextlib
import dataclasses
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from retarget.pipeline.media import EncodeOptions, create_video, open_video
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.records import Frame
from retarget.pipeline.review.quality import (
    MOMENTS,
    PICTURES_MAX_BYTES,
    REASONS,
    ClipQuality,
    ClipSeries,
    FaceSeries,
    Flag,
    QcInput,
    chosen_frames,
    flags_of,
    markers_of,
    measure_quality,
    quality_from_json,
    unit_summaries,
)
from retarget.pipeline.run import retarget_video

N = 40


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def face() -> FaceSeries:
    """40 frames from frame 100 at 25 fps: AU12L asked for 0.5 and reached by 0.3, all else in order."""
    ones = np.ones(N)
    return FaceSeries(
        face=0,
        frames=np.arange(100, 100 + N),
        seconds=np.arange(100, 100 + N) / 25,
        units=("AU12L",),
        requested=np.full((N, 1), 0.5),
        own=np.full((N, 1), 0.1),
        measured=np.full((N, 1), 0.4),
        yaw_degrees=5 * ones,
        pitch_degrees=-3 * ones,
        confidence=ones.copy(),
        output_confidence=ones.copy(),
        jitter=np.full((N, 2), 0.01),
        misfit=np.full(N, 0.02),
        covered=np.full(N, 0.02),
        sharpness=np.full((N, 2), 0.5),
        pop=np.tile([0.2, 4.0], (N, 1)),
        place=np.tile([50.0, 40.0, 30.0], (N, 1)),
    )


def clip_of(*faces: FaceSeries, frames: int = 200, **changes: Any) -> ClipSeries:
    """A clip of one shot with those faces in it, one face seen in every frame."""
    made = ClipSeries(
        seconds=np.arange(frames) / 25,
        faces=faces,
        face_counts=np.ones((frames, 2), np.int64),
        shot_of_frame=np.zeros(frames, np.int64),
        corrupt=np.zeros((frames, 2), np.bool_),
        output_frames=frames,
        frame_rate=Fraction(25),
    )
    return dataclasses.replace(made, **changes)


def with_rows(series: FaceSeries, rows: slice | list[int], **values: float) -> FaceSeries:
    """The series with other values in some rows; `jitter_1` is column 1 of jitter."""
    changed = {}
    for key, value in values.items():
        name, _, column = key.rpartition("_") if key[-1].isdigit() else (key, "", "")
        array = changed.get(name, getattr(series, name).copy())
        array[(rows, int(column)) if column else rows] = value
        changed[name] = array
    return dataclasses.replace(series, **changed)


def found(face: FaceSeries) -> list[tuple[str, int, int]]:
    return [(flag.reason, flag.first_frame, flag.last_frame) for flag in flags_of(clip_of(face))]


# Planted defects


def test_a_clip_in_order_has_no_flag(face: FaceSeries) -> None:
    assert flags_of(clip_of(face)) == ()


def test_a_face_lost_for_five_frames(face: FaceSeries) -> None:
    nothing = dict.fromkeys(("confidence", "yaw_degrees", "misfit", "requested", "measured", "jitter"), math.nan)
    lost = with_rows(face, slice(10, 15), **nothing, output_confidence=math.nan)
    (flag,) = flags_of(clip_of(lost))
    assert (flag.reason, flag.first_frame, flag.last_frame, flag.frame_count) == ("face_lost_source", 110, 114, 5)
    assert (flag.in_seconds, flag.out_seconds) == (4.4, 4.6)  # frame 115 is shown at 4.6 s
    assert (flag.color, flag.face) == ("ORANGE", 0)


def test_a_face_lost_in_the_output_alone(face: FaceSeries) -> None:
    lost = with_rows(face, slice(10, 15), output_confidence=math.nan, measured=math.nan, jitter_1=math.nan)
    (flag,) = flags_of(clip_of(lost))
    assert (flag.reason, flag.first_frame, flag.last_frame, flag.color) == ("face_lost_output", 110, 114, "RED")


def test_flicker_in_two_frames(face: FaceSeries) -> None:
    assert found(with_rows(face, [20, 30], jitter_1=0.04)) == [("flicker", 120, 120), ("flicker", 130, 130)]


def test_flicker_that_the_source_has_too_is_none(face: FaceSeries) -> None:
    assert found(with_rows(face, [20, 30], jitter_0=0.04, jitter_1=0.05)) == []


def test_a_driven_blink_is_no_flicker(face: FaceSeries) -> None:
    # one of v_rel up and down again: a second difference of 2, good for 0.06
    blink = with_rows(face, [20], requested=1.5, measured=0.9, jitter_1=0.06)
    assert found(blink) == []


def test_an_edit_left_out_in_one_frame_is_flicker(face: FaceSeries) -> None:
    # it departs by all that the edit changes, 4 levels; the allowance is 0.45 * (4 + 1)
    assert found(with_rows(face, [20], pop_0=4.0)) == [("flicker", 120, 120)]
    assert found(with_rows(face, [20], pop_0=2.2)) == []
    invisible = with_rows(face, slice(0, N), pop_1=0.5)
    assert found(with_rows(invisible, [20], pop_0=1.4)) == [], "less than a level and a half is not seen"


def test_a_residual_as_large_as_the_request(face: FaceSeries) -> None:
    # 0.1 of its own + 0.5 asked = 0.6 wanted; 0.1 measured leaves all 0.5
    missed = with_rows(face, slice(12, 20), measured=0.1)
    (flag,) = flags_of(clip_of(missed))
    assert (flag.reason, flag.first_frame, flag.last_frame) == ("residual", 112, 119)
    assert flag.comment == "0.50 left of 0.50 asked; most AU12L (0.50)"


def test_two_frames_of_residual_are_chance(face: FaceSeries) -> None:
    assert found(with_rows(face, slice(12, 14), measured=0.1)) == []


def test_an_edited_face_that_is_softer(face: FaceSeries) -> None:
    assert found(with_rows(face, slice(5, 9), sharpness_1=0.3)) == [("softer", 105, 108)]
    untouched = dataclasses.replace(face, requested=np.zeros((N, 1)))
    assert found(with_rows(untouched, slice(5, 9), sharpness_1=0.3)) == []


def test_a_blurred_source(face: FaceSeries) -> None:
    assert found(with_rows(face, slice(5, 9), sharpness=0.2)) == [("blur", 105, 108)]


@pytest.mark.parametrize(("angle", "degrees"), [("yaw_degrees", -48.0), ("pitch_degrees", 40.0)])
def test_a_pose_that_fades_the_edit(face: FaceSeries, angle: str, degrees: float) -> None:
    (flag,) = flags_of(clip_of(with_rows(face, slice(5, 9), **{angle: degrees})))
    assert (flag.reason, flag.first_frame, flag.last_frame, flag.color) == ("pose", 105, 108, "YELLOW")
    assert "of the edit applied" in flag.comment


@pytest.mark.parametrize("values", [{"misfit": 0.09}, {"covered": 0.3}, {"confidence": 0.4}])
def test_something_before_the_face(face: FaceSeries, values: dict[str, float]) -> None:
    assert found(with_rows(face, slice(5, 9), **values)) == [("occlusion", 105, 108)]


def test_a_turning_head_looks_otherwise_without_being_covered(face: FaceSeries) -> None:
    assert found(with_rows(face, slice(5, 9), covered=0.3, yaw_degrees=25.0)) == []


def test_ranges_with_two_good_frames_between_are_one_and_with_three_are_two(face: FaceSeries) -> None:
    lost = {"output_confidence": math.nan}
    assert found(with_rows(face, [10, 13], **lost)) == [("face_lost_output", 110, 113)]
    assert found(with_rows(face, [10, 14], **lost)) == [
        ("face_lost_output", 110, 110),
        ("face_lost_output", 114, 114),
    ]


def test_the_worst_frame_of_a_range(face: FaceSeries) -> None:
    missed = with_rows(with_rows(face, slice(12, 20), measured=0.1), [17], measured=0.0)
    (flag,) = flags_of(clip_of(missed))
    assert flag.worst_frame == 117


def test_pictures_that_did_not_decode(face: FaceSeries) -> None:
    corrupt = np.zeros((200, 2), np.bool_)
    corrupt[7, 0] = corrupt[60, :] = True
    flags = flags_of(clip_of(face, corrupt=corrupt))
    assert [(f.reason, f.first_frame, f.comment) for f in flags] == [
        ("decode", 7, "in the source"),
        ("decode", 60, "in the source and the output"),
    ]


def test_another_face_for_a_while(face: FaceSeries) -> None:
    counts = np.ones((200, 2), np.int64)
    counts[50:60] = 2
    counts[80, 1] = 0  # a single frame is chance
    (flag,) = flags_of(clip_of(face, face_counts=counts))
    assert (flag.reason, flag.first_frame, flag.last_frame, flag.color) == ("face_count", 50, 59, "GREEN")


def test_a_shot_with_nobody_to_edit(face: FaceSeries) -> None:
    shots = np.zeros(200, np.int64)
    shots[150:] = 1
    counts = np.ones((200, 2), np.int64)
    counts[150:] = 0
    (flag,) = flags_of(clip_of(face, shot_of_frame=shots, face_counts=counts))
    assert (flag.reason, flag.first_frame, flag.last_frame) == ("no_face", 150, 199)
    assert flag.out_seconds == 8.0


def test_an_output_with_a_frame_too_few(face: FaceSeries) -> None:
    (flag,) = flags_of(clip_of(face, output_frames=199))
    assert (flag.reason, flag.first_frame, flag.color) == ("frame_count", 198, "RED")
    assert flag.comment == "199 frames, the source has 200"


def test_a_flag_checks_its_frames() -> None:
    with pytest.raises(ValueError, match="Flag spans frames 5 to 4 with the worst at 5"):
        Flag("blur", 5, 4, 0.0, 0.0, 5, "")


# Known answers


def test_residual_and_edit_by_hand(face: FaceSeries) -> None:
    two = dataclasses.replace(
        face,
        units=("AU12L", "AU12R"),
        requested=np.tile([0.3, 0.4], (N, 1)),
        own=np.tile([0.1, 0.9], (N, 1)),
        measured=np.tile([0.1, 0.6], (N, 1)),
    )
    np.testing.assert_allclose(two.edit, 0.5)
    # wanted 0.4 and 1.3, of which no more than 1 can be measured: off by 0.3 and 0.4
    np.testing.assert_allclose(two.residual, 0.5)


def test_the_response_of_an_action_unit(face: FaceSeries) -> None:
    (unit,) = unit_summaries([face])
    assert (unit.name, unit.asked, unit.error, unit.response) == ("AU12L", 0.5, 0.2, 0.6)
    still = dataclasses.replace(face, requested=np.full((N, 1), 0.01))
    assert unit_summaries([still]) == ()


def quality_with(*flags: Flag, frames: int = 100, **values: Any) -> ClipQuality:
    return ClipQuality(
        name="a", source="a.mov", output="b.mov", state="done", frames=frames, flags=flags, **values
    )


def flag_of(reason: Any, first: int, last: int) -> Flag:
    return Flag(reason, first, last, first / 25, (last + 1) / 25, first, "as measured")


def test_the_score_by_hand() -> None:
    assert quality_with().score == 0
    # orange weighs 18: a third for being there, the rest by the half of the clip that it covers
    assert quality_with(flag_of("flicker", 0, 49)).score == 12
    red, green = flag_of("face_lost_output", 0, 0), flag_of("face_count", 0, 99)
    assert quality_with(red).score > quality_with(green).score
    half = {"edit": (0.0, 0.4), "residual": (0.3, 0.2)}
    assert quality_with(**half).score == 2.5  # half of the request is left, of 5
    assert quality_with(flag_of("failed", 0, 0)).score == 100


def test_markers_are_for_frames() -> None:
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
def test_timecode(rate: Fraction, frame: int, timecode: str) -> None:
    assert quality_with(frame_rate=rate).timecode(frame) == timecode


def test_what_is_shown_is_what_is_urgent() -> None:
    flags = (flag_of("face_count", 0, 60), flag_of("flicker", 70, 70), flag_of("flicker", 30, 31))
    chosen = chosen_frames(quality_with(*flags, edit=tuple(0.5 + (i == 85) for i in range(100))))
    assert len(chosen) == MOMENTS
    assert list(chosen) == sorted(chosen)
    assert chosen[30] == "Flicker"
    assert chosen[0] == "Face count"
    assert chosen[85] == "largest edit"


def test_a_clip_of_one_frame_shows_it() -> None:
    assert list(chosen_frames(quality_with(frames=1, edit=(0.0,)))) == [0]


# Jobs


def job(source: Path, output: Path | None, **values: Any) -> QcInput:
    given: dict[str, Any] = {
        "name": "job",
        "report": None,
        "state": "done",
        "error": "",
        "seconds": {},
        "options": RetargetOptions(device="cpu"),
    }
    return QcInput(source=source, output=output, **(given | values))


def test_a_failed_job_shows_its_source_and_its_error(samples: Path) -> None:
    failed = measure_quality(job(samples / "actress.mp4", None, state="failed", error="a.mov: disk full"))
    assert [(f.reason, f.comment) for f in failed.flags] == [("failed", "a.mov: disk full")]
    assert failed.score == 100
    (moment,) = failed.moments
    assert picture(moment.frame_before).shape == (144, 256, 3)
    assert moment.face_after == b""


def test_a_failed_job_whose_source_is_missing(tmp_path: Path) -> None:
    failed = measure_quality(job(tmp_path / "no.mov", None, state="failed", error="no.mov: does not exist"))
    assert failed.moments == ()
    assert failed.flags[0].reason == "failed"


def test_an_output_that_has_gone(samples: Path, tmp_path: Path) -> None:
    gone = measure_quality(job(samples / "actress.mp4", tmp_path / "gone.mp4"))
    assert [f.reason for f in gone.flags] == ["no_output"]


def test_an_output_that_is_no_film(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.mp4").write_bytes(b"not a film")
    torn = measure_quality(job(samples / "actress.mp4", tmp_path / "torn.mp4"))
    assert [f.reason for f in torn.flags] == ["unreadable"]
    assert "torn.mp4" in torn.flags[0].comment
    assert "\n" not in torn.flags[0].comment


def test_an_output_of_another_size(samples: Path) -> None:
    other = measure_quality(job(samples / "actress.mp4", samples / "cut.mov"))
    assert [f.reason for f in other.flags] == ["unreadable"]
    assert "is 960x540, its source 640x360; run the job again" in other.flags[0].comment


def picture(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


# A real run, with defects planted into its output

TRIM = {"trim_start": 0.5, "trim_end": 1.6}
GLITCH, GRAY = 8, range(14, 18)


@pytest.fixture(scope="module")
def run(samples: Path, tmp_path_factory: Any) -> tuple[Path, Any]:
    torch.set_num_threads(1)
    output = tmp_path_factory.mktemp("qc") / "smile.mp4"
    options = RetargetOptions(device="cpu", encode=EncodeOptions(crf=12), **TRIM)
    report = retarget_video(samples / "actress.mp4", samples / "smile.yaml", output, options)
    return output, report.as_json()


def rewritten(source: Path, output: Path, target: Path, change: Callable[[Frame, Frame], Frame]) -> None:
    with contextlib.ExitStack() as stack:
        before = stack.enter_context(open_video(source, **TRIM))
        after = stack.enter_context(open_video(output))
        writer = stack.enter_context(create_video(target, like=after, options=EncodeOptions(crf=12)))
        for one, other in zip(before, after, strict=True):
            writer.write(change(one, other))


def test_a_real_run(run: tuple[Path, Any], samples: Path) -> None:
    output, report = run
    seen: list[tuple[str, int]] = []

    def progress(items: Any, label: str, total: int) -> Any:
        seen.append((label, total))
        return items

    item = job(
        samples / "actress.mp4",
        output,
        report=report,
        seconds=report["seconds"],
        options=RetargetOptions(**TRIM),
    )
    quality = measure_quality(item, progress=progress)
    assert seen[-1] == ("QC output", report["frames"])
    assert quality.frames == len(quality.seconds) == len(quality.residual) == report["frames"]
    assert quality.faces == 1
    assert quality.frame_rate == Fraction(24000, 1001)
    # Frame i of the one is frame i of the other, or the edit's size would be off by as much as the report's own.
    asked = np.linalg.norm([*report["details"]["faces"][0]["v_rel"].values()], axis=0)
    np.testing.assert_allclose(quality.edit, asked, atol=1e-3)
    assert quality.mean_residual < 0.75 * quality.mean_edit, "the edit came at least a quarter of the way"
    responses = {unit.name: unit.response for unit in quality.units}
    assert responses["AU12L"] > 0.4
    assert [f.reason for f in quality.flags if f.color in ("RED", "ORANGE")] == []
    assert len(quality.moments) == MOMENTS
    assert sum(moment.byte_count for moment in quality.moments) <= PICTURES_MAX_BYTES
    largest = next(moment for moment in quality.moments if moment.caption == "largest edit")
    assert np.abs(picture(largest.face_before).astype(int) - picture(largest.face_after)).mean() > 1
    assert repr(quality_from_json(quality.to_json())) == repr(quality)


def test_planted_defects_are_found(run: tuple[Path, Any], samples: Path, tmp_path: Path) -> None:
    output, report = run

    def plant(before: Frame, after: Frame) -> Frame:
        if after.index == GLITCH:
            return after.with_planes([plane.copy() for plane in before.planes])
        if after.index in GRAY:
            return after.with_planes(
                [np.full_like(plane, 110 if i == 0 else 128) for i, plane in enumerate(after.planes)]
            )
        return after

    rewritten(samples / "actress.mp4", output, tmp_path / "bad.mp4", plant)
    item = job(samples / "actress.mp4", tmp_path / "bad.mp4", report=report, options=RetargetOptions(**TRIM))
    flags = {(f.reason, f.first_frame, f.last_frame) for f in measure_quality(item).flags}
    assert ("face_lost_output", GRAY[0], GRAY[-1]) in flags
    assert any(reason == "flicker" and first <= GLITCH <= last for reason, first, last in flags)


def test_a_run_without_its_report(run: tuple[Path, Any], samples: Path) -> None:
    item = job(
        samples / "actress.mp4",
        run[0],
        report={"details": {"faces": [{"shot": 0}]}},
        options=RetargetOptions(**TRIM),
    )
    quality = measure_quality(item)
    assert quality.faces == 1, "the largest face of each shot"
    assert math.isnan(quality.mean_residual)
    assert any("the run's report is missing or damaged" in note for note in quality.notes)


def test_a_source_that_has_changed_since(run: tuple[Path, Any], samples: Path) -> None:
    item = job(
        samples / "actress.mp4", run[0], report=run[1], options=RetargetOptions(trim_start=0.5, trim_end=1.8)
    )
    quality = measure_quality(item)
    assert "frame_count" in [f.reason for f in quality.flags]
    assert any(f"frames now and had {run[1]['frames']} in the run; run it again" in note for note in quality.notes)
