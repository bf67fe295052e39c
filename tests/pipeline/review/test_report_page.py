import base64
import csv
import dataclasses
import hashlib
import io
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.pipeline.errors import VideoWriteError
from retarget.pipeline.review.quality import ClipQuality, Flag, Moment, UnitSummary
from retarget.pipeline.review.report_page import COLUMNS, MOST_POINTS, page_of, table_of, thinned, write_qc

NASTY = "shot <script>alert(1)</script> & \"quoted\" 'é' 東京.mov"
VOID = {"br", "img", "input", "meta"}


def jpeg(level: int) -> bytes:
    return bytes(cv2.imencode(".jpg", np.full((40, 40, 3), level, np.uint8))[1])


def quality(name: str = "a.mov", **changes: Any) -> ClipQuality:
    """A clip of 100 frames at 25 fps with a flicker in frames 10 to 12."""
    made = ClipQuality(
        name=name,
        source=f"plates/{name}",
        output=f"out/{name}",
        state="done",
        stage_seconds={"track": 1.25, "elapsed": 4.5},
        frames=100,
        frames_edited=90,
        faces=1,
        seconds=tuple(i / 25 for i in range(100)),
        edit=tuple(0.5 for _ in range(100)),
        residual=(*(0.25 for _ in range(99)), math.nan),
        units=(UnitSummary("AU12L", 0.5, 0.25, 0.7),),
        flags=(Flag("flicker", 10, 12, 0.4, 0.52, 11, "landmarks jump 0.040", 0),),
        moments=(Moment(11, 0.44, "Flicker", jpeg(10), jpeg(20), jpeg(30), jpeg(40)),),
        notes=("2 pictures could not be decoded whole",),
    )
    return dataclasses.replace(made, **changes)


def failed(name: str = "broken.mov") -> ClipQuality:
    flag = Flag("failed", 0, 0, 0.0, 0.0, 0, f"{name}: no face found; check it")
    return ClipQuality(
        name=name, source=name, output="", state="failed", error=f"{name}: no face found; check it", flags=(flag,)
    )


class Page(HTMLParser):
    """Elements, attributes and text of a page; fails on a tag that is not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == [], "elements without an end"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> ends nothing"
        assert self.open.pop() == tag, f"</{tag}> ends another element"

    def handle_data(self, data: str) -> None:
        self.text.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def said(self) -> str:
        return " ".join(text for tag, text in self.text if tag not in ("script", "style"))


@pytest.fixture
def page() -> Page:
    return Page(page_of([failed(), quality(), quality(NASTY)], title="QC of <reel> & 7"))


def test_the_parser_catches_an_unbalanced_page() -> None:
    with pytest.raises(AssertionError, match="ends another element"):
        Page("<p><b></p></b>")


def test_nothing_comes_from_outside(page: Page) -> None:
    named = [
        value
        for _, attributes in page.elements
        for key, value in attributes.items()
        if key in ("src", "href", "action", "srcset", "xlink:href", "data")
    ]
    assert named
    assert all(value is not None and value.startswith("data:image/jpeg;base64,") for value in named)
    text = page_of([quality()], title="t")
    assert re.findall(r"(?:https?:)?//\w|@import|url\(", re.sub(r"base64,[\w+/=]+", "", text)) == []
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy


def test_names_are_text_and_never_markup(page: Page) -> None:
    assert NASTY in page.said()
    assert "QC of <reel> & 7" in page.said()
    assert len(page.all("script")) == 1
    assert [clip["data-name"] for clip in page.all("li")] == ["broken.mov", "a.mov", NASTY]


def test_a_clip_says_everything(page: Page) -> None:
    said = page.said()
    for wanted in (
        "Flicker",
        "00:00:00:10",
        "00:00:00:12",
        "0.40 to 0.52",
        "10 to 12 (3)",
        "landmarks jump 0.040",
        "AU12L",
        "asked 0.50 on average, left 0.25",
        "100 frames, 90 edited",
        "track",
        "4.5",
        "2 pictures could not be decoded whole",
    ):
        assert wanted in said, wanted
    assert len(page.all("img")) == 2 * 4
    assert all(picture["alt"] and picture["loading"] == "lazy" for picture in page.all("img"))
    (first, *_) = page.all("svg")
    assert first["role"] == "img"


def test_a_failed_job_says_why(page: Page) -> None:
    assert "broken.mov: no face found; check it" in page.said()
    assert {"class": "state failed"} in page.all("span")


def test_flagged_ranges_are_shaded_where_they_are() -> None:
    text = page_of([quality()], title="t")
    (shade,) = Page(text).all("rect")
    # 678 units from x = 34 for 100 frames
    assert float(shade["x"] or 0) == pytest.approx(34 + 6.78 * 10, abs=0.1)
    assert float(shade["width"] or 0) == pytest.approx(6.78 * 3, abs=0.2)
    assert shade["class"] == "orange"


def test_a_curve_breaks_where_nothing_was_measured() -> None:
    gap = quality(residual=(*(0.1 for _ in range(40)), *(math.nan for _ in range(20)), *(0.1 for _ in range(40))))
    _, residual = (path["d"] or "" for path in Page(page_of([gap], title="t")).all("path"))
    assert residual.count("M") == 2
    assert residual.count("L") == 78
    assert "nan" not in residual


def test_a_long_curve_keeps_its_peaks() -> None:
    values = np.zeros(10_000)
    values[7_321] = 3.0
    points = thinned(values.tolist())
    assert len(points) == MOST_POINTS
    assert (7_321.0, 3.0) in points
    assert thinned([1.0, 2.0]) == [(0, 1.0), (1, 2.0)]
    assert all(math.isnan(value) for _, value in thinned([math.nan] * 1000))


def test_a_batch_without_jobs() -> None:
    page = Page(page_of([], title="nothing"))
    assert "No job has ended yet." in page.said()
    assert "0 clips: none" in page.said()
    assert table_of([]).splitlines() == [",".join(COLUMNS)]


def test_the_table() -> None:
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


def test_both_files_worst_first(tmp_path: Path) -> None:
    clean = quality("clean.mov", flags=())
    write_qc(tmp_path, [clean, quality("b.mov"), failed(), quality("a.mov")], title="reel")
    names = [clip["data-name"] for clip in Page((tmp_path / "report.html").read_text("utf-8")).all("li")]
    assert names == ["broken.mov", "a.mov", "b.mov", "clean.mov"]
    rows = csv.DictReader((tmp_path / "report.csv").open(encoding="utf-8", newline=""))
    assert [row["name"] for row in rows if row["kind"] == "clip"] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.csv", "report.html"]


def test_a_file_name_that_is_no_unicode(tmp_path: Path) -> None:
    write_qc(tmp_path, [quality("latin\udce9.mov")], title="reel")
    assert "latin\\udce9.mov" in (tmp_path / "report.html").read_text("utf-8")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(VideoWriteError, match="the QC report cannot be written") as refusal:
        write_qc(tmp_path / "no", [quality()], title="reel")
    assert refusal.value.exit_code == 1
    assert "\n" not in str(refusal.value)


def test_an_earlier_report_stays_whole_when_the_page_fails(tmp_path: Path, monkeypatch: Any) -> None:
    write_qc(tmp_path, [quality("first.mov")], title="reel")
    before = (tmp_path / "report.html").read_bytes()
    monkeypatch.setattr(
        Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(VideoWriteError, match="No space left on device"):
        write_qc(tmp_path, [quality("second.mov")], title="reel")
    assert (tmp_path / "report.html").read_bytes() == before


def test_two_hundred_clips() -> None:
    pictures = tuple(
        Moment(20 * i, 0.8 * i, "", b"\xff" * 900, b"\xff" * 900, b"\xff" * 900, b"\xff" * 900) for i in range(5)
    )
    long = {"seconds": [i / 25 for i in range(5000)], "edit": [0.5] * 5000, "residual": [0.3] * 5000}
    many = [
        quality(f"{i:03d}.mov", frames=5000, moments=pictures, **{k: tuple(v) for k, v in long.items()})
        for i in range(200)
    ]
    text = page_of(many, title="reel")
    pixels = 200 * 5 * 4 * 1200
    assert len(text) < pixels + 200 * 30_000, "beside its pictures, a clip takes less than 30 kB"
    page = Page(text)
    assert len(page.all("li")) == 200
    assert sum("open" in clip for clip in page.all("details")) == 1


def test_the_policy_allows_the_script_and_style_that_are_there(page: Page) -> None:
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv"))
    for wanted in ("script", "style"):
        (inline,) = (data for tag, data in page.text if tag == wanted)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{wanted}-src 'sha256-{digest}'" in str(policy)
