"""py-feat's capture CSV (a Fex saved as it is)."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from ..errors import DriverError
from .capture_csv import CaptureSource, Table, read_table
from .capture_file import SeriesFile, fraction_column, is_unit, series_file, unit_columns

BARE_UNIT = re.compile(r"au\d\d$")
"""Columns of scores, in lower case."""


def read_py_feat(source: CaptureSource) -> SeriesFile:
    """py-feat's Fex: detector scores 0..1, several faces as several rows of a frame."""
    units = [name for name in source.header.names if BARE_UNIT.match(name)]
    known = [name for name in units if is_unit(name)]
    notes = ["py-feat reports scores, not calibrated intensities; adjust with gains if the effect is off"]
    if unknown := sorted(set(units) - set(known)):
        notes.append(f"ignored {', '.join(name.upper() for name in unknown)}, not among the action units")
    optional = [name for name in ("identity", "facescore", "frame") if name in source.header]
    table = read_table(source, [*known, *optional])
    table = table.rows(_py_feat_face(source, table))
    confidence = fraction_column(table, "facescore")
    has_values = np.all([~np.isnan(table.numbers(name)) for name in known], axis=0)
    confidence = np.where(has_values, confidence, 0.0)  # undetected faces are rows of NaN
    values, filled = unit_columns(table, known, confidence > 0, 1.0)
    return series_file(source, table, "py-feat", values, filled, confidence, notes=notes)


def _py_feat_face(source: CaptureSource, table: Table) -> NDArray[np.bool_]:
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
