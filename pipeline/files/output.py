"""Files that are written: refused before any work where they cannot be, and there only when whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from retarget.model import files

from ..errors import OptionError, VideoWriteError
from .names import check_name
from .sequence import parse_pattern

MADE_FROM = "one of the files it is made from"
"""The words for an input that is not the source."""


def check_output(
    path: Path, *, inputs: Mapping[Path, str], overwrite: bool, files: list[Path] | None = None
) -> None:
    """Refuses an output that cannot be, before any work.

    Args:
        inputs: what is read, each in the words for it ("the source itself"); none is ever replaced.
        files: the files that `path` stands for, where it is a pattern.

    Raises:
        VideoWriteError: one of the files exists (without `overwrite`) or is an input, or none can be made there.
    """
    check_name(path)
    files = [path] if files is None else files
    if path.is_dir():
        raise VideoWriteError(f"{path}: is a folder; give a file name in it")
    if (pattern := parse_pattern(path)) is not None and pattern.frames:
        raise VideoWriteError(
            f"{path}: an output counts as its source does; name it {pattern.name}, without a range"
        )
    if not path.parent.is_dir():
        raise VideoWriteError(f"{path}: the folder {path.parent} does not exist; make it first")
    for file in files:
        check_not_input(file, inputs, shown_as=path)
    if not overwrite and (any(file.exists() for file in files) or path.is_symlink()):
        raise VideoWriteError(f"{path}: exists already; name another file or use --overwrite")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise VideoWriteError(f"{path}: the folder {path.parent} is not writable; check its permissions")


def check_not_input(path: Path, inputs: Mapping[Path, str], *, shown_as: Path | None = None) -> None:
    """Raises VideoWriteError if the path leads to one of the inputs (see `check_output`), or into a folder that is
    one."""
    for taken, words in inputs.items():
        if taken.is_dir() and path.resolve().parent == taken.resolve():
            raise VideoWriteError(f"{shown_as or path}: lies in {taken}, which is read; write to another folder")
        if is_same_file(path, taken):
            raise VideoWriteError(f"{shown_as or path}: is {words}; write to another name")


def check_suffix(path: Path, suffixes: Sequence[str], what: str) -> None:
    """Raises OptionError if `what` ("a plot") cannot be written under another suffix than these."""
    if path.suffix.lower() not in suffixes:
        shown = path.suffix or "a file without suffix"
        raise OptionError(f"{path}: cannot write {what} as {shown}; use {', '.join(suffixes)}")


def is_same_file(one: Path, other: Path) -> bool:
    """Whether both names lead to one file, or would if it were there."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


@contextlib.contextmanager
def whole_file(
    path: Path, *, failure: str = "writing failed", synced: bool = False, overwrite: bool = True
) -> Iterator[Path]:
    """A hidden name beside `path` to write to; it becomes `path` if the block succeeds and vanishes if not.

    `synced`: file and name are on the disk when the block has ended, and outlast a loss of power. `overwrite`:
    whether the file may be there when the block ends.

    Raises:
        VideoWriteError: an OSError in the block, in the words of `failure`; or the file is there and may not be,
            or another run writes it; exit status 1.
    """
    try:
        with files.whole_file(path, replace=overwrite) as part:
            yield part
            if synced:
                _sync(part, os.O_RDWR)
        if synced and os.name != "nt":  # which opens no folders, and keeps names by itself
            _sync(path.parent, os.O_RDONLY)
    except OSError as error:
        raise write_failure(
            path, error, f"{failure} ({error.strerror or error}); check the folder and the disk's free space"
        ) from error


def write_failure(path: Path, error: BaseException, words: str) -> VideoWriteError:
    """The error for an output that broke off midway: in those words, where it has none of its own."""
    if isinstance(error, files.InTheWayError):
        words = str(error)
    elif isinstance(error, FileExistsError):
        words = "appeared while it was being made, and stays as it is; name another file or use --overwrite"
    failure = VideoWriteError(f"{path}: {words}")
    failure.exit_code = 1
    return failure


def write_whole(
    path: Path,
    data: bytes,
    *,
    failure: str = "writing failed",
    synced: bool = False,
    overwrite: bool = True,
) -> None:
    """Writes a file that appears under its name when it is whole; the rest as in `whole_file`."""
    with whole_file(path, failure=failure, synced=synced, overwrite=overwrite) as part:
        part.write_bytes(data)


def _sync(path: Path, flags: int) -> None:
    file = os.open(path, flags)
    try:
        os.fsync(file)
    finally:
        os.close(file)
