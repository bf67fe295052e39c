"""What iFacialMocap sends, kept: a line a frame, `mouthSmile_R-12|jawOpen-3|...|=head#...`, in per cent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from ..faces import blendshapes
from .blendshape_csv import read_shapes
from .capture_csv import open_text
from .capture_file import CaptureFormat
from .capture_table import CaptureSource, Header, Row

_PAIR = re.compile(r"([A-Za-z_]+)\s*[-&]\s*(-?\d+(?:\.\d+)?)$")
"""`jawOpen-12`; the second version of the protocol has `&` between them, and fractions."""
_STAMP = re.compile(r"\s*([\d:.TZ -]*\d)\s*[,;|\t ]\s*(?=[A-Za-z_]+\s*[-&])")
"""A time that whoever wrote it down put before the line."""
_APP_RATE = Fraction(60)
_FULL_SCALE = 100.0


def is_ifacialmocap(line: str) -> bool:
    """Whether a file that begins with the line is a recording of the app's stream."""
    return "|" in line and sum(name in blendshapes.NAMES for name in map(blendshapes.known_name, _pairs(line))) > 3


def unpacked(path: Path) -> CaptureSource:
    """The file as a table; without times of its own it runs at the app's 60 frames a second.

    Raises:
        DriverError: see `open_text`.
    """
    with open_text(path) as file:
        first = next((line for line in file if line.strip()), "")
    names = tuple(_pairs(first))
    is_timed = _STAMP.match(first) is not None

    def rows() -> Iterator[Row]:
        with open_text(path) as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    values = _pairs(line)
                    stamp = _STAMP.match(line)
                    when = [stamp[1] if stamp else ""] if is_timed else []
                    yield number, [*when, *(_share(values.get(name, "")) for name in names)]

    header = Header((*(("time",) if is_timed else ()), *(name.lower() for name in names)))
    return CaptureSource(path, header, rows, own_rate=_APP_RATE, packing="ifacialmocap")


def _pairs(line: str) -> dict[str, str]:
    stamp = _STAMP.match(line)
    cells = line[stamp.end() :] if stamp else line
    matches = (_PAIR.match(cell.strip()) for cell in cells.split("|"))
    return {match[1]: match[2] for match in matches if match}


def _share(percent: str) -> str:
    return str(float(percent) / _FULL_SCALE) if percent else ""


IFACIALMOCAP = CaptureFormat(
    "ifacialmocap",
    "iFacialMocap (jawOpen-12|...)",
    lambda source: source.packing == "ifacialmocap",
    lambda source: read_shapes(source, "ifacialmocap"),
)
