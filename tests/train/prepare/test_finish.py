"""What was left out is told, with its reason."""

from __future__ import annotations

import csv
import json
from typing import Any

import cv2

from retarget.train.data import Dataset


def test_what_gave_no_crop_is_told_with_its_reason(prepared: tuple[Dataset, Any]) -> None:
    dataset, report = prepared
    skipped = {(skip.file, skip.frames): skip.reason for skip in report.skipped}
    assert skipped.pop(("nobody.png", 1)) == "no face found"
    assert skipped.pop(("half.jpg", 1)) == "damaged picture, its end is missing"
    assert "not a video" in (reason := skipped.pop(("text.jpg", 1))) or "nothing in it can be decoded" in reason
    cut = {key for key in skipped if key[0] == "man--cut.mov"}
    assert len(cut) == 1, "the title card has no face"
    assert {skipped[key] for key in cut} == {"no face found"}
    assert len(skipped) == 1
    with (dataset.folder / "skipped.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(report.skipped)
    about = json.loads((dataset.folder / "dataset.json").read_text())
    assert about["counts"]["crops"] == len(dataset)
    assert about["options"]["frames_per_clip"] == 4
    assert about["inputs"][0]["file"] == "blurred.png"
    assert cv2.imread(str(dataset.folder / "sheet.png")) is not None
