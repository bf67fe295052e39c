"""A run's report: written whole, read by one reader, refused in one line where it is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.edit import Fade
from retarget.pipeline.errors import ReportError, VideoWriteError
from retarget.pipeline.report import FORMAT_VERSION, FaceReport, Report, read_report, report_of, write_report

FACE = FaceReport(
    shot=0,
    face=1,
    size_px=120.5,
    seconds=(0.0, 0.04),
    allowed=(1.0, 0.5),
    fades=(Fade(1, 1, "turned"),),
    own={"AU12L": (0.1, 0.2)},
    v_rel={"AU12L": (0.3, 0.4)},
)
REPORT = Report(
    frames=2, faces=1, seconds={"decode": 0.5}, notes=("a face left",), details={"source": "a.mp4"}, curves=(FACE,)
)


def test_the_report_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_report(Report(frames=7, notes=("a face left",)), path)
    assert json.loads(path.read_text())["frames"] == 7
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(VideoWriteError, match=r"report\.json: the report cannot be written \(No such file"):
        write_report(Report(), tmp_path / "missing" / "report.json")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_report(REPORT, path)
    assert read_report(path) == REPORT
    document = json.loads(path.read_text())
    assert document["version"] == FORMAT_VERSION
    assert document["details"]["faces"][0]["v_rel"] == {"AU12L": [0.3, 0.4]}


def test_a_report_from_before_there_were_versions(tmp_path: Path) -> None:
    document = REPORT.as_json()
    del document["version"]
    assert report_of(json.loads(json.dumps(document))) == REPORT


def test_a_report_from_before_fades_were_told() -> None:
    document = json.loads(json.dumps(REPORT.as_json()))
    del document["details"]["faces"][0]["fades"]
    assert report_of(document).curves == (replace(FACE, fades=()),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"run\.json: cannot be read \(No such file or directory\); check the path"),
        ("{", r"run\.json: cannot be read as JSON; give the report of a run"),
        ("[]", r"run\.json: is JSON, but no report of a run"),
        ('{"frames": 3}', r"run\.json: is JSON, but no report of a run"),
        ('{"version": 99, "details": {}}', r"run\.json: is a report of version 99, not 1; run again"),
        (
            '{"details": {"faces": [{"shot": 0}]}}',
            "the report's faces are damaged or of another version; run again",
        ),
        ('{"details": {"faces": 3}}', "the report's faces are damaged"),
        ('{"frames": "many", "details": {}}', "damaged"),
    ],
)
def test_what_is_no_report(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "run.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ReportError, match=message) as refusal:
        read_report(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seconds", []),
        ("seconds", [0.0]),
        ("allowed", [1.0, 1.0, 1.0]),
        ("own", {}),
        ("fades", [{"first_frame": 1, "last_frame": 1, "cause": "bored"}]),
        ("fades", [{"first_frame": 1}]),
        ("v_rel", {"AU99": [0.0, 0.0]}),
        ("own", {"AU12L": [0.1, "x"]}),
    ],
)
def test_curves_that_do_not_fit_together(key: str, value: Any) -> None:
    document = json.loads(json.dumps(REPORT.as_json()))
    document["details"]["faces"][0][key] = value
    with pytest.raises(ReportError, match="damaged"):
        report_of(document)
