"""Sheets as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retarget.pipeline.jobs.cells import Mistakes, Sheet
from retarget.pipeline.jobs.load import load_jobs
from retarget.pipeline.jobs.sheet import read_sheet
from retarget.pipeline.media import EncodeOptions


def read(folder: Path, text: str | bytes, name: str = "jobs.yaml") -> Sheet:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    mistakes = Mistakes()
    sheet = read_sheet(path, mistakes)
    mistakes.check()
    return sheet


def test_lines_of_quoted_cells_that_run_on(tmp_path: Path) -> None:
    sheet = read(tmp_path, 'source,name\n"a\nb",x\nc,y\n', "jobs.csv")
    assert sheet.jobs is not None
    assert [(place.line, row["source"].value) for place, row in sheet.jobs] == [(2, "a\nb"), (4, "c")]


def test_csv(folder: Path, sheet: Any) -> None:
    table = """\
# shots of Monday
Source;Drivers;start;gain;Pixel-Format;name
a.mov;smile.yaml|face.mov;0.5;"AU12=0.5; AU04=0";;"{index}"
;;;;;
# b.mov;smile.yaml
b.mov;smile.yaml;;;yuv420p;
"""
    a, b = load_jobs(sheet(folder, "\ufeff" + table, "jobs.csv"), defaults={"crf": 30})
    assert a.drivers == (folder / "smile.yaml", folder / "face.mov")
    assert a.options.gains == {"AU12": 0.5, "AU04": 0.0}
    assert (a.options.trim_start, a.output.name, a.where) == (0.5, "1.mov", f"{folder}/jobs.csv:3")
    assert b.options.encode == EncodeOptions(crf=30, pixel_format="yuv420p")
    assert (b.options.trim_start, b.where) == (None, f"{folder}/jobs.csv:6")
