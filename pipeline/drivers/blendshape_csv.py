"""Tables of ARKit's or MediaPipe's blendshapes, which follow no standard."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from retarget.model import action_units

from ..faces import blendshapes
from .capture_file import (
    CaptureFormat,
    FaceRows,
    SeriesFile,
    SeriesKind,
    face_rows,
    from_shapes,
    series_file,
    shape_columns,
)
from .capture_table import CaptureSource

NEARLY_DEAD = tuple(name for name in blendshapes.NAMES if name.startswith(("eyeWide", "noseSneer", "cheekSquint")))
"""Blendshapes that MediaPipe's model keeps near 0 whatever the face does."""

_DEAD_BELOW = 0.01
_ENOUGH = 3
"""Blendshapes that make a table one of blendshapes; exports of the lower face alone have a dozen."""


def has_most_shapes(source: CaptureSource) -> bool:
    """Whether most of ARKit's blendshapes are columns."""
    return blendshapes.count_known(source.header.names) > len(blendshapes.NAMES) // 2


def read_shapes(
    source: CaptureSource, kind: SeriesKind, *, may_be_dead: Collection[str] = NEARLY_DEAD
) -> SeriesFile:
    """Blendshapes in 0..1, in any order and spelling, timed by whatever the table has.

    Action units whose shapes are all among `may_be_dead` and stay near 0 are left to the performance.
    """
    rows = face_rows(source, shape_columns(source.path, source.header.names))
    values, filled = from_shapes(rows)
    lost = _unreported(rows, may_be_dead)
    for name in lost:
        filled[list(action_units.resolve(name))] = False
    notes = [f"{', '.join(lost)} never move in this capture; left to the performance"] if lost else []
    return series_file(source, rows, kind, values, filled, notes=notes)


def _unreported(rows: FaceRows, may_be_dead: Collection[str]) -> list[str]:
    """The action units that the capture seems to know, and does not report."""
    shapes = {name: blendshapes.known_name(name) for name in rows.columns}
    dead = {
        shape
        for name, shape in shapes.items()
        if shape in may_be_dead and np.nan_to_num(rows.table.numbers(name)).max() < _DEAD_BELOW
    }
    made_of = {
        unit.name: {shape for entry in unit.entries for shape in blendshapes.WEIGHTS.get(entry, {})}
        for unit in action_units.ACTION_UNITS
    }
    return [name for name, parts in made_of.items() if parts and parts <= dead]


def _is_blendshapes(source: CaptureSource) -> bool:
    return blendshapes.count_known(source.header.names) >= _ENOUGH


BLENDSHAPES = CaptureFormat(
    "blendshapes",
    "ARKit's or MediaPipe's blendshapes beside a time (jawOpen; CSV, JSON, JSON lines)",
    _is_blendshapes,
    lambda source: read_shapes(source, "blendshapes"),
)
