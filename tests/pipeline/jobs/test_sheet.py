"""Reading sheets of any kind, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.jobs.cells import JobSheetError, Mistakes, Sheet
from retarget.pipeline.jobs.sheet import read_sheet


def read(folder: Path, text: str | bytes, name: str = "jobs.yaml") -> Sheet:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    mistakes = Mistakes()
    sheet = read_sheet(path, mistakes)
    mistakes.check()
    return sheet


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("jobs.yaml", "", r"jobs\.yaml: is empty or no job sheet; it begins with 'jobs:' or 'defaults:'"),
        ("jobs.yaml", "- a\n- b\n", r"jobs\.yaml: is empty or no job sheet"),
        ("jobs.yaml", "jobs:\n  - source: [a\n", r"jobs\.yaml:3: not valid YAML \(.*\); check indentation"),
        ("jobs.yaml", "jobs:\n\t- source: a\n", r"jobs\.yaml:2: not valid YAML"),
        ("jobs.yaml", "a: 1\n---\nb: 2\n", r"jobs\.yaml:2: a second document begins here; keep one per file"),
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
