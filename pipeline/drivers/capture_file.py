"""What the readers of all formats share: rows of one face, which of them show it, and the checked result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..errors import DriverError, UnknownActionUnitError
from ..faces import blendshapes
from ..records import ExpressionSeries
from .capture_people import people, place_columns
from .capture_table import CaptureSource, Table, read_table
from .capture_time import RowTimes, kept_rows, row_times, time_columns

SeriesKind = Literal[
    "openface",
    "retarget",
    "py-feat",
    "live-link-face",
    "audio2face",
    "face-cap",
    "ifacialmocap",
    "metahuman",
    "imotions",
    "blendshapes",
    "action-units",
]


@dataclass(frozen=True)
class SeriesFile:
    """A capture file as read."""

    series: ExpressionSeries
    kind: SeriesKind
    notes: tuple[str, ...]
    """Warnings for the user, one line each."""

    @property
    def sees_lips(self) -> bool:
        """Whether an AU25 of 0 means lips that touch, as our own tables say it."""
        return self.kind == "retarget"


@dataclass(frozen=True)
class CaptureFormat:
    """A format: how its files are known, and what reads them."""

    kind: SeriesKind
    what: str
    """Its name and mark, for whoever brings a file of none: "OpenFace (AU12_r)"."""
    is_it: Callable[[CaptureSource], bool]
    read: Callable[[CaptureSource], SeriesFile]


@dataclass(frozen=True)
class FaceRows:
    """The rows of one face, and what they hold."""

    table: Table
    columns: tuple[str, ...]
    """Of those that were asked for, the ones that hold anything."""
    confidence: NDArray[np.float64]
    """(n,) in [0, 1]; 0 where the face is lost or a value is missing."""
    notes: tuple[str, ...] = ()

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n,) whether a row shows the face."""
        return np.asarray(self.confidence > 0, np.bool_)


def face_rows(source: CaptureSource, columns: Sequence[str]) -> FaceRows:
    """The rows of the chosen face with the columns, and OpenFace's bookkeeping as far as there is any.

    Raises:
        DriverError: no rows, or no such face.
    """
    header = source.header
    id_column = header.first_of("face_id", "face")
    others = [name for name in ("confidence", "success") if name in header]
    places = place_columns(header) if id_column else ()
    wanted = [*columns, *time_columns(header), *others, *([id_column] if id_column else [])]
    table = read_table(source, wanted, twins=places)
    chosen, notes = _rows_of_person(source, table, id_column)
    table = table.rows(chosen)
    return shown_rows(table, columns, table_confidence(table), notes)


_HARDLY_ANY = 0.5
"""A column that lacks more than this share of its values is not measured, or rarely."""


def shown_rows(
    table: Table, columns: Sequence[str], confidence: NDArray[np.float64], notes: Sequence[str] = ()
) -> FaceRows:
    """The one rule for what is missing.

    A column that hardly holds anything is left out, and a row that lacks a value of the others does not show the
    face, as one without success does not.
    """
    seen = confidence > 0
    missing = {name: np.isnan(table.numbers(name)) for name in columns}
    blank = np.all(list(missing.values()), axis=0)
    filled = seen & ~blank
    empty = [name for name in columns if filled.any() and missing[name][filled].mean() > _HARDLY_ANY]
    kept = [name for name in columns if name not in empty]
    lacking = seen & (np.any([missing[name] for name in kept], axis=0) if kept else blank)
    notes = list(notes)
    if empty:
        shown = ", ".join(empty[:4]) + (f" and {len(empty) - 4} more" if len(empty) > 4 else "")
        notes.append(f"hardly any values in {shown}; left to the performance")
    if lacking.any():
        line = table.lines[int(np.flatnonzero(lacking)[0])]
        count = int(lacking.sum())
        rows = "1 row lacks" if count == 1 else f"{count} rows lack"
        notes.append(f"{rows} values and count{'s' * (count == 1)} as a lost face (the first is line {line})")
    return FaceRows(table, tuple(kept), np.where(lacking, 0.0, confidence), tuple(notes))


def _rows_of_person(
    source: CaptureSource, table: Table, id_column: str | None
) -> tuple[NDArray[np.bool_], list[str]]:
    """(n,) whether a row is of the chosen face, and what is to be said of it."""
    if id_column is None:
        everyone = np.ones(len(table), np.bool_)
        if source.face > 0:
            raise DriverError(f"{source.path}: no face {source.face}; it holds 1, counted from 0")
        return everyone, []
    ids = table.numbers(id_column)
    whens = [table.numbers(name) for name in time_columns(source.header)]
    usable = (when for when in whens if len(np.unique(when[~np.isnan(when)])) > 1)
    when = next(usable, np.arange(len(table), dtype=np.float64))
    known = people(ids, when, table_confidence(table) > 0, table)
    if not known:
        raise DriverError(f"{source.path}: column {id_column} is empty; number the faces from 0, or leave it out")
    if source.face >= len(known):
        listed = ", ".join("+".join(f"{number:g}" for number in person) for person in known)
        raise DriverError(
            f"{source.path}: no face {source.face}; it holds {len(known)} (ids {listed}), counted from 0"
        )
    mine = known[source.face]
    notes = []
    if len(known) > 1:
        notes.append(f"holds {len(known)} faces; face {source.face} drives")
    if len(mine) > 1:
        listed = ", ".join(f"{number:g}" for number in mine)
        notes.append(f"ids {listed} are one face: each begins where the one before ended")
    return np.isin(ids, mine), notes


def table_confidence(table: Table) -> NDArray[np.float64]:
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
    words = {"true": 1.0, "false": 0.0, "": 0.0}
    cells = [cell.lower() for cell in table.text("success")]
    if all(cell in words for cell in cells):
        return np.array([words[cell] for cell in cells])
    return np.asarray(np.nan_to_num(table.numbers("success"), nan=0.0) > 0, np.float64)


# Values


def is_unit(name: str) -> bool:
    """Whether a column of that name is an action unit of the schema."""
    try:
        return bool(action_units.resolve(name))
    except UnknownActionUnitError:
        return False


def unit_columns(
    rows: FaceRows, full_scale: float, *, name_of: Mapping[str, str] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """((n, C) values in unit range, (C,) filled) from columns named after action units.

    `name_of`: the action unit of a column whose own name is none.

    Raises:
        DriverError: a value far outside 0..full_scale.
    """
    values = np.zeros((len(rows.table), action_units.COUNT))
    filled = np.zeros(action_units.COUNT, np.bool_)
    for column in rows.columns:
        name = (name_of or {}).get(column, column)
        if not is_unit(name):
            continue
        indices = list(action_units.resolve(name))
        strength = in_unit_range(rows, column, full_scale)
        # AU26 and its alias AU27 (or AU43 and AU45) in one file: the stronger one counts
        values[:, indices] = np.maximum(values[:, indices], strength[:, None])
        filled[indices] = True
    return values, filled


def shape_columns(path: object, names: Iterable[str]) -> list[str]:
    """The columns that are ARKit's blendshapes, in any spelling.

    Raises:
        DriverError: two columns are the same one.
    """
    found: dict[str, str] = {}
    for column in names:
        shape = blendshapes.known_name(column)
        if shape is None:
            continue
        if shape in found:
            raise DriverError(
                f"{path}: columns {found[shape]!r} and {column!r} are both {shape}; keep one of them"
            )
        found[shape] = column
    return list(found.values())


def from_shapes(rows: FaceRows, full_scale: float = 1.0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """((n, C) values, (C,) filled) from blendshape columns.

    Raises:
        DriverError: a value far outside 0..full_scale.
    """
    columns = np.stack([in_unit_range(rows, name, full_scale) for name in rows.columns], axis=1)
    values, filled = blendshapes.from_blendshapes(rows.columns, columns)
    return values.astype(np.float64), filled


def in_unit_range(rows: FaceRows, name: str, full_scale: float) -> NDArray[np.float64]:
    """A column in unit range, 0 where the face is lost; a little overshoot is clamped, a lot means another scale.

    Raises:
        DriverError: a value far outside 0..full_scale.
    """
    table = rows.table
    column = np.where(rows.present, table.numbers(name) / full_scale, 0.0)
    wild = (column < -0.5) | (column > 1.5)
    if wild.any():
        row = int(np.flatnonzero(wild)[0])
        raise DriverError(
            f"{table.path}: line {table.lines[row]}, column {name}: {table.text(name)[row]} is outside "
            f"0..{full_scale:g}; rescale the column"
        )
    return np.clip(column, 0.0, 1.0)


# The result


def series_file(
    source: CaptureSource,
    rows: FaceRows,
    kind: SeriesKind,
    values: NDArray[np.float64],
    filled: NDArray[np.bool_],
    *,
    times: RowTimes | None = None,
    counts_from: float | None = None,
    notes: Sequence[str] = (),
) -> SeriesFile:
    """The checked result: increasing times, and a face in at least one row. Rows that say no time are left out.

    `times`, where the format has its own; else see `row_times`, which `counts_from` is for.

    Raises:
        DriverError: times that go back, or no face.
    """
    times = times or row_times(source, rows.table, counts_from=counts_from)
    kept = kept_rows(source.path, rows.table.lines, times.seconds, rows.confidence)
    if not (rows.confidence[kept] > 0).any():
        raise DriverError(
            f"{source.path}: no row with a face (success or confidence are 0, or values are missing, throughout); "
            "film again"
        )
    series = ExpressionSeries(
        seconds=times.seconds[kept],
        values=values[kept].astype(np.float32),
        filled=filled,
        confidence=rows.confidence[kept].astype(np.float32),
    )
    return SeriesFile(series, kind, (*notes, *rows.notes, *times.notes, *_left_out(times.seconds, len(kept))))


def _left_out(seconds: NDArray[np.float64], kept: int) -> list[str]:
    """Notes on rows that are not in the series."""
    timeless = int(np.isnan(seconds).sum())
    repeated = len(seconds) - timeless - kept
    notes = [f"rows left out because they say no time: {timeless}"] if timeless else []
    return [*notes, f"rows left out because they repeat the time of another: {repeated}"] if repeated else notes
