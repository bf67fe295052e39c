"""Rows of a job sheet: cells under known keys, and what of two rows counts."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from retarget.model.suggestions import suggestion

from .cells import Cell, Mistakes, Place, Row
from .job_settings import BATCH_KEYS, EXCLUSIVE, JOB_KEYS, canonical, spellings


def add_cell(row: Row, cell: Cell, known: frozenset[str], mistakes: Mistakes) -> None:
    """Puts the cell under its key, unless that is unknown or there already."""
    key = canonical(cell.key)
    if key not in known:
        hint = suggestion(key, spellings(known), f"known are {', '.join(sorted(known))}", quoted="'{}'")
        mistakes.add(cell.place, f"unknown key '{cell.key}'; {hint}")
    elif key in row:
        other = row[key]
        mistakes.add(cell.place, f"'{cell.key}' is said twice ('{other.key}' at {other.place}); keep one of them")
    else:
        row[key] = cell


def merged(base: Row, own: Row) -> Row:
    """The own values over the base's; what says the same in other words goes as well."""
    hidden = {b for a, b in EXCLUSIVE if a in own} | {a for a, b in EXCLUSIVE if b in own}
    return {**{key: cell for key, cell in base.items() if key not in hidden}, **own}


def filled(row: Row) -> Row:
    """Without empty values: `crf:` alone leaves it to the default."""
    return {key: cell for key, cell in row.items() if cell.value is not None}


def given_row(values: Mapping[str, Any], mistakes: Mistakes) -> Row:
    """The command line's defaults; None is a flag that was not given."""
    row: Row = {}
    where = Place("command line")
    for key, value in values.items():
        if value is not None:
            add_cell(row, Cell(_written(value), where, Path(), key), JOB_KEYS | BATCH_KEYS, mistakes)
    return row


def _written(value: Any) -> Any:
    """A value as a sheet would have it."""
    if isinstance(value, Path | Fraction):
        return str(value)
    return [_written(item) for item in value] if isinstance(value, tuple | list) else value
