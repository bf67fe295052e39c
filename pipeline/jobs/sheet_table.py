"""Job sheets as tables: CSV, a job a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from ..files import delimiter_of
from .cells import Cell, Mistakes, Place, Row
from .job_settings import JOB_KEYS, canonical
from .rows import add_cell


def table_rows(path: Path, text: str, mistakes: Mistakes) -> Iterator[tuple[Place, Row]]:
    """A job a line under a header of keys; empty cells say nothing, lines that begin with # are remarks."""
    header_line = next((line for line in text.splitlines() if _is_said(line)), "")
    delimiter = delimiter_of(header_line)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    end = 0
    try:
        for cells in reader:
            where, end = Place(str(path), end + 1), reader.line_num  # a quoted cell may run over lines
            if not any(cells) or cells[0].lstrip().startswith("#"):
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                _check_header(where, header, mistakes)
            elif len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
                mistakes.add(
                    where,
                    f"has {len(cells)} cells under {len(header)} columns; quote cells that hold '{delimiter}'",
                )
            elif any(cell.strip() for cell in cells):
                yield where, _row(path, where, header, cells)
    except csv.Error as error:
        mistakes.add(Place(str(path), reader.line_num), f"not valid CSV ({error}); check the quotes")
    if header is None:
        mistakes.add(Place(str(path)), "is empty; the first line names the columns, such as source,driver,output")


def _is_said(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _check_header(where: Place, header: list[str], mistakes: Mistakes) -> None:
    row: Row = {}
    for name in header:
        if name:
            add_cell(row, Cell(None, where, Path(), name), JOB_KEYS, mistakes)


def _row(path: Path, where: Place, header: list[str], cells: list[str]) -> Row:
    return {
        canonical(name): Cell(cell.strip(), where, path.parent, name)
        for name, cell in zip(header, cells, strict=False)
        if name and canonical(name) in JOB_KEYS and cell.strip()
    }
