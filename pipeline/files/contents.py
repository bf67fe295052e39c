"""Files known by their content: hashes, remembered for as long as a file does not change."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import VideoOpenError, VideoReadError
from .sequence import find_sequence, parse_pattern


@dataclass(frozen=True)
class Content:
    """A file (or image sequence) as it was when its content was read."""

    path: str
    """Absolute."""
    signature: str
    """Size and time of change, in nanoseconds; while these stay, so does the content."""
    sha256: str


class Contents:
    """Content hashes of files, each read once and then remembered by size and time of change."""

    def __init__(self, known: Iterable[Content] = ()) -> None:
        self._known = {content.path: content for content in known}
        self.used: dict[str, Content] = {}
        """What was asked for, by path: for the manifest, and for `check_unchanged`."""

    def remembered(self, path: Path) -> str | None:
        """The hash of a file that has not changed since it was read, or None. Reads nothing."""
        known = self._known.get(_absolute(path))
        with contextlib.suppress(OSError, VideoOpenError):
            if known is not None and known.signature == signature_of(path):
                self.used[known.path] = known
                return known.sha256
        return None

    def sha256(self, path: Path) -> str:
        """The hash of the content, read if need be.

        Raises:
            VideoOpenError: there is no such file.
            VideoReadError: it changes while it is read.
        """
        digest = self.remembered(path)
        if digest is None:
            content = content_of(path)
            self._known[content.path] = self.used[content.path] = content
            digest = content.sha256
        return digest

    def check_unchanged(self) -> None:
        """Raises VideoReadError if any file that was used is no longer as it was."""
        for content in self.used.values():
            _check_still(Path(content.path), content.signature)


def content_of(path: Path) -> Content:
    """Reads a file, or every file of an image sequence; raises as `Contents.sha256`."""
    try:
        before = signature_of(path)
        digest = _digest(path)
    except OSError as error:
        if isinstance(error, VideoOpenError):
            raise
        raise VideoOpenError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    _check_still(path, before)
    return Content(_absolute(path), before, digest)


def signature_of(path: Path) -> str:
    """Size and time of change; of a sequence, a hash of those of its files. Raises OSError or VideoOpenError."""
    files = _files(path)
    if len(files) == 1:
        return _stat_text(files[0])
    listing = "\n".join(f"{file.name} {_stat_text(file)}" for file in files)
    return f"{len(files)} files {hashlib.sha256(os.fsencode(listing)).hexdigest()[:16]}"


def _stat_text(file: Path) -> str:
    stat = file.stat()
    return f"{stat.st_size} bytes {stat.st_mtime_ns}"


def _check_still(path: Path, signature: str) -> None:
    try:
        now = signature_of(path)
    except OSError as error:
        raise VideoReadError(f"{path}: vanished while it was read; put it back and run again") from error
    if now != signature:
        raise VideoReadError(
            f"{path}: is being written to ({signature.rpartition(' ')[0]}, then {now.rpartition(' ')[0]}); "
            "run again when it is complete"
        )


def _files(path: Path) -> list[Path]:
    pattern = parse_pattern(path)
    return [path] if pattern is None else list(find_sequence(pattern, shown_as=str(path)).values())


def _digest(path: Path) -> str:
    files = _files(path)
    if len(files) == 1:
        return _file_digest(files[0])
    names = "\n".join(f"{file.name} {_file_digest(file)}" for file in files)
    return hashlib.sha256(os.fsencode(names)).hexdigest()


def _file_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _absolute(path: Path) -> str:
    return str(path.absolute())
