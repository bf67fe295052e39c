from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.errors import VideoWriteError
from retarget.pipeline.review.qc_report import write_qc


def test_both_files_worst_first(quality: Any, failed: Any, parse: Any, tmp_path: Path) -> None:
    clean = quality("clean.mov", flags=())
    write_qc(tmp_path, [clean, quality("b.mov"), failed(), quality("a.mov")], title="reel")
    names = [clip["data-name"] for clip in parse((tmp_path / "report.html").read_text("utf-8")).all("li")]
    assert names == ["broken.mov", "a.mov", "b.mov", "clean.mov"]
    rows = csv.DictReader((tmp_path / "report.csv").open(encoding="utf-8", newline=""))
    assert [row["name"] for row in rows if row["kind"] == "clip"] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.csv", "report.html"]


def test_a_file_name_that_is_no_unicode(quality: Any, tmp_path: Path) -> None:
    write_qc(tmp_path, [quality("latin\udce9.mov")], title="reel")
    assert "latin\\udce9.mov" in (tmp_path / "report.html").read_text("utf-8")


def test_a_folder_that_is_not_there(quality: Any, tmp_path: Path) -> None:
    with pytest.raises(VideoWriteError, match="the QC report cannot be written") as refusal:
        write_qc(tmp_path / "no", [quality()], title="reel")
    assert refusal.value.exit_code == 1
    assert "\n" not in str(refusal.value)


def test_an_earlier_report_stays_whole_when_the_page_fails(quality: Any, tmp_path: Path, monkeypatch: Any) -> None:
    write_qc(tmp_path, [quality("first.mov")], title="reel")
    before = (tmp_path / "report.html").read_bytes()
    monkeypatch.setattr(
        Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(VideoWriteError, match="No space left on device"):
        write_qc(tmp_path, [quality("second.mov")], title="reel")
    assert (tmp_path / "report.html").read_bytes() == before
