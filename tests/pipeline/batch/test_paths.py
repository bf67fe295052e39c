"""Where things are."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.batch.paths import job_folder, report_path


@pytest.mark.parametrize("name", ["sh010", "Müller & Söhne", "a b", "日本"])
def test_a_job_folder_has_its_name(tmp_path: Path, name: str) -> None:
    assert job_folder(tmp_path, name) == tmp_path / ".retarget" / name
    assert report_path(tmp_path, name) == tmp_path / ".retarget" / name / "report.json"


@pytest.mark.parametrize(
    "name",
    ["a/b", "..", ".hidden", "", "lock", "x" * 300, "a\\b", "é" * 150, "CON", "nul.x", "a.", "pl\udce4te" * 60],
)
def test_a_name_that_is_no_folder_gets_one(tmp_path: Path, name: str) -> None:
    folder = job_folder(tmp_path, name)
    assert folder.parent == tmp_path / ".retarget"
    folder.mkdir(parents=True)
    assert folder != job_folder(tmp_path, name + "x")
