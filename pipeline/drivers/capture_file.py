"""What the readers of all capture formats share: rows of one face, times, confidence, and the checked result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..errors import DriverError, UnknownActionUnitError
from ..faces import blendshapes
from ..records import ExpressionSeries
from .capture_csv import CaptureSource, Table, read_table

SeriesKind = Literal["openface", "retarget", "py-feat", "live-link-face", "blendshapes"]

DEFAULT_FRAME_RATE = Fraction(30)
"""Assumed for files that count frames and do not say how fast."""


@dataclass(frozen=True)
class SeriesFile:
    """A capture file as read."""

    series: ExpressionSeries
    kind: SeriesKind
    notes: tuple[str, ...]
    """Warnings for the user, one line each."""


def is_unit(name: str) -> bool:
    """Whether a column of that name is an action unit of the schema."""
    try:
        return bool(action_units.resolve(name))
    except UnknownActionUnitError:
        return False


def unit_columns(
    table: Table, names: Iterable[str], present: NDArray[np.bool_], full_scale: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """((n, C) values in unit range, (C,) filled) from columns named after action units.

    Raises:
        DriverError: a value far outside 0..full_scale, or none in a row where the face is present.
    """
    values = np.zeros((len(table), action_units.COUNT))
    filled = np.zeros(action_units.COUNT, np.bool_)
    for name in names:
        if not is_unit(name):
            continue
        indices = list(action_units.resolve(name))
        column = _ranged(table, name, present, full_scale)
        # AU26 and its alias AU27 (or AU43 and AU45) in one file: the stronger one counts
        values[:, indices] = np.maximum(values[:, indices], column[:, None])
        filled[indices] = True
    return values, filled


def from_shapes(
    table: Table, shapes: Sequence[str], present: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """((n, C) values, (C,) filled) from blendshape columns."""
    columns = np.stack([_ranged(table, name, present, 1.0) for name in shapes], axis=1)
    values, filled = blendshapes.from_blendshapes(shapes, columns)
    return values.astype(np.float64), filled


def _ranged(table: Table, name: str, present: NDArray[np.bool_], full_scale: float) -> NDArray[np.float64]:
    """A column in unit range; a little overshoot is clamped, a lot means another scale.

    Raises:
        DriverError: a value far outside 0..full_scale.
    """
    column = table.require_numbers(name, where=present) / full_scale
    column = np.where(present, column, 0.0)
    wild = (column < -0.5) | (column > 1.5)
    if wild.any():
        row = int(np.flatnonzero(wild)[0])
        raise DriverError(
            f"{table.path}: line {table.lines[row]}, column {name}: {table.text(name)[row]} is outside "
            f"0..{full_scale:g}; rescale the column"
        )
    return np.clip(column, 0.0, 1.0)


_TIME_COLUMNS: Mapping[str, float] = {
    "timestamp": 1.0, "time": 1.0, "seconds": 1.0, "time_s": 1.0,
    "timestamp_ms": 1e-3, "time_ms": 1e-3, "ms": 1e-3,
}  # fmt: skip
"""Names a column of time goes by (in this order) and how many seconds its unit is."""


def rows_of_face(source: CaptureSource, columns: Sequence[str]) -> tuple[Table, list[str]]:
    """The rows of the chosen face with the columns, and OpenFace's bookkeeping as far as there is any."""
    header = source.header
    face_column = header.first_of("face_id", "face")
    time_columns = [name for name in (*_TIME_COLUMNS, "frame") if name in header][:1]
    others = [name for name in ("confidence", "success") if name in header]
    table = read_table(source, [*columns, *time_columns, *others, *([face_column] if face_column else [])])
    ids = table.require_numbers(face_column) if face_column else np.zeros(len(table))
    known = np.unique(ids)
    if source.face >= len(known):
        listed = ", ".join(f"{number:g}" for number in known)
        raise DriverError(
            f"{source.path}: no face {source.face}; it holds {len(known)} (ids {listed}), counted from 0"
        )
    notes = []
    if len(known) > 1:
        notes.append(f"{source.path.name} holds {len(known)} faces; face {source.face} drives")
    return table.rows(ids == known[source.face]), notes


def confidence_of(table: Table) -> NDArray[np.float64]:
    """(n,) in [0, 1]: the confidence where the face was found, 0 elsewhere; 1 where the file says nothing."""
    return fraction_column(table, "confidence") * _success(table)


def fraction_column(table: Table, name: str) -> NDArray[np.float64]:
    """A column clamped to [0, 1], NaN as 0; all 1 where there is no such column."""
    if name not in table.columns:
        return np.ones(len(table))
    return np.clip(np.nan_to_num(table.numbers(name), nan=0.0), 0.0, 1.0)


def _success(table: Table) -> NDArray[np.float64]:
    """(n,) 0 or 1 from OpenFace's 0/1 or pyfaceau's False/True."""
    if "success" not in table.columns:
        return np.ones(len(table))
    words = {"true": 1.0, "false": 0.0}
    cells = [cell.lower() for cell in table.text("success")]
    if all(cell in words for cell in cells):
        return np.array([words[cell] for cell in cells])
    return np.asarray(np.nan_to_num(table.numbers("success"), nan=0.0) > 0, np.float64)


def _seconds(source: CaptureSource, table: Table, kind: SeriesKind, notes: list[str]) -> NDArray[np.float64]:
    """(n,) seconds of each row by the file's own column of time, else by its frame numbers.

    Raises:
        DriverError: neither is there and there are several rows.
    """
    for name, unit_seconds in _TIME_COLUMNS.items():
        if name in table.columns:
            return table.require_numbers(name) * unit_seconds
    if "frame" in table.columns:
        if source.frame_rate is None:
            notes.append(f"{source.path.name} has no times; took {DEFAULT_FRAME_RATE} frames per second")
        frames = table.require_numbers("frame")
        # OpenFace counts from 1, py-feat and pyfaceau from 0; a later first number is a face that came late
        first = 0.0 if kind == "py-feat" else min(float(frames[0]), 1.0)
        return np.asarray((frames - first) / float(source.frame_rate or DEFAULT_FRAME_RATE), np.float64)
    if len(table) > 1:
        raise DriverError(f"{source.path}: no column of time; add 'timestamp' (seconds) or 'frame'")
    return np.zeros(1)


def series_file(
    source: CaptureSource,
    table: Table,
    kind: SeriesKind,
    values: NDArray[np.float64],
    filled: NDArray[np.bool_],
    confidence: NDArray[np.float64],
    *,
    seconds: NDArray[np.float64] | None = None,
    notes: Sequence[str] = (),
) -> SeriesFile:
    """The checked result: increasing times, and a face in at least one row.

    Raises:
        DriverError: one of these does not hold.
    """
    all_notes = list(notes)
    if seconds is None:
        seconds = _seconds(source, table, kind, all_notes)
    if kind == "blendshapes":  # stamps may be anything from clip time to the time of day
        seconds = seconds - seconds[0]
    backwards = np.flatnonzero(np.diff(seconds) <= 0)
    if len(backwards):
        row = int(backwards[0]) + 1
        raise DriverError(
            f"{source.path}: line {table.lines[row]}: time does not increase ({seconds[row]:g} s after "
            f"{seconds[row - 1]:g} s); sort the rows, and keep one row per frame and face"
        )
    if not (confidence > 0).any():
        raise DriverError(
            f"{source.path}: no row with a face (success and confidence are 0 throughout); film again"
        )
    series = ExpressionSeries(
        seconds=seconds,
        values=values.astype(np.float32),
        filled=filled,
        confidence=confidence.astype(np.float32),
    )
    return SeriesFile(series, kind, tuple(all_notes))
