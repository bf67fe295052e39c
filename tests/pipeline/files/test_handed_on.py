"""What is handed on to others."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.files import portable, relative_to, safe_cell


def test_paths_are_told_from_the_folder_wherever_they_stand() -> None:
    folder = Path("/jobs/film/out")
    said = {
        "source": "/jobs/film/plates/a.mov",
        "drivers": ["/jobs/film/smile.yaml", "take.csv"],
        "error": "/jobs/film/plates/a.mov: is broken; see /jobs/film/out/b.mov",
        "output": "/jobs/film/out/b.mov",
        "frames": 3,
        "/jobs": None,
    }
    assert portable(said, folder) == {
        "source": "../plates/a.mov",
        "drivers": ["../smile.yaml", "take.csv"],
        "error": "../plates/a.mov: is broken; see b.mov",
        "output": "b.mov",
        "frames": 3,
        "/jobs": None,
    }


def test_nothing_is_said_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert portable(["see /home/ann/x for more"], Path("/out")) == ["see ~/x for more"]


def test_paths_from_the_current_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert portable("a.mov: has no face", Path("out"), ["a.mov"]) == "../a.mov: has no face"
    assert relative_to("out/a.mov", Path("out")) == "a.mov"


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A0", "+1", "-x.mp4", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_cell_is_no_formula(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=b", "shot-1", "é"])
def test_other_cells_stay(text: str) -> None:
    assert safe_cell(text) == text
