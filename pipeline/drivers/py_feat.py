"""py-feat's capture CSV (a Fex saved as it is)."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..errors import DriverError
from ..timecode import USUAL_RATES
from .blendshape_csv import has_most_shapes
from .capture_file import (
    CaptureFormat,
    SeriesFile,
    fraction_column,
    from_shapes,
    is_unit,
    series_file,
    shape_columns,
    shown_rows,
    unit_columns,
)
from .capture_table import CaptureSource, Table, number_in, read_table

_SCORE = re.compile(r"au_?\d{1,2}$")
"""Columns of scores, in lower case."""
_SAME_RATE = Fraction(2, 1000)
"""Rates nearer than this part of each other differ by less than whole seconds can show."""
_MARKS = ("facerectx", "facescore", "approx_time", "input")


def _is_py_feat(source: CaptureSource) -> bool:
    has_scores = any(_SCORE.match(name) for name in source.header.names)
    return has_scores and source.header.first_of(*_MARKS) is not None


def _read(source: CaptureSource) -> SeriesFile:
    """py-feat's Fex: several faces as several rows of a frame; the blendshapes of version 2 go before its scores,
    which it drives to their ends, else the scores as 0..1."""
    shapes = shape_columns(source.path, source.header.names) if has_most_shapes(source) else []
    units = [name for name in source.header.names if _SCORE.match(name)]
    known = [name for name in units if is_unit(name)]
    columns = shapes or known
    optional = [n for n in ("identity", "facescore", "frame", "approx_time") if n in source.header]
    table = read_table(source, [*columns, *optional])
    table = table.rows(_rows_of_person(source, table))
    rows = shown_rows(table, columns, fraction_column(table, "facescore"))
    values, filled = from_shapes(rows) if shapes else unit_columns(rows, 1.0)
    notes, rate = _notes(shapes, units, known), _rate_by_clock(table)
    if rate is not None and source.frame_rate is None:
        notes.append(f"took {float(rate):.6g} frames per second, at which its approx_time goes")
    timed = replace(source, own_rate=rate)
    return series_file(timed, rows, "py-feat", values, filled, counts_from=0.0, notes=notes)


def _notes(shapes: list[str], units: list[str], known: list[str]) -> list[str]:
    if shapes:
        return ["its blendshapes drive; the scores of action units beside them are left aside"]
    notes = ["py-feat reports scores, not calibrated intensities; adjust with gains if the effect is off"]
    if unknown := sorted(set(units) - set(known)):
        notes.append(f"ignored {', '.join(name.upper() for name in unknown)}, not among the action units")
    return notes


def _rate_by_clock(table: Table) -> Fraction | None:
    """The one usual rate at which the frame numbers give the file's `approx_time`, whole seconds as MM:SS.

    Frame f is in second s where s <= f / rate < s + 1, so that every row bounds the rate from both sides.
    """
    if not {"frame", "approx_time"} <= table.columns.keys():
        return None
    lowest, highest = 0.0, np.inf
    for cell, clock in zip(table.text("frame"), table.text("approx_time"), strict=True):
        frame, match = number_in(cell), re.fullmatch(r"(\d+):(\d\d)", clock)
        if match is None or not np.isfinite(frame):
            continue
        second = int(match[1]) * 60 + int(match[2])
        lowest = max(lowest, frame / (second + 1))
        highest = min(highest, frame / second if second else np.inf)
    fitting = [rate for rate in (*USUAL_RATES, Fraction(15), Fraction(120)) if lowest < rate <= highest]
    is_one = bool(fitting) and max(fitting) - min(fitting) < _SAME_RATE * max(fitting)  # 23.976 and 24
    return max(fitting) if is_one else None


def _rows_of_person(source: CaptureSource, table: Table) -> NDArray[np.bool_]:
    """(n,) bool: the rows of the chosen face, by Identity, else by its place among the rows of a frame."""
    identities = [i for i in table.columns.get("identity", ()) if i and i.lower() != "nan"]
    if identities:
        known = list(dict.fromkeys(identities))
        mine = known[source.face] if source.face < len(known) else None
        chosen = np.array([cell == mine for cell in table.text("identity")])
    else:
        frames = table.columns.get("frame", ("0",) * len(table))
        seen: Counter[str] = Counter()
        places = []
        for frame in frames:
            places.append(seen[frame])
            seen[frame] += 1
        known = [str(place) for place in range(max(places) + 1)]
        chosen = np.array(places) == source.face
    if source.face >= len(known):
        raise DriverError(
            f"{source.path}: no face {source.face}; it holds {len(known)} ({', '.join(known[:8])}), counted from 0"
        )
    return chosen


PY_FEAT = CaptureFormat("py-feat", "py-feat (AU12 beside FaceScore)", _is_py_feat, _read)
