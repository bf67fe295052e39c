"""Epic's Live Link Face: ARKit's blendshapes as CSV, timed by timecode with fractions of a frame."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..errors import DriverError
from ..faces import blendshapes
from ..timecode import numbers_per_second
from .capture_csv import CaptureSource, Table, read_table
from .capture_file import SeriesFile, from_shapes, series_file

_TIMECODE = re.compile(r"(\d{1,2}):(\d\d):(\d\d)[:;](\d{1,3})(\.\d{1,9})?$")
_CAPTURE_RATES = (24, 25, 30, 48, 50, 60, 120, 240)
_DAY_SECONDS = 86400


def read_live_link(source: CaptureSource) -> SeriesFile:
    """Epic's Live Link Face in ARKit mode; timecode, 0..1. A row without blendshapes is a lost face."""
    shapes = [name for name in source.header.names if blendshapes.count_known([name])]
    if source.face > 0:
        raise DriverError(f"{source.path}: no face {source.face}; Live Link Face captures one, face 0")
    table = read_table(source, ["timecode", *shapes])
    empty = np.all([[not cell for cell in table.text(name)] for name in shapes], axis=0)
    confidence = np.where(empty, 0.0, 1.0)
    values, filled = from_shapes(table, shapes, ~empty)
    seconds = _timecode_seconds(table, source.frame_rate)
    fresh = np.diff(seconds, prepend=-1.0) != 0
    notes = []
    if not fresh.all():  # the app repeats a timecode when the phone is late
        notes.append(f"{int((~fresh).sum())} rows repeat the timecode before them and were left out")
    kept = table.rows(fresh)
    return series_file(
        source,
        kept,
        "live-link-face",
        values[fresh],
        filled,
        confidence[fresh],
        seconds=seconds[fresh],
        notes=notes,
    )


def _timecode_seconds(table: Table, frame_rate: Fraction | None) -> NDArray[np.float64]:
    """(n,) seconds since the first row of `HH:MM:SS:FF.sub` timecodes, across midnight if need be.

    FF counts at the given frame rate; without one (or with one that the numbers exceed) at the lowest usual
    rate above the largest FF if the capture lasts a second or more, else at 60, the app's default.

    Raises:
        DriverError: a cell that is no timecode.
    """
    parts = []
    for line, cell in zip(table.lines, table.text("timecode"), strict=True):
        match = _TIMECODE.match(cell)
        if not match:
            raise DriverError(
                f"{table.path}: line {line}, column Timecode: {cell!r} is no timecode; expected HH:MM:SS:FF.sub"
            )
        parts.append([float(group or 0) for group in match.groups()])
    hours, minutes, whole, frames, fraction = np.array(parts).T
    clock = hours * 3600 + minutes * 60 + whole
    clock = clock + _DAY_SECONDS * np.cumsum(np.diff(clock, prepend=clock[0]) < -_DAY_SECONDS / 2)
    rate = _timecode_rate(int(frames.max()), bool(clock[-1] - clock[0] >= 1), frame_rate)
    # timecode counts whole frames per nominal second, so 29.97 runs a little slower than the clock
    count = (clock - clock[0]) * numbers_per_second(rate) + frames + fraction
    return np.asarray((count - count[0]) / float(rate), np.float64)


def _timecode_rate(largest_frame: int, is_over_a_second: bool, asked: Fraction | None) -> Fraction:
    if asked is not None and largest_frame < numbers_per_second(asked):
        return asked
    usual = next((rate for rate in _CAPTURE_RATES if rate > largest_frame), largest_frame + 1)
    return Fraction(usual if is_over_a_second or usual > 60 else 60)
