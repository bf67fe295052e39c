"""Files that appear under their name when they are whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where a file that somebody has open cannot be removed: that is lock enough
    fcntl = None  # type: ignore[assignment]

_PLAIN = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_TRIES = 50
_TRY_SECONDS = 0.02


class InTheWayError(OSError):
    """Something at the hidden name that no run has left there, or that another run is writing. Says what to do."""


class Part:
    """A hidden file beside an output, made anew: this process's alone until it is put in place or dropped.

    The lock is on the file itself, so it goes with the process, however that ends. What a dead run left under the
    name is removed; what another run writes, a link, or anything else that is no plain file is refused.
    """

    def __init__(self, path: Path) -> None:
        """Raises InTheWayError, or OSError as the file system says."""
        self.path = path
        self._file = _made(path)
        if os.name == "nt":  # where an open file could not be renamed
            os.close(self._file)
        _HELD.add(self)

    def put(self, output: Path, *, replace: bool = True) -> None:
        """Gives it the output's name. Raises FileExistsError if that is taken and not to be replaced."""
        if os.name != "nt" and not is_at(self._file, self.path):
            raise InTheWayError(f"{self.path} was removed or replaced meanwhile; leave it alone and run again")
        put_in_place(self.path, output, replace=replace)
        self._let_go()

    def drop(self) -> None:
        """Removes it, unless it is in place already; never raises."""
        if self not in _HELD:
            return
        with contextlib.suppress(OSError):
            if os.name == "nt" or is_at(self._file, self.path):
                self.path.unlink()
        self._let_go()

    def _let_go(self) -> None:
        _HELD.discard(self)
        if os.name != "nt":
            os.close(self._file)


_HELD: set[Part] = set()


def drop_parts() -> None:
    """Removes every hidden file that this process has: for one that cannot unwind."""
    for part in list(_HELD):
        part.drop()


def drop_stale(path: Path) -> None:
    """Removes what a dead run left there; anything else stays. Never raises."""
    with contextlib.suppress(OSError, ValueError):
        _remove_stale(path)


def check_free(path: Path) -> None:
    """Raises InTheWayError if a `Part` could not be had there now; removes nothing."""
    with contextlib.suppress(FileNotFoundError):
        os.close(_opened_stale(path))


def put_in_place(part: Path, output: Path, *, replace: bool) -> None:
    """Renames a file. Raises FileExistsError if the name is taken and not to be replaced."""
    if replace:
        part.replace(output)
        return
    try:
        os.link(part, output, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # a file system without hard links
        if os.path.lexists(output):
            raise FileExistsError(output) from None
        part.rename(output)
    else:
        part.unlink()


def is_at(file: int, path: Path) -> bool:
    """Whether the open file is what lies under that name now; a link is not followed."""
    try:
        return os.path.samestat(os.fstat(file), os.lstat(path))
    except OSError:
        return False


def try_lock(file: int) -> bool:
    """Whether the open file or folder is this process's alone now, or its file system knows no locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _made(path: Path) -> int:
    for _ in range(_TRIES):
        try:
            file = os.open(path, _PLAIN | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            _remove_stale(path)
            continue
        if try_lock(file) and is_at(file, path):
            return file
        os.close(file)  # another run took it for a dead one's between two lines
        time.sleep(_TRY_SECONDS)
    raise _held(path)


def _remove_stale(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        file = _opened_stale(path)
        try:
            if is_at(file, path):
                path.unlink()
        except PermissionError as error:
            raise _held(path) from error
        finally:
            os.close(file)


def _opened_stale(path: Path) -> int:
    """What a dead run has left there, opened and locked. Raises InTheWayError if it is anything else."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise InTheWayError(f"{path} is in the way, and no run has left it there; remove it")
    file = os.open(path, _PLAIN)
    if not try_lock(file):
        os.close(file)
        raise _held(path)
    return file


def _held(path: Path) -> InTheWayError:
    return InTheWayError(f"another run is writing it (as {path.name}); wait for that, or name another file")


@contextlib.contextmanager
def whole_file(path: Path, *, unique: bool = False, replace: bool = True) -> Iterator[Path]:
    """A hidden name beside `path` to write to; it becomes `path` if the block succeeds and vanishes if not.

    `unique`: the hidden name is each writer's own, for files that several processes may write at once. `replace`:
    whether the file may be there when the block ends.

    Raises:
        InTheWayError: another process writes the same file, or something else has the hidden name.
        FileExistsError: the file has appeared, and is not to be replaced.
        OSError: as the file system says.
    """
    name = f".{path.stem[:8]}-{secrets.token_hex(6)}.part" if unique else f".{path.stem}.part{path.suffix}"
    part = Part(path.with_name(name))
    try:
        yield part.path
        part.put(path, replace=replace)
    finally:
        part.drop()


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that appears under its name when it is whole; raises as `whole_file`."""
    with whole_file(path) as part:
        part.write_bytes(data)
