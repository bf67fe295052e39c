import csv
import io
from typing import Any

from retarget.pipeline.review.report_page import page_of
from retarget.pipeline.review.report_table import COLUMNS, table_of

NASTY = "shot <script>alert(1)</script> & \"quoted\" 'é' 東京.mov"


def test_a_batch_without_jobs(parse: Any) -> None:
    page = parse(page_of([], title="nothing"))
    assert "No job has ended yet." in page.said()
    assert "0 clips: none" in page.said()
    assert table_of([]).splitlines() == [",".join(COLUMNS)]


def test_the_table(quality: Any, failed: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(table_of([failed(), quality(NASTY)]))))
    assert [(row["kind"], row["name"], row["state"]) for row in rows] == [
        ("clip", "broken.mov", "failed"),
        ("flag", "broken.mov", "failed"),
        ("clip", NASTY, "done"),
        ("flag", NASTY, "done"),
    ]
    clip, flag = rows[2], rows[3]
    assert (clip["mean_edit"], clip["mean_residual"], clip["elapsed_seconds"]) == ("0.5000", "0.2500", "4.5")
    assert clip["reason"] == flag["mean_edit"] == rows[0]["mean_edit"] == ""
    assert (flag["reason"], flag["color"], flag["face"]) == ("flicker", "ORANGE", "0")
    assert (flag["first_frame"], flag["last_frame"], flag["frame_count"], flag["worst_frame"]) == (
        "10",
        "12",
        "3",
        "11",
    )
    assert (flag["in_seconds"], flag["out_seconds"], flag["in_timecode"]) == ("0.4", "0.52", "00:00:00:10")


def test_a_name_is_no_formula(quality: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(table_of([quality("=cmd|'/c calc'!A0"), quality("-a.mov")]))))
    assert {row["name"] for row in rows} == {"'=cmd|'/c calc'!A0", "'-a.mov"}
