"""What a folder stands for where films and pictures are wanted."""

from __future__ import annotations

from pathlib import Path

from ..errors import VideoOpenError
from . import suffixes


def media_of(path: Path) -> list[Path]:
    """The films and pictures in a folder, by name, hidden ones and subfolders left out; of anything else itself.

    Raises:
        VideoOpenError: a folder has none, or cannot be read.
    """
    if not path.is_dir():
        return [path]
    try:
        inside = sorted(path.iterdir())
    except OSError as error:
        raise VideoOpenError(
            f"{path}: cannot be read ({error.strerror or error}); check its permissions"
        ) from error
    found = [file for file in inside if _is_media(file)]
    if not found:
        raise VideoOpenError(f"{path}: has no films or pictures in it; name another folder, or files")
    return found


def _is_media(file: Path) -> bool:
    known = file.suffix.lower() in suffixes.FILMS or file.suffix.lower() in suffixes.PICTURES
    return known and not file.name.startswith(".") and file.is_file()
