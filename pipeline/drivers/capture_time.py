"""When each row of a capture is: by its stamps in the unit that makes sense, else by its frame numbers."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..errors import DriverError
from .capture_table import CaptureSource, Header, Table, number_in

DEFAULT_FRAME_RATE = Fraction(30)
"""Assumed for files that count frames and do not say how fast."""

Seconds = NDArray[np.float64]
"""(n,) float64, one a row; NaN where a row says no time."""

_UNIT_SECONDS = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9}

_STAMPS: dict[str, str | None] = {
    "timestamp": None, "time": None, "timecode": None, "t": None, "ts": None, "elapsed": None, "elapsedtime": None,
    "mediatime": None, "seconds": "seconds", "secs": "seconds", "sec": "seconds", "times": "seconds",
    "timesec": "seconds", "timeseconds": "seconds", "timestamps": "seconds", "timestampsec": "seconds",
    "timestampseconds": "seconds", "elapsedseconds": "seconds", "timestampms": "milliseconds",
    "timems": "milliseconds", "ms": "milliseconds", "msec": "milliseconds", "milliseconds": "milliseconds",
    "elapsedms": "milliseconds", "timestampmsec": "milliseconds", "timestampus": "microseconds",
    "timeus": "microseconds", "timestampns": "nanoseconds", "timens": "nanoseconds",
}  # fmt: skip
"""Names of columns of time, without case and separators, in the order they are looked for; with the unit, if the
name has one."""

_FRAMES = ("frame", "frameindex", "framenumber", "frameid", "framecount", "framenr", "frameno", "frames")

_SHORTEST_STEP = 1 / 480
"""Seconds between rows: faster than any camera that films faces."""
_LONGEST_STEP = 2.0
"""Between rows of a capture whose unit nobody says; trackers that skip frames reach a second."""
_LONGEST_SAID_STEP = 8.0
"""Where the column's name says the unit."""
_MOST_REPEATS = 0.6
"""Share of rows that may repeat the stamp before them: two a stamp are a slow clock, more are whole seconds."""
_FEW_ROWS = 10
"""Fewer may be written by hand, seconds apart."""
_LATEST_SECONDS = 5e9
"""No epoch is further on (that of 1970 reaches the year 2128): what would be is in another unit."""
_LATE_SECONDS = 3600.0
"""A first row later than this is a time of day or an epoch, not a face that came late."""


@dataclass(frozen=True)
class RowTimes:
    """The rows' seconds, and what was assumed to get them, a line each."""

    seconds: Seconds
    notes: tuple[str, ...] = ()


def time_columns(header: Header) -> list[str]:
    """The columns that say when: of stamps, then of frame numbers."""
    by_key = {_key(name): name for name in reversed(header.names)}
    stamps = [by_key[key] for key in _STAMPS if key in by_key]
    return stamps + [by_key[key] for key in _FRAMES if key in by_key][:1]


def is_time_name(name: str) -> bool:
    """Whether a column or key of that name says when."""
    return _key(name) in _STAMPS or _key(name) in _FRAMES


def row_times(source: CaptureSource, table: Table, *, counts_from: float | None = None) -> RowTimes:
    """When each row is.

    A frame rate that the user gives goes first (by frame numbers, else by rows where there are no usable stamps).
    Stamps are read in the first unit that puts rows as far apart as cameras do; where none does, the frame numbers
    count. `counts_from` is the number of the format's first frame; None: times start with the first row.

    Raises:
        DriverError: nothing usable, and several rows.
    """
    columns = [name for name in time_columns(source.header) if name in table.columns]
    frames = next((table.numbers(name) for name in columns if _key(name) in _FRAMES), None)
    stamps = [name for name in columns if _key(name) not in _FRAMES]
    if source.frame_rate is not None and frames is not None and _increases(frames):
        return _counted(source, frames, counts_from)
    refused: list[str] = []
    for name in stamps:
        found = _stamped(table, name, counts_from)
        if isinstance(found, RowTimes):
            return found
        refused.append(found)
    if frames is not None and (_increases(frames) or not refused):
        counted = _counted(source, frames, counts_from)
        return RowTimes(counted.seconds, (*refused, *counted.notes))
    rate = source.frame_rate or source.own_rate
    if rate is not None or len(table) == 1:
        rows = np.arange(len(table)) / float(rate or 1)
        notes = (*refused, f"counted the rows at {float(rate or 1):.6g} a second")
        return RowTimes(rows, notes if len(table) > 1 else ())
    reason = refused[0] if refused else "no column of time"
    raise DriverError(
        f"{source.path}: {reason}; add 'timestamp' (seconds) or 'frame', or count rows with --driver-frame-rate"
    )


def _key(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


# Stamps


def _stamped(table: Table, name: str, counts_from: float | None) -> RowTimes | str:
    """The times that a column says, or why it says none."""
    stamps = _parsed(table, name)
    known = stamps[~np.isnan(stamps)]
    if len(known) == 0:
        return f"column {name} is empty"
    steps = np.diff(known)
    if len(known) > 1 and not (steps > 0).any():
        return f"column {name} stands still at {known[0]:g}"
    if len(known) > 1 and (steps == 0).mean() > _MOST_REPEATS:
        return f"column {name} is too coarse: most rows repeat the one before"
    said = _STAMPS[_key(name)]
    unit = _unit(known, steps[steps > 0], said)
    if unit is None:
        step = np.median(steps[steps > 0])
        return f"column {name} has {step:g} between rows, which is no camera's pace in any unit"
    seconds = stamps * _UNIT_SECONDS[unit]
    notes = []
    if unit != (said or "seconds"):
        notes.append(f"column {name} read as {unit}: rows are {np.median(np.diff(known)):g} apart")
    first = float(known[0]) * _UNIT_SECONDS[unit]
    if counts_from is None or abs(first) >= _LATE_SECONDS:
        seconds = seconds - first
        if counts_from is not None:
            notes.append(f"times count from the first row, which says {known[0]:.0f}")
    return RowTimes(seconds, tuple(notes))


def _unit(known: Seconds, steps: Seconds, said: str | None) -> str | None:
    """The unit in which rows lie as far apart as in a capture; None if there is none."""
    if len(steps) == 0:
        return said or "seconds"
    step = float(np.median(steps))
    if said is not None and len(known) < _FEW_ROWS and step * _UNIT_SECONDS[said] >= _SHORTEST_STEP:
        return said
    longest = _LONGEST_SAID_STEP if said or len(known) < _FEW_ROWS else _LONGEST_STEP
    units = dict.fromkeys([*([said] if said else []), *_UNIT_SECONDS])
    fitting = (unit for unit in units if _SHORTEST_STEP <= step * _UNIT_SECONDS[unit] <= longest)
    return next((unit for unit in fitting if abs(known[0]) * _UNIT_SECONDS[unit] < _LATEST_SECONDS), None)


_CLOCK = re.compile(r"(-?)(?:(\d{1,3}):)?(\d{1,3}):(\d{1,2}(?:[.,]\d+)?)$")


def _parsed(table: Table, name: str) -> Seconds:
    """Numbers, clock times (`00:00:01.500`) and dates (ISO 8601), as numbers; NaN where a cell is empty.

    Raises:
        DriverError: a cell is none of these.
    """
    cells = table.text(name)
    parsed = np.array([_stamp(cell) for cell in cells], np.float64)
    wrong = np.flatnonzero(np.isinf(parsed))
    if len(wrong):
        row = int(wrong[0])
        raise DriverError(
            f"{table.path}: line {table.lines[row]}, column {name}: {cells[row]!r} is no time; write seconds, or "
            "HH:MM:SS.mmm"
        )
    return parsed


def _stamp(cell: str) -> float:
    number = number_in(cell)
    if not math.isinf(number):
        return number
    if match := _CLOCK.match(cell):
        seconds = int(match[2] or 0) * 3600 + int(match[3]) * 60 + float(match[4].replace(",", "."))
        return -seconds if match[1] else seconds
    try:
        return datetime.datetime.fromisoformat(cell).replace(tzinfo=datetime.UTC).timestamp()
    except ValueError:
        return math.inf


# Frame numbers


def _increases(frames: Seconds) -> bool:
    known = frames[~np.isnan(frames)]
    return len(known) > 0 and bool((np.diff(known) >= 0).all()) and (len(known) == 1 or known[-1] > known[0])


def _counted(source: CaptureSource, frames: Seconds, counts_from: float | None) -> RowTimes:
    known = frames[~np.isnan(frames)]
    rate = source.frame_rate or source.own_rate
    notes = () if rate else (f"no times in it; took {DEFAULT_FRAME_RATE} frames per second (--driver-frame-rate)",)
    first = float(known[0]) if len(known) else 0.0
    if counts_from is not None:  # a later first number is a face that came late
        first = min(first, counts_from)
    return RowTimes((frames - first) / float(rate or DEFAULT_FRAME_RATE), notes)


# Order


def kept_rows(path: object, lines: Sequence[int], seconds: Seconds, confidence: Seconds) -> NDArray[np.intp]:
    """The rows to keep, in order: each has a time, and of several at one time the most confident is there.

    Raises:
        DriverError: times go back.
    """
    timed = np.flatnonzero(~np.isnan(seconds))
    backwards = np.flatnonzero(np.diff(seconds[timed]) < 0)
    if len(backwards):
        row, before = timed[backwards[0] + 1], timed[backwards[0]]
        raise DriverError(
            f"{path}: line {lines[row]}: time does not increase ({seconds[row]:g} s after {seconds[before]:g} s); "
            "sort the rows, and keep one row per frame and face"
        )
    return np.array(list(_best_of_each(timed, seconds, confidence)), np.intp)


def _best_of_each(timed: NDArray[np.intp], seconds: Seconds, confidence: Seconds) -> Iterator[int]:
    starts = np.flatnonzero(np.diff(seconds[timed], prepend=-np.inf) > 0)
    for start, end in zip(starts, [*starts[1:], len(timed)], strict=True):
        same = timed[start:end]
        yield int(same[np.argmax(confidence[same])])
