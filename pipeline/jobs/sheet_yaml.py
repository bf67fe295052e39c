"""Job sheets as YAML: entries made into cells, each with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files import Entries, Items, Node, YamlError, plain, read_yaml
from .cells import Cell, JobSheetError, Mistakes, Place, Row, Sheet
from .job_settings import BATCH_KEYS, JOB_KEYS, SHEET_KEYS, SHOT_KEYS, canonical
from .rows import add_cell, filled

_BLOCKS = ("defaults", "jobs", "shots")
"""Keys whose values are rows."""


def value_of(text: str) -> Any:
    """A value as it would be read from a sheet: `012`, `no`, `10:00:00:00` and `{AU12: 0.5}` mean the same here.

    Raises:
        JobSheetError: no YAML.
    """
    try:
        node = read_yaml(text, kind="a value", allow_aliases=True)
        return None if node is None else plain(node)
    except YamlError as error:
        raise JobSheetError(str(error)) from error


class YamlSheet:
    """Reads a sheet's entries. Of YAML it knows mappings, lists and scalars, and what only looks like a number,
    a bool or a date is text (see `files.scalar`)."""

    def __init__(self, path: Path, mistakes: Mistakes) -> None:
        self._path, self._mistakes = path, mistakes

    def read(self, text: str) -> Sheet:
        """The sheet; what is no sheet at all raises JobSheetError."""
        try:
            root = read_yaml(text, kind="a job sheet", allow_aliases=True)
        except YamlError as error:
            raise JobSheetError(f"{self._place(error.line or 0)}: {error}") from error
        if not isinstance(root, Entries):
            raise JobSheetError(f"{self._path}: is empty or no job sheet; it begins with 'jobs:' or 'defaults:'")
        top = self._row(root, SHEET_KEYS)
        nodes = {canonical(key.text): value for key, value in root.pairs}
        base = {key: cell for key, cell in top.items() if key in JOB_KEYS}
        if "defaults" in top:
            for cell in self._block(nodes["defaults"], JOB_KEYS).values():
                add_cell(base, cell, JOB_KEYS, self._mistakes)
        settings = {key: cell for key, cell in top.items() if key in BATCH_KEYS and cell.value is not None}
        jobs = self._jobs(nodes["jobs"]) if "jobs" in top else None
        shots = self._shots(nodes["shots"]) if "shots" in top else {}
        return Sheet(self._place(0), self._path.parent, settings, filled(base), jobs, shots)

    def _place(self, line: int) -> Place:
        return Place(str(self._path), line)

    def _block(self, node: Node, known: frozenset[str]) -> Row:
        """The entries of a mapping; an empty one has none."""
        if isinstance(node, Entries):
            return self._row(node, known)
        if self._value(node) is not None:
            self._mistakes.add(self._place(node.line), "needs entries here, 'key: value' a line")
        return {}

    def _row(self, node: Entries, known: frozenset[str]) -> Row:
        row: Row = {}
        for key, value in node.pairs:
            read = None if canonical(key.text) in _BLOCKS else self._value(value)
            add_cell(row, Cell(read, self._place(key.line), self._path.parent, key.text), known, self._mistakes)
        return row

    def _jobs(self, node: Node) -> list[tuple[Place, Row]]:
        if not isinstance(node, Items):
            self._mistakes.add(self._place(node.line), "'jobs' needs a list, '- source: ...' a job")
            return []
        return [(self._place(item.line), filled(self._block(item, JOB_KEYS))) for item in node.nodes]

    def _shots(self, node: Node) -> dict[str, tuple[Place, Row]]:
        if not isinstance(node, Entries):
            self._mistakes.add(self._place(node.line), "'shots' needs entries, 'NAME: {driver: ...}' a shot")
            return {}
        shots: dict[str, tuple[Place, Row]] = {}
        for key, value in node.pairs:
            if key.text in shots:
                self._mistakes.add(self._place(key.line), f"shot {key.text} is there twice; keep one of them")
            shots[key.text] = (self._place(key.line), filled(self._block(value, SHOT_KEYS)))
        return shots

    def _value(self, node: Node) -> Any:
        """Plain data; what cannot be is told and counts as not said."""
        try:
            return plain(node)
        except YamlError as error:
            self._mistakes.add(self._place(error.line or node.line), str(error))
            return None
