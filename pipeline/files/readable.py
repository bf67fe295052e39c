"""What can be said of an input before anything opens it."""

from __future__ import annotations

from pathlib import Path

from ..errors import VideoOpenError
from .names import check_name
from .sequence import find_sequence, parse_pattern


def check_readable(path: Path) -> None:
    """Raises VideoOpenError if there is no file, or no sequence, with something in it."""
    check_name(path)
    pattern = parse_pattern(path)
    if pattern is not None:
        path = next(iter(find_sequence(pattern, shown_as=str(path)).values()))
    if path.is_dir():
        raise VideoOpenError(f"{path}: is a folder; for an image sequence give a pattern: {path}/name.%04d.png")
    if not path.exists():
        raise VideoOpenError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise VideoOpenError(f"{path}: is a pipe or a device, which is not read; copy it to a file first")
    if path.stat().st_size == 0:
        raise VideoOpenError(f"{path}: is empty (0 bytes); copy or download it again")
