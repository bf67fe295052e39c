"""Epic's Live Link Face: ARKit's blendshapes as CSV, timed by timecode with fractions of a frame."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..errors import DriverError
from ..faces import blendshapes
from ..timecode import numbers_per_second
from .capture_file import CaptureFormat, SeriesFile, from_shapes, series_file, shape_columns, shown_rows
from .capture_table import MISSING, CaptureSource, Table, read_table
from .capture_time import RowTimes

_TIMECODE = re.compile(r"(\d{1,2}):(\d\d):(\d\d)[:;](\d{1,3})(\.\d{1,9})?$")
_CAPTURE_RATES = (24, 25, 30, 48, 50, 60, 120, 240)
_DAY_SECONDS = 86400


def _is_live_link(source: CaptureSource) -> bool:
    if "timecode" not in source.header or not blendshapes.count_known(source.header.names):
        return False
    is_timed = _TIMECODE.match(source.header.sampled("timecode")) is not None
    return is_timed or "blendshapecount" in source.header


def _read(source: CaptureSource) -> SeriesFile:
    """Epic's Live Link Face in ARKit mode; timecode, 0..1. A row without blendshapes is a lost face.

    Where the app repeats a timecode, because the phone was late, the first of the rows counts.
    """
    shapes = shape_columns(source.path, source.header.names)
    if source.face > 0:
        raise DriverError(f"{source.path}: no face {source.face}; Live Link Face captures one, face 0")
    table = read_table(source, ["timecode", *shapes])
    rows = shown_rows(table, shapes, np.ones(len(table)))
    values, filled = from_shapes(rows)
    times = RowTimes(_timecode_seconds(table, source.frame_rate))
    return series_file(source, rows, "live-link-face", values, filled, times=times)


def _timecode_seconds(table: Table, frame_rate: Fraction | None) -> NDArray[np.float64]:
    """(n,) seconds since the first row of `HH:MM:SS:FF.sub` timecodes, across midnight; NaN where there is none.

    FF counts at the given frame rate; without one (or with one that the numbers exceed) at the lowest usual
    rate above the largest FF if the capture lasts a second or more, else at 60, the app's default.

    Raises:
        DriverError: a cell that is no timecode.
    """
    seconds = np.full(len(table), np.nan)
    parts, timed = [], []
    for row, (line, cell) in enumerate(zip(table.lines, table.text("timecode"), strict=True)):
        if cell.lower() in MISSING:
            continue
        match = _TIMECODE.match(cell)
        if not match:
            raise DriverError(
                f"{table.path}: line {line}, column Timecode: {cell!r} is no timecode; expected HH:MM:SS:FF.sub"
            )
        parts.append([float(group or 0) for group in match.groups()])
        timed.append(row)
    if not parts:
        raise DriverError(f"{table.path}: column Timecode is empty; export it again")
    hours, minutes, whole, frames, fraction = np.array(parts).T
    clock = hours * 3600 + minutes * 60 + whole
    clock = clock + _DAY_SECONDS * np.cumsum(np.diff(clock, prepend=clock[0]) < -_DAY_SECONDS / 2)
    rate = _timecode_rate(int(frames.max()), bool(clock[-1] - clock[0] >= 1), frame_rate)
    # timecode counts whole frames per nominal second, so 29.97 runs a little slower than the clock
    count = (clock - clock[0]) * numbers_per_second(rate) + frames + fraction
    seconds[timed] = (count - count[0]) / float(rate)
    return seconds


def _timecode_rate(largest_frame: int, is_over_a_second: bool, asked: Fraction | None) -> Fraction:
    if asked is not None and largest_frame < numbers_per_second(asked):
        return asked
    usual = next((rate for rate in _CAPTURE_RATES if rate > largest_frame), largest_frame + 1)
    return Fraction(usual if is_over_a_second or usual > 60 else 60)


LIVE_LINK_FACE = CaptureFormat("live-link-face", "Live Link Face (Timecode, JawOpen)", _is_live_link, _read)
