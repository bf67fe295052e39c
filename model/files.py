"""Files that appear under their name when they are whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(path: Path, *, unique: bool = False) -> Iterator[Path]:
    """A hidden name beside `path` to write to; it becomes `path` if the block succeeds and vanishes if not.

    `unique`: the hidden name is each writer's own, for files that several processes may write at once.

    Raises:
        OSError: as the file system says.
    """
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    if unique:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem[:8]}-", suffix=".part", dir=path.parent)
        os.close(handle)
        part = Path(name)
    try:
        yield part
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that appears under its name when it is whole; raises OSError as the file system says."""
    with whole_file(path) as part:
        part.write_bytes(data)
