"""Finds the sources that a row means: a file, the files of a glob, or the sequences of a glob of patterns."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from ..editorial import has_media
from ..files import parse_pattern
from .cells import Cell, Mistakes


class SourceFinder:
    """Finds sources; globs do not look into the folder of the outputs, or a second run would take them up."""

    def __init__(self, mistakes: Mistakes, *, outputs: Path | None) -> None:
        self._mistakes, self._outputs = mistakes, outputs

    def find(self, cell: Cell, text: str) -> list[Path]:
        """In order; nothing, and a mistake, if none is there."""
        path = cell.path(text)
        if not glob.has_magic(text) or path.exists():
            if not has_media(path):
                what = "no picture of this sequence is there" if parse_pattern(path) else "no such file"
                if not text.isprintable():  # "C:\temp" in double quotes
                    what += "; in double quotes a backslash begins an escape: use single quotes"
                self._mistakes.add(cell.place, f"source {path}: {what}; correct the path")
                return []
            return [path]
        found = [match for match in _matches(path) if not self._is_output(match)]
        if not found:
            self._mistakes.add(cell.place, f"source {path}: matches no file; correct the pattern")
        return found

    def _is_output(self, path: Path) -> bool:
        return self._outputs is not None and self._outputs.resolve() in path.resolve().parents


def _matches(path: Path) -> list[Path]:
    """Files of a glob in order; of `plates/*/shot.####.exr` the sequences that are there, not their pictures."""
    pattern = parse_pattern(path)
    if pattern is None:
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
        return [match for match in found if match.is_file()]
    place = path.name[len(pattern.prefix) : len(path.name) - len(pattern.suffix)]
    pictures = glob.glob(str(pattern.folder / f"{pattern.prefix}[0-9]*{pattern.suffix}"), recursive=True)
    sequences = set()
    for picture in map(Path, pictures):
        numbered = re.fullmatch(r"(.*?)(\d+)", picture.name.removesuffix(pattern.suffix))
        if numbered and picture.is_file():
            sequences.add(picture.with_name(f"{numbered[1]}{place}{pattern.suffix}"))
    return sorted(sequence for sequence in sequences if has_media(sequence))
