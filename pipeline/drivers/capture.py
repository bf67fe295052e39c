"""Capture files of every format as expressions over time; the header tells the formats apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

from retarget.model import action_units

from ..errors import DriverError
from ..faces import blendshapes
from .blendshape_csv import read_blendshapes
from .capture_csv import CaptureSource, Header, read_header
from .capture_file import SeriesFile, SeriesKind
from .driver import DriverOptions
from .live_link_face import read_live_link
from .neutral import neutral_of
from .openface import INTENSITY, read_openface
from .py_feat import BARE_UNIT, read_py_feat
from .series import SeriesDriver
from .tracking_csv import read_tracking


def load_capture(path: Path, options: DriverOptions, *, frame_rate: Fraction | None = None) -> SeriesDriver:
    """A capture CSV as a driver, measured from the neutral that the options ask for.

    Raises:
        DriverError: the file cannot be used (see `read_series`), or shows no face at the neutral's time.
    """
    file = read_series(path, face=options.face, frame_rate=frame_rate)
    try:
        neutral = neutral_of(file.series, options.neutral)
    except DriverError as error:
        raise DriverError(f"{path}: {error}") from error
    return SeriesDriver(file.series, neutral, options=options, notes=file.notes)


def read_series(path: str | Path, *, face: int = 0, frame_rate: Fraction | None = None) -> SeriesFile:
    """One face's expression over time from a capture CSV, whose format is told by its header.

    `face` picks one of several faces, from 0, in the order of their ids. `frame_rate` times files that count
    frames and have no seconds (assumed 30, with a note, where it is needed and None).

    Raises:
        DriverError: unreadable file, unknown header, missing columns, no rows, no such face, a value that is
            no number or out of range, times that do not increase. One line, with line and column.
    """
    path = Path(path)
    header = read_header(path)
    kind = _kind_of(path, header)
    return _READERS[kind](CaptureSource(path, header, face, frame_rate))


_PRESENCE = re.compile(r"au\d\d_c$")
_SIDED_ENTRIES = tuple(name for unit in action_units.ACTION_UNITS if unit.sided for name in unit.entries)
_PY_FEAT_MARKS = ("facerectx", "facescore", "approx_time", "input")


def _kind_of(path: Path, header: Header) -> SeriesKind:
    """Which format has such a header.

    Raises:
        DriverError: none that is known.
    """
    shapes = blendshapes.count_known(header.names)
    if any(name in header for name in _SIDED_ENTRIES):
        return "retarget"
    if any(INTENSITY.match(name) for name in header.names):
        return "openface"
    if any(BARE_UNIT.match(name) for name in header.names) and header.first_of(*_PY_FEAT_MARKS):
        return "py-feat"
    if shapes > len(blendshapes.NAMES) // 2:
        return "live-link-face" if "timecode" in header else "blendshapes"
    if any(_PRESENCE.match(name) for name in header.names) or {"success", "confidence"} <= set(header.names):
        raise DriverError(
            f"{path}: an OpenFace file without intensities (AU01_r ...); run FeatureExtraction with -aus"
        )
    raise DriverError(
        f"{path}: no known capture format; columns of OpenFace (AU12_r), retarget track (AU12L, AU12R), "
        "py-feat (AU12, FaceScore), Live Link Face (Timecode, JawOpen) or MediaPipe/ARKit blendshapes (jawOpen) "
        "are understood"
    )


_READERS: Mapping[SeriesKind, Callable[[CaptureSource], SeriesFile]] = {
    "openface": read_openface,
    "retarget": read_tracking,
    "py-feat": read_py_feat,
    "live-link-face": read_live_link,
    "blendshapes": read_blendshapes,
}
