"""Files that are read more than once, and must be the same each time."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import VideoReadError

_BLOCKS, _BLOCK_BYTES = 16, 16 * 1024


@dataclass(frozen=True)
class Identity:
    """What tells one file from another, of equal length perhaps, without reading all of it."""

    bytes: int
    mtime_ns: int
    place: tuple[int, int, int]
    """Device, inode and time of change. A network mount may number its files anew, and a backup touch them, so
    that another place alone does not make it another file: then the sample decides."""
    sample: str
    """Hash of blocks from beginning to end."""

    @classmethod
    def of(cls, path: Path) -> Identity:
        """Raises OSError."""
        stat = path.stat()
        return cls(stat.st_size, stat.st_mtime_ns, _place(stat), _sample(path, stat.st_size))

    def is_still(self, path: Path) -> bool:
        """Whether the file is as it was. Raises OSError."""
        stat = path.stat()
        if (stat.st_size, stat.st_mtime_ns) != (self.bytes, self.mtime_ns):
            return False
        return _place(stat) == self.place or _sample(path, self.bytes) == self.sample


class SeenFiles:
    """Files as they were when they were first read."""

    def __init__(self) -> None:
        self._known: dict[Path, Identity] = {}

    def check(self, path: Path) -> None:
        """Notes the file, or raises VideoReadError if it was noted before and is another by now."""
        try:
            if path not in self._known:
                self._known[path] = Identity.of(path)
            elif not self._known[path].is_still(path):
                raise VideoReadError(f"{path}: was changed or replaced while it was read; run again when it stays")
        except OSError as error:
            if isinstance(error, VideoReadError):
                raise
            raise VideoReadError(f"{path}: vanished while it was read; put it back and run again") from error

    def check_all(self) -> None:
        """`check` of every file that was noted."""
        for path in list(self._known):
            self.check(path)


def _place(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_dev, stat.st_ino, stat.st_ctime_ns


def _sample(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for i in range(_BLOCKS):
            file.seek(max(0, size - _BLOCK_BYTES) * i // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()
