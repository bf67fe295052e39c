"""Jobs as they end: failed, without their files, and a real run with defects planted into its output."""

from __future__ import annotations

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
from retarget.pipeline.review.measure import measure_quality, unit_summaries
from retarget.pipeline.review.pictures import MOMENTS, PICTURES_MAX_BYTES
from retarget.pipeline.review.quality import QcInput, quality_from_json
from retarget.pipeline.review.series import FaceSeries
from retarget.pipeline.run import retarget_video


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_the_response_of_an_action_unit(face: FaceSeries) -> None:
    (unit,) = unit_summaries([face])
    assert (unit.name, unit.asked, unit.error, unit.response) == ("AU12L", 0.5, 0.2, 0.6)
    still = dataclasses.replace(face, requested=np.full((len(face.frames), 1), 0.01))
    assert unit_summaries([still]) == ()


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
    return output, report


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
        seconds=report.seconds,
        options=RetargetOptions(**TRIM),
    )
    quality = measure_quality(item, progress=progress)
    assert seen[-1] == ("QC output", report.frames)
    assert quality.frames == len(quality.seconds) == len(quality.residual) == report.frames
    assert quality.faces == 1
    assert quality.frame_rate == Fraction(24000, 1001)
    # Frame i of the one is frame i of the other, or the edit's size would be off by as much as the report's own.
    asked = np.linalg.norm([*report.curves[0].v_rel.values()], axis=0)
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
        report=None,
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
    assert any(f"frames now and had {run[1].frames} in the run; run it again" in note for note in quality.notes)
