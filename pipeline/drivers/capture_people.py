"""Who is who in a capture: trackers give a face that they lose a new number when they find it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .capture_table import Header, Table


@dataclass(frozen=True)
class _Place:
    """The columns that say where a face is, and how far it may have moved while it was lost."""

    across: tuple[str, str]
    """Columns of x and y."""
    width: tuple[str, ...]
    """Columns whose difference, or whose value, is the face's width."""
    width_if_none: float = 0.0


_PLACES = (
    _Place(("x_30", "y_30"), ("x_0", "x_16")),  # OpenFace's pixels: the nose's tip, the ends of the jaw
    _Place(("facerectx", "facerecty"), ("facerectwidth",)),
    _Place(("pose_tx", "pose_ty"), (), 150.0),  # millimetres: about a head
)


def place_columns(header: Header) -> tuple[str, ...]:
    """The columns that `people` needs, of those that the file has."""
    place = _place_of(header.names)
    return (*place.across, *place.width) if place else ()


def people(
    ids: NDArray[np.float64], when: NDArray[np.float64], seen: NDArray[np.bool_], table: Table
) -> list[tuple[float, ...]]:
    """The numbers that each person has, people by their smallest number.

    Two numbers are one person where one begins after the other has ended, no further away than the face is wide.
    `ids`, `when` (anything that increases) and `seen` are (n,), one a row.
    """
    known = [float(number) for number in np.unique(ids[~np.isnan(ids)])]
    place = _place_of(tuple(table.columns))
    if place is None or len(known) < 2:
        return [(number,) for number in known]
    tracks = [_track(number, ids, when, seen, table, place) for number in known]
    found: list[list[_Track]] = []
    for track in sorted(tracks, key=lambda t: t.start):
        before = [p for p in found if p[-1].end < track.start and p[-1].leads_to(track)]
        if before:
            min(before, key=lambda p: p[-1].distance(track)).append(track)
        else:
            found.append([track])
    numbers = [tuple(sorted(track.number for track in person)) for person in found]
    return sorted(numbers)


@dataclass(frozen=True)
class _Track:
    number: float
    start: float
    end: float
    first: NDArray[np.float64]
    last: NDArray[np.float64]
    width: float

    def distance(self, later: _Track) -> float:
        return float(np.hypot(*(later.first - self.last)))

    def leads_to(self, later: _Track) -> bool:
        return self.distance(later) < min(self.width, later.width)


def _track(
    number: float,
    ids: NDArray[np.float64],
    when: NDArray[np.float64],
    seen: NDArray[np.bool_],
    table: Table,
    place: _Place,
) -> _Track:
    mine = np.flatnonzero((ids == number) & ~np.isnan(when))
    held = mine[seen[mine]] if seen[mine].any() else mine
    if not len(held):
        nowhere = np.full(2, np.nan)
        return _Track(number, np.inf, np.inf, nowhere, nowhere, 0.0)
    points = np.stack([_column(table, name)[held] for name in place.across], axis=1)
    return _Track(number, when[mine[0]], when[mine[-1]], points[0], points[-1], _width(table, place, held))


def _width(table: Table, place: _Place, rows: NDArray[np.intp]) -> float:
    columns = [_column(table, name)[rows] for name in place.width]
    if not columns:
        return place.width_if_none
    widths = columns[0] if len(columns) == 1 else np.abs(columns[1] - columns[0])
    return float(np.nan_to_num(np.median(widths)))


def _column(table: Table, name: str) -> NDArray[np.float64]:
    return table.numbers(name)


def _place_of(names: Sequence[str] | Mapping[str, object]) -> _Place | None:
    return next((place for place in _PLACES if {*place.across, *place.width} <= set(names)), None)
