from __future__ import annotations

import base64
import hashlib
import math
import re
from typing import Any

import pytest

from retarget.pipeline.review.quality import Moment
from retarget.pipeline.review.report_page import page_of

NASTY = "shot <script>alert(1)</script> & \"quoted\" 'é' 東京.mov"


@pytest.fixture
def page(quality: Any, failed: Any, parse: Any) -> Any:
    return parse(page_of([failed(), quality(), quality(NASTY)], title="QC of <reel> & 7"))


def test_the_parser_catches_an_unbalanced_page(parse: Any) -> None:
    with pytest.raises(AssertionError, match="ends another element"):
        parse("<p><b></p></b>")


def test_nothing_comes_from_outside(quality: Any, page: Any) -> None:
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


def test_names_are_text_and_never_markup(page: Any) -> None:
    assert NASTY in page.said()
    assert "QC of <reel> & 7" in page.said()
    assert len(page.all("script")) == 1
    assert [clip["data-name"] for clip in page.all("li")] == ["broken.mov", "a.mov", NASTY]


def test_a_clip_says_everything(page: Any) -> None:
    said = page.said()
    for wanted in (
        "Flicker",
        "00:00:00:10",
        "00:00:00:12",
        "0.40 to 0.52",
        "10 to 12 (3)",
        "landmarks jump 0.040",
        "AU12L",
        "The edited picture",
        "1.2 ‰",
        "1.70",
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


def test_a_failed_job_says_why(page: Any) -> None:
    assert "broken.mov: no face found; check it" in page.said()
    assert {"class": "state failed"} in page.all("span")


def test_flagged_ranges_are_shaded_where_they_are(quality: Any, parse: Any) -> None:
    text = page_of([quality()], title="t")
    (shade,) = parse(text).all("rect")
    # 678 units from x = 34 for 100 frames
    assert float(shade["x"] or 0) == pytest.approx(34 + 6.78 * 10, abs=0.1)
    assert float(shade["width"] or 0) == pytest.approx(6.78 * 3, abs=0.2)
    assert shade["class"] == "orange"


def test_a_curve_breaks_where_nothing_was_measured(quality: Any, parse: Any) -> None:
    gap = quality(residual=(*(0.1 for _ in range(40)), *(math.nan for _ in range(20)), *(0.1 for _ in range(40))))
    _, residual = (path["d"] or "" for path in parse(page_of([gap], title="t")).all("path"))
    assert residual.count("M") == 2
    assert residual.count("L") == 78
    assert "nan" not in residual


def test_two_hundred_clips(quality: Any, parse: Any) -> None:
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
    page = parse(text)
    assert len(page.all("li")) == 200
    assert sum("open" in clip for clip in page.all("details")) == 1


def test_the_policy_allows_the_script_and_style_that_are_there(page: Any) -> None:
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv"))
    for wanted in ("script", "style"):
        (inline,) = (data for tag, data in page.text if tag == wanted)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{wanted}-src 'sha256-{digest}'" in str(policy)
