"""CSVs of ARKit's or MediaPipe's blendshapes, which follow no standard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retarget.model import action_units

from ..faces import blendshapes
from .capture_csv import CaptureSource
from .capture_file import SeriesFile, confidence_of, from_shapes, rows_of_face, series_file

_NEARLY_DEAD = ("eyewide", "nosesneer", "cheeksquint")
"""Blendshapes (lower case) that MediaPipe's model keeps near 0 whatever the face does."""


def read_blendshapes(source: CaptureSource) -> SeriesFile:
    """A CSV with most of ARKit's names and a column of time; there is no standard, so any order and case."""
    shapes = [name for name in source.header.names if blendshapes.count_known([name])]
    table, notes = rows_of_face(source, shapes)
    confidence = confidence_of(table)
    values, filled = from_shapes(table, shapes, confidence > 0)
    dead = [
        name
        for name in shapes
        if name.startswith(_NEARLY_DEAD) and np.nan_to_num(table.numbers(name)).max() < 0.01
    ]
    lost = [u for u in action_units.ACTION_UNITS if _made_of(u, dead)]
    if lost:
        names = ", ".join(unit.name for unit in lost)
        notes.append(
            f"{names} never move in this capture (MediaPipe hardly reports them); left to the performance"
        )
    for unit in lost:
        filled[list(action_units.resolve(unit.name))] = False
    return series_file(source, table, "blendshapes", values, filled, confidence, notes=notes)


def _made_of(unit: action_units.ActionUnit, dead: Sequence[str]) -> bool:
    shapes = [s.lower() for entry in unit.entries for s in blendshapes.WEIGHTS.get(entry, {})]
    return bool(shapes) and all(shape in dead for shape in shapes)
