"""Capture files of every format as expressions over time; what is in a file tells the formats apart."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from ..errors import DriverError
from ..faces import blendshapes
from . import capture_json, face_cap, ifacialmocap
from .audio2face import AUDIO2FACE
from .bare_units import BARE_UNITS, IMOTIONS
from .blendshape_csv import BLENDSHAPES
from .capture_csv import find_table, open_text
from .capture_file import CaptureFormat, SeriesFile
from .capture_table import CaptureSource, Header
from .driver import DriverOptions
from .face_cap import FACE_CAP
from .ifacialmocap import IFACIALMOCAP
from .live_link_face import LIVE_LINK_FACE
from .metahuman import METAHUMAN
from .neutral import neutral_of
from .openface import OPENFACE
from .py_feat import PY_FEAT
from .series import SeriesDriver
from .tracking_csv import TRACKING

FORMATS: tuple[CaptureFormat, ...] = (
    TRACKING, OPENFACE, PY_FEAT, LIVE_LINK_FACE, AUDIO2FACE, FACE_CAP, IFACIALMOCAP, METAHUMAN, IMOTIONS,
    BLENDSHAPES, BARE_UNITS,
)  # fmt: skip
"""Every format, those with the clearest marks first."""


def load_capture(path: Path, options: DriverOptions) -> SeriesDriver:
    """A capture as a driver, measured from the neutral that the options ask for.

    Raises:
        DriverError: the file cannot be used (see `read_series`), or shows no face at the neutral's time.
    """
    file = read_series(path, face=options.face, frame_rate=options.frame_rate)
    try:
        neutral = neutral_of(file.series, options.neutral)
    except DriverError as error:
        raise DriverError(f"{path}: {error}") from error
    return SeriesDriver(file.series, neutral, options=options, notes=file.notes, sees_lips=file.sees_lips)


def read_series(path: str | Path, *, face: int = 0, frame_rate: Fraction | None = None) -> SeriesFile:
    """One face's expression over time from a capture file, whose format is told by what is in it.

    `face` picks one of several faces, from 0, in the order of their ids. `frame_rate` times the frames of the
    file, or its rows; None: its own times do, else (assumed 30, with a note) its frame numbers.

    Raises:
        DriverError: unreadable file, no known format, missing columns, no rows, no such face, a value that is no
            number or out of range, times that go back. One line, with line and column.
    """
    path = Path(path)
    source = replace(_source(path), face=face, frame_rate=frame_rate)
    for known in FORMATS:
        if known.is_it(source):
            file = known.read(source)
            return replace(file, notes=tuple(f"{path.name}: {note}" for note in file.notes))
    raise DriverError(f"{path}: {_refusal(source)}")


def _source(path: Path) -> CaptureSource:
    """The file as a table, however it is packed."""
    with open_text(path) as file:
        first = next((line for line in file if line.strip()), "")
    if first.lstrip().startswith(("{", "[")):
        return capture_json.unpacked(path)
    if face_cap.is_face_cap(first):
        return face_cap.unpacked(path)
    if ifacialmocap.is_ifacialmocap(first):
        return ifacialmocap.unpacked(path)
    table = find_table(path, lambda header: _is_known(path, header))
    return CaptureSource(path, table.header, table.rows)


def _is_known(path: Path, header: Header) -> bool:
    source = CaptureSource(path, header, tuple)
    return any(known.is_it(source) for known in FORMATS)


_PRESENCE = re.compile(r"au\d\d_c$")


def _refusal(source: CaptureSource) -> str:
    """What the file looks like, and what is known."""
    names = source.header.names
    if any(_PRESENCE.match(name) for name in names) or {"success", "confidence"} <= set(names):
        return "an OpenFace file without intensities (AU01_r ...); run FeatureExtraction with -aus"
    known = "; ".join(format_.what for format_ in FORMATS)
    return f"no known capture format: {_looks(names)}. Known are {known}"


def _looks(names: tuple[str, ...]) -> str:
    """What the columns look like."""
    shapes = blendshapes.count_known(names)
    if shapes:
        few = f"{shapes} of ARKit's {len(blendshapes.NAMES)} blendshapes"
        return f"it looks like a table with {few}, which are too few"
    if {"shot", "start frame", "scene number"} & set(names):
        return "it looks like a list of shots"
    if {"source", "driver"} & set(names):
        return "it looks like a job sheet, for 'retarget batch'"
    shown = ", ".join(name for name in names[:6] if name)[:80]
    if len(names) < 2:
        return f"it looks like text without columns ({shown})" if shown else "it has no columns"
    return f"it looks like a table of {len(names)} columns ({shown}{', ...' if len(names) > 6 else ''})"
