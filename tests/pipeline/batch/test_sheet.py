"""Reading sheets: which line says what, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.batch.sheet import JobSheetError, Mistakes, Place, Sheet, read_sheet


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


def test_anchors_are_their_values(tmp_path: Path) -> None:
    sheet = read(tmp_path, "gain: &g {AU12: 1}\njobs:\n  - {source: a, gain: *g}\n")
    assert sheet.jobs is not None
    assert sheet.jobs[0][1]["gain"].value == {"AU12": 1}


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("jobs.yaml", "", r"jobs\.yaml: is empty or no job sheet; it begins with 'jobs:' or 'defaults:'"),
        ("jobs.yaml", "- a\n- b\n", r"jobs\.yaml: is empty or no job sheet"),
        ("jobs.yaml", "jobs:\n  - source: [a\n", r"jobs\.yaml:3: not valid YAML \(.*\); check indentation"),
        ("jobs.yaml", "jobs:\n\t- source: a\n", r"jobs\.yaml:2: not valid YAML"),
        ("jobs.yaml", "a: 1\n---\nb: 2\n", r"jobs\.yaml:2: not valid YAML"),
        ("jobs.yaml", 'source: "\\UFFFFFFFF"\n', r"jobs\.yaml(:1)?: not valid YAML"),
        ("jobs.yaml", b"source: \x00\n", r"jobs\.yaml(:1)?: not valid YAML"),
        ("jobs.yaml", "source: &a [*a]\n", r"jobs\.yaml:1: nested too deep for a job sheet; write it out flat"),
        ("jobs.yaml", "jobs: {a: 1}\n", r"jobs\.yaml:1: 'jobs' needs a list, '- source: \.\.\.' a job"),
        ("jobs.yaml", "jobs:\n  - a.mov\n", r"jobs\.yaml:2: needs entries here, 'key: value' a line"),
        ("jobs.yaml", "defaults: 1\n", r"jobs\.yaml:1: needs entries here"),
        ("jobs.yaml", "shots: [a]\n", r"jobs\.yaml:1: 'shots' needs entries, 'NAME: \{driver: \.\.\.\}' a shot"),
        ("jobs.yaml", "shots:\n  a: {crf: 1}\n  a: {crf: 2}\n", r"jobs\.yaml:3: shot a is there twice; keep one"),
        ("jobs.yaml", "[a]: 1\n", r"jobs\.yaml:1: a key must be a plain name"),
        ("jobs.yaml", "crf: 1\ndefaults: {crf: 2}\n", r"jobs\.yaml:2: 'crf' is said twice \('crf' at .*:1\)"),
        ("jobs.yaml", "jobs:\n - {frame: 1}\n", r"jobs\.yaml:2: unknown key 'frame'; did you mean 'frames'\?"),
        ("jobs.yaml", "zzz: 1\n", r"jobs\.yaml:1: unknown key 'zzz'; known are after, "),
        ("jobs.yaml", b"source: \xff\xfe\n", r"jobs\.yaml: not a text file \(invalid start byte\); save it"),
        ("jobs.json", "{}", r"jobs\.json: is no job sheet; give a \.yaml or \.csv, or a timeline"),
        ("jobs.csv", "", r"jobs\.csv: is empty; the first line names the columns"),
        ("jobs.csv", "source,drivr\n", r"jobs\.csv:1: unknown key 'drivr'; did you mean 'driver'\?"),
        ("jobs.csv", "source,start,Trim start\n", r"jobs\.csv:1: 'Trim start' is said twice \('start' at"),
        ("jobs.csv", "source,driver\na,b,c\n", r"jobs\.csv:2: has 3 cells under 2 columns; quote cells"),
        ("jobs.csv", 'source,driver\na,"b"c\n', r"jobs\.csv:2: not valid CSV \(.*\); check the quotes"),
    ],
)  # fmt: skip
def test_what_is_no_sheet(tmp_path: Path, name: str, text: str | bytes, complaint: str) -> None:
    with pytest.raises(JobSheetError, match=complaint):
        read(tmp_path, text, name)


def test_a_sheet_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(JobSheetError, match=r"jobs\.yaml: cannot be read \(No such file or directory\); check"):
        read_sheet(tmp_path / "jobs.yaml", Mistakes())


def test_a_yaml_bomb_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(JobSheetError, match="nested too deep"):
        read(tmp_path, "\n".join(lines))


def test_lines_of_quoted_cells_that_run_on(tmp_path: Path) -> None:
    sheet = read(tmp_path, 'source,name\n"a\nb",x\nc,y\n', "jobs.csv")
    assert sheet.jobs is not None
    assert [(place.line, row["source"].value) for place, row in sheet.jobs] == [(2, "a\nb"), (4, "c")]


def test_mistakes_are_told_once_and_in_order() -> None:
    mistakes = Mistakes()
    mistakes.check()
    for line in (12, 2, 12):
        mistakes.add(Place("jobs.yaml", line), "is\n wrong")
    assert mistakes
    with pytest.raises(JobSheetError) as caught:
        mistakes.check()
    assert caught.value.mistakes == ("jobs.yaml:2: is wrong", "jobs.yaml:12: is wrong")
    assert caught.value.exit_code == 2
