"""YAML sheets: which line says what."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.jobs.cells import JobSheetError, Mistakes, Sheet
from retarget.pipeline.jobs.sheet import read_sheet
from retarget.pipeline.jobs.sheet_yaml import value_of


def read(folder: Path, text: str | bytes, name: str = "jobs.yaml") -> Sheet:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    mistakes = Mistakes()
    sheet = read_sheet(path, mistakes)
    mistakes.check()
    return sheet


def said(row: object) -> dict[str, tuple[object, int]]:
    assert isinstance(row, dict)
    return {key: (cell.value, cell.place.line) for key, cell in row.items()}


def test_every_value_knows_its_line(tmp_path: Path) -> None:
    sheet = read(
        tmp_path,
        "# head\noutput_dir: out\nstrength: 1\ndefaults:\n  crf: 17\n  preset:\njobs:\n"
        "  - source: a.mov\n    gain:\n      AU12: 0.5\n      AU04: -1\n  - {source: b.mov,\n     faces: all}\n",
    )
    assert said(sheet.settings) == {"output_dir": ("out", 2)}
    assert said(sheet.base) == {"strength": (1, 3), "crf": (17, 5)}
    assert sheet.jobs is not None
    assert [place.line for place, _ in sheet.jobs] == [8, 12]
    assert said(sheet.jobs[0][1]) == {"source": ("a.mov", 8), "gain": ({"AU12": 0.5, "AU04": -1}, 9)}
    assert said(sheet.jobs[1][1]) == {"source": ("b.mov", 12), "face": ("all", 13)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10:00:00:00", "10:00:00:00"), ("1:30", "1:30"), ("no", "no"), ("2001-01-01", "2001-01-01"),
        ("012", "012"),
        ("10-20", "10-20"), ("1e3", "1e3"), ("0x10", "0x10"), ("true", True), ("-3", -3), (".5", 0.5), ("1.", 1.0),
        ("'1'", "1"), ('"true"', "true"), ("1_000", "1_000"),
    ],
)  # fmt: skip
def test_text_stays_text(tmp_path: Path, text: str, value: object) -> None:
    """YAML 1.1 makes numbers of timecodes and bools of words."""
    assert read(tmp_path, f"source: {text}\n").base["source"].value == value


def test_timecodes_in_flow_style(tmp_path: Path) -> None:
    sheet = read(tmp_path, "jobs:\n  - {source: a.mov, start: 00:00:01:12, end: 00:00:02:00}\n")
    assert sheet.jobs is not None
    assert said(sheet.jobs[0][1])["trim_end"] == ("00:00:02:00", 2)


def test_what_cannot_be_a_value_is_told_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(JobSheetError, match=r"jobs\.yaml:3: 'AU12' occurs twice; keep one of them"):
        read(tmp_path, "jobs:\n- gain: {AU12: 1,\n    AU12: 2}\n")


@pytest.mark.parametrize(
    ("text", "value"),
    [("012", "012"), ("no", "no"), ("10:00:00:00", "10:00:00:00"), ("{AU12: 0.5}", {"AU12": 0.5}), ("", None)],
)
def test_a_value_by_itself(text: str, value: object) -> None:
    assert value_of(text) == value


def test_a_value_that_is_no_yaml() -> None:
    with pytest.raises(JobSheetError, match="not valid YAML"):
        value_of("{AU12")


def test_anchors_are_their_values(tmp_path: Path) -> None:
    sheet = read(tmp_path, "gain: &g {AU12: 1}\njobs:\n  - {source: a, gain: *g}\n")
    assert sheet.jobs is not None
    assert sheet.jobs[0][1]["gain"].value == {"AU12": 1}


def test_a_yaml_bomb_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(JobSheetError, match="nested too deep"):
        read(tmp_path, "\n".join(lines))
