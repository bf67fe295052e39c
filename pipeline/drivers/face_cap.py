"""Face Cap's text: a line of blendshape names, and a line a frame with milliseconds, the pose, and values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import DriverError
from .blendshape_csv import read_shapes
from .capture_csv import open_text
from .capture_file import CaptureFormat
from .capture_table import CaptureSource, Header, Row

_NAMES, _KEY = "bs", "k"
_POSE_CELLS = 10
"""Head position and rotation, three each, and two angles of each eye."""


def is_face_cap(line: str) -> bool:
    """Whether a file that begins with the line is Face Cap's."""
    return line.split(",")[0].strip() in ("info", _NAMES) and "," in line


def unpacked(path: Path) -> CaptureSource:
    """The file as a table.

    Raises:
        DriverError: it has no line of names.
    """
    with open_text(path) as file:
        names = next((line for line in file if line.split(",")[0].strip() == _NAMES), None)
    if names is None:
        raise DriverError(f"{path}: a Face Cap file without a line of names (bs,...); export it again")
    shapes = tuple(name.strip().lower() for name in names.split(",")[1:] if name.strip())

    def rows() -> Iterator[Row]:
        with open_text(path) as file:
            for number, line in enumerate(file, 1):
                kind, *cells = line.split(",")
                if kind.strip() == _KEY:
                    yield number, [*cells[:1], *cells[1 + _POSE_CELLS :]]

    return CaptureSource(path, Header(("timestamp_ms", *shapes)), rows, packing="face-cap")


FACE_CAP = CaptureFormat(
    "face-cap",
    "Face Cap (info, bs, k lines)",
    lambda source: source.packing == "face-cap",
    lambda source: read_shapes(source, "face-cap"),
)
