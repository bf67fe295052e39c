"""Hidden folders of our own: only plain files of our own names ever go from them, and no link is followed."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from retarget.model.files import InTheWayError, is_at, try_lock

from ..errors import VideoWriteError


def own_folder(path: Path) -> Path:
    """Makes the folder if it is not there, and those above it.

    Raises:
        VideoWriteError: something else has its name, such as a link to a folder.
        OSError: as the file system says.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        path.mkdir()
    if not is_own_folder(path):
        raise VideoWriteError(f"{path}: is in the way, and no run has left it there; remove it")
    return path


def is_own_folder(path: Path) -> bool:
    """Whether it is a folder, and no link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


class HeldFolder:
    """A folder that this process alone works in until it lets it go, and that may outlast it.

    The lock is on the folder itself, as with `Part` of a file.
    """

    def __init__(self, path: Path, is_ours: Callable[[str], bool]) -> None:
        """`is_ours`: whether a file of that name in it is one of ours. Raises InTheWayError, or OSError."""
        self.path, self._is_ours = path, is_ours
        with contextlib.suppress(FileExistsError):
            path.mkdir()
        if not is_own_folder(path):
            raise InTheWayError(f"{path} is in the way, and no run has left it there; remove it")
        self._folder = _opened(path)
        if self._folder is not None and not (try_lock(self._folder) and is_at(self._folder, path)):
            self.release()
            raise InTheWayError(f"another run is writing it (in {path.name}); wait for that, or name another file")

    def write(self, name: str, data: bytes) -> None:
        """Writes a file anew; a link of that name is replaced, not followed. Raises OSError."""
        path = self.path / name
        path.unlink(missing_ok=True)
        with path.open("xb") as file:
            file.write(data)

    def empty(self) -> None:
        """Removes the files that are ours; what cannot be removed stays."""
        for name in os.listdir(self.path if self._folder is None else self._folder):
            if self._is_ours(name):
                with contextlib.suppress(OSError):
                    _unlink(self.path, self._folder, name)

    def drop(self) -> None:
        """Empties it, and removes it if nothing is left; never raises."""
        with contextlib.suppress(OSError):
            self.empty()
            if self._folder is None or is_at(self._folder, self.path):
                self.path.rmdir()  # of a link, or of a folder with anything in it, this is an error
        self.release()

    def release(self) -> None:
        """Lets it go, as it is."""
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None


def drop_folder(path: Path, is_ours: Callable[[str], bool]) -> None:
    """Removes a folder of ours with the files in it that are, unless a process works there; never raises."""
    if is_own_folder(path):
        with contextlib.suppress(OSError):
            HeldFolder(path, is_ours).drop()


def _opened(path: Path) -> int | None:
    """The folder as an open file; None where there is no such thing."""
    if os.unlink not in os.supports_dir_fd:
        return None
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _unlink(path: Path, folder: int | None, name: str) -> None:
    """Removes a plain file, in the folder that was opened whatever has its name by now."""
    if folder is None:
        if stat.S_ISREG(os.lstat(path / name).st_mode):
            (path / name).unlink()
    elif stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=folder)
