"""A capture as a table, whatever file it came in: its columns by name, its rows with the line of each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DriverError

Row = tuple[int, Sequence[str]]
"""The line of the file and its cells as text; a row may be short."""

MISSING = frozenset({
    "", "nan", "+nan", "-nan", "nan(ind)", "-nan(ind)", "nan(snan)", "-nan(snan)", "1.#qnan", "-1.#qnan", "1.#ind",
    "-1.#ind", "na", "n/a", "#n/a", "null", "none", "-", "--", "missing",
})  # fmt: skip
"""What stands for no value, in lower case: of C, Microsoft's C, Python, R, spreadsheets and JSON."""


@dataclass(frozen=True)
class Header:
    """A table's column names, stripped, as lower case: OpenFace 2.0 writes ", " between them."""

    names: tuple[str, ...]
    sample: tuple[str, ...] = ()
    """Cells of the first row, where a format is told by what its columns hold."""

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.names

    def first_of(self, *names: str) -> str | None:
        """The first of the names that is a column."""
        return next((name for name in names if name in self), None)

    def sampled(self, name: str) -> str:
        """The column's cell in the first row; "" if there is none."""
        place = self.names.index(name)
        return self.sample[place].strip() if place < len(self.sample) else ""


@dataclass(frozen=True)
class CaptureSource:
    """What a format's reader is given."""

    path: Path
    header: Header
    rows: Callable[[], Iterable[Row]]
    """Reads the rows under the header from the start."""
    face: int = 0
    frame_rate: Fraction | None = None
    """As asked for by the user."""
    own_rate: Fraction | None = None
    """As the file itself, or its format, has it."""
    packing: str = "table"
    """What the file is apart from its columns: "table", "json", "face-cap", "ifacialmocap"."""


@dataclass(frozen=True)
class Table:
    """The columns of interest, as text."""

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
        """(n,) float64; NaN where the cell has no value (see `MISSING`).

        Raises:
            DriverError: a cell that is neither, or infinite.
        """
        cells = self.text(name)
        parsed = np.array([number_in(cell) for cell in cells], np.float64)
        if np.isinf(parsed).any():
            row = int(np.flatnonzero(np.isinf(parsed))[0])
            raise DriverError(
                f"{self.path}: line {self.lines[row]}, column {name}: {cells[row]!r} is not a number; "
                "correct or export it again"
            )
        return parsed

    def rows(self, keep: NDArray[np.bool_]) -> Table:
        """Only the rows where `keep` (n,) holds."""
        kept = [int(i) for i in np.flatnonzero(keep)]
        return Table(
            self.path,
            tuple(self.lines[i] for i in kept),
            {name: [cells[i] for i in kept] for name, cells in self.columns.items()},
        )


def number_in(cell: str) -> float:
    """The cell as a float, whose decimal mark may be a comma; NaN if it has no value, inf if it is no number."""
    try:
        return float(cell)
    except ValueError:
        pass
    if cell.strip().lower() in MISSING:
        return math.nan
    try:
        return float(cell.replace(",", ".")) if cell.count(",") == 1 and "." not in cell else math.inf
    except ValueError:
        return math.inf


def read_table(source: CaptureSource, wanted: Iterable[str], *, twins: Iterable[str] = ()) -> Table:
    """The wanted columns; the rest (OpenFace has 714) is never kept.

    `twins` are wanted, too: OpenFace's x_0 is a pixel and its X_0, further on, a millimetre; the first counts.

    Raises:
        DriverError: a wanted column occurs twice, or there are no rows.
    """
    names, path = tuple(dict.fromkeys(name.lower() for name in wanted)), source.path
    counts = Counter(source.header.names)
    for name in names:
        if counts[name] != 1:
            raise DriverError(f"{path}: column {name!r} occurs {counts[name]} times; keep one of them")
    names = tuple(dict.fromkeys((*names, *twins)))
    places = [source.header.names.index(name) for name in names]
    lines: list[int] = []
    cells: list[tuple[str, ...]] = []
    for line, row in source.rows():
        lines.append(line)
        cells.append(tuple(row[i].strip() if i < len(row) else "" for i in places))
    if not cells:
        raise DriverError(f"{path}: no rows under the header; the capture is empty, export it again")
    return Table(path, tuple(lines), dict(zip(names, zip(*cells, strict=True), strict=True)))
