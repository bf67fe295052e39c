"""Captures as text with columns, in any usual encoding and with any usual separator."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ..errors import DriverError
from ..files import check_plain, delimiter_of, encoding_of
from .capture_table import Header, Row

if TYPE_CHECKING:
    import _csv

_HEAD_BYTES = 1 << 16
_MOST_LINES_ABOVE = 100
"""Remarks, units and descriptions of a study that may stand above the header; iMotions writes two dozen."""


@dataclass(frozen=True)
class TextTable:
    """Text with columns: where its header is, and how it is to be read."""

    path: Path
    header: Header
    header_line: int
    """From 1."""
    delimiter: str

    def rows(self) -> Iterator[Row]:
        """The rows under the header; lines that are empty or begin with # are none."""
        with open_text(self.path) as file:
            for _ in range(self.header_line):
                file.readline()
            reader = _reader(file, self.delimiter)
            for row in reader:
                if any(cell.strip() for cell in row) and not row[0].lstrip().startswith("#"):
                    yield self.header_line + reader.line_num, row


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """The file as text: UTF-8, UTF-16 or Latin-1; every way of not being readable text is a DriverError."""
    try:
        check_plain(path, DriverError)
        with path.open("rb") as raw:
            encoding = encoding_of(raw.read(_HEAD_BYTES))
        if encoding is None:
            raise DriverError(f"{path}: not a CSV text file, nor JSON; give a capture exported as one of them")
        with path.open(encoding=encoding, errors="replace") as file:
            yield file
    except csv.Error as error:
        raise DriverError(f"{path}: not a CSV text file ({error}); give a capture exported as CSV") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DriverError(f"{path}: cannot be read ({reason}); check the name and the permissions") from error


def find_table(path: Path, is_known: Callable[[Header], bool]) -> TextTable:
    """The table in the file. Its header is the first line that `is_known` takes, else the first that is no remark.

    Raises:
        DriverError: the file is no text, or empty.
    """
    with open_text(path) as file:
        lines = list(itertools.islice(file, _MOST_LINES_ABOVE))
    tables = [
        _table(path, lines, i) for i, line in enumerate(lines) if line.strip() and not line.startswith("sep=")
    ]
    if not tables:
        raise DriverError(f"{path}: the file is empty; a capture CSV begins with a line of column names")
    for table, below in itertools.zip_longest(tables, tables[1:]):
        # a remark may name the columns that the line below it has
        if is_known(table.header) and not (below is not None and is_known(below.header)):
            return table
    return next(
        (t for t, line in zip(tables, filter(str.strip, lines), strict=False) if line[0] != "#"), tables[0]
    )


def _table(path: Path, lines: Sequence[str], at: int) -> TextTable:
    line = lines[at].lstrip("#% ")
    delimiter = delimiter_of(line)
    if delimiter not in line and " " in line.strip():
        delimiter = " "
    names = _cells(line, delimiter)
    below = next((other for other in lines[at + 1 :] if other.strip() and other[0] != "#"), "")
    header = Header(tuple(name.strip().lower() for name in names), tuple(_cells(below, delimiter)))
    return TextTable(path, header, at + 1, delimiter)


def _cells(line: str, delimiter: str) -> list[str]:
    return next(_reader([line], delimiter), [])


def _reader(lines: Iterable[str], delimiter: str) -> _csv.Reader:
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
