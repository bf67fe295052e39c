"""Capture files as CSV: the header, and the columns of interest with the line of every row."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from ..errors import DriverError
from ..files import check_plain, delimiter_of


@dataclass(frozen=True)
class CaptureSource:
    """What a format's reader is given."""

    path: Path
    header: Header
    face: int
    frame_rate: Fraction | None


@dataclass(frozen=True)
class Header:
    """A CSV's column names, stripped, as lower case: OpenFace 2.0 writes ", " between them."""

    names: tuple[str, ...]
    delimiter: str

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.names

    def first_of(self, *names: str) -> str | None:
        """The first of the names that is a column."""
        return next((name for name in names if name in self), None)


@dataclass(frozen=True)
class Table:
    """The columns of interest of a CSV, as text."""

    path: Path
    lines: tuple[int, ...]
    """Line of the file each row is on."""
    columns: Mapping[str, Sequence[str]]
    """Per column name in lower case, one cell per row; "" where a row is too short."""

    def __len__(self) -> int:
        return len(self.lines)

    def text(self, name: str) -> Sequence[str]:
        return self.columns[name.lower()]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """(n,) float64; NaN where the cell is empty or says so.

        Raises:
            DriverError: a cell that is neither, or infinite.
        """
        cells = self.text(name)
        parsed = np.array([_number(cell) for cell in cells], np.float64)
        if np.isinf(parsed).any():
            row = int(np.flatnonzero(np.isinf(parsed))[0])
            raise DriverError(
                f"{self.path}: line {self.lines[row]}, column {name}: {cells[row]!r} is not a number; "
                "correct or export it again"
            )
        return parsed

    def require_numbers(self, name: str, *, where: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """(n,) float64 without NaN in the rows `where` says (all); NaN elsewhere becomes 0.

        Raises:
            DriverError: an empty, NaN, infinite or non-numeric cell.
        """
        parsed = self.numbers(name)
        missing = np.isnan(parsed)
        wanted = missing if where is None else missing & where
        if wanted.any():
            line = self.lines[int(np.flatnonzero(wanted)[0])]
            raise DriverError(
                f"{self.path}: line {line}, column {name}: no value; remove the row or mark it success 0"
            )
        return np.where(missing, 0.0, parsed)

    def rows(self, keep: NDArray[np.bool_]) -> Table:
        """Only the rows where `keep` (n,) holds."""
        kept = [int(i) for i in np.flatnonzero(keep)]
        return Table(
            self.path,
            tuple(self.lines[i] for i in kept),
            {name: [cells[i] for i in kept] for name, cells in self.columns.items()},
        )


def _number(cell: str) -> float:
    """The cell as a float, NaN if it is empty; inf stands for anything that is no number."""
    if not cell:
        return math.nan
    try:
        return float(cell)
    except ValueError:
        return math.inf


@contextmanager
def _open_csv(path: Path) -> Iterator[TextIO]:
    """The file as text; every way of not being a readable text file is a DriverError."""
    try:
        check_plain(path, DriverError)
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except (UnicodeDecodeError, csv.Error) as error:
        raise DriverError(f"{path}: not a CSV text file ({error}); give a capture exported as CSV") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DriverError(f"{path}: cannot be read ({reason}); check the name and the permissions") from error


def read_header(path: Path) -> Header:
    with _open_csv(path) as file:
        line = file.readline()
        delimiter = delimiter_of(line)
        names = next(csv.reader([line], delimiter=delimiter), [])
    if not any(name.strip() for name in names):
        raise DriverError(f"{path}: the file is empty; a capture CSV begins with a line of column names")
    return Header(tuple(name.strip().lower() for name in names), delimiter)


def read_table(source: CaptureSource, wanted: Iterable[str]) -> Table:
    """The wanted columns; the rest (OpenFace has 714) is never kept.

    Raises:
        DriverError: a wanted column occurs twice, or there are no rows.
    """
    names, path = tuple(dict.fromkeys(name.lower() for name in wanted)), source.path
    counts = Counter(source.header.names)
    for name in names:
        if counts[name] != 1:
            raise DriverError(f"{path}: column {name!r} occurs {counts[name]} times; keep one of them")
    places = [source.header.names.index(name) for name in names]
    lines: list[int] = []
    cells: list[tuple[str, ...]] = []
    with _open_csv(path) as file:
        reader = csv.reader(file, delimiter=source.header.delimiter)
        next(reader)
        for row in reader:
            if any(cell.strip() for cell in row):
                lines.append(reader.line_num)
                cells.append(tuple(row[i].strip() if i < len(row) else "" for i in places))
    if not cells:
        raise DriverError(f"{path}: no rows under the header; the capture is empty, export it again")
    return Table(path, tuple(lines), dict(zip(names, zip(*cells, strict=True), strict=True)))
