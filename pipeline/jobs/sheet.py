"""Reads a job sheet of any kind into rows of cells: YAML, a table, or a timeline on its own.

What the values mean together is for `drafts` and `shots` to say.
"""

from __future__ import annotations

from pathlib import Path

from ..editorial import is_scene_list
from ..files import read_text, suffixes
from .cells import Cell, JobSheetError, Mistakes, Place, Sheet
from .sheet_table import table_rows
from .sheet_yaml import YamlSheet


def read_sheet(path: Path, mistakes: Mistakes) -> Sheet:
    """The sheet in a file of any kind; what cannot be read at all raises JobSheetError."""
    suffix = path.suffix.lower()
    if suffix in suffixes.TIMELINES:
        return _timeline_sheet(path)
    if suffix not in suffixes.SHEETS | suffixes.TABLES:
        raise JobSheetError(f"{path}: is no job sheet; give a .yaml or .csv, or a timeline (.edl, .otio)")
    text = read_text(path, JobSheetError)
    if suffix in suffixes.SHEETS:
        return YamlSheet(path, mistakes).read(text)
    if is_scene_list(text):
        return _timeline_sheet(path)
    return Sheet(Place(str(path)), path.parent, {}, {}, list(table_rows(path, text, mistakes)), {})


def _timeline_sheet(path: Path) -> Sheet:
    """A timeline on its own: its shots are the jobs, with what the command line says."""
    file = Place(str(path))
    return Sheet(file, path.parent, {"timeline": Cell(str(path), file, Path(), "timeline")}, {}, None, {})
