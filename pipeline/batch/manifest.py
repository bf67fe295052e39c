"""What a batch has done so far, beside its outputs: `retarget-batch.jsonl`, a line a finished job.

A line is appended with one write and synced to the disk; one that was cut off is no line. On opening, the lines
that no longer count are dropped by writing the rest beside and renaming.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from retarget.model.plain_json import parse_json

from ..errors import RetargetError
from ..files import Content, portable, write_whole
from .locks import batch_lock
from .paths import manifest_path
from .records import Entry

FORMAT_VERSION = 1

_APPENDED = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class ManifestError(RetargetError, ValueError):
    """A manifest that this version cannot read."""


class Manifest:
    """The manifest of an output folder, opened for one batch. A context manager that holds the lock.

    `entries` are the latest, by output.
    """

    def __init__(self, output_dir: Path, *, is_portable: bool = False) -> None:
        """`is_portable`: files are told from the folder, which may then be moved or handed on."""
        self.path = manifest_path(output_dir)
        self.entries: dict[str, Entry] = {}
        self.trouble = ""
        """Why lines could not be written, if so; empty once they were."""
        self._output_dir, self._is_portable = output_dir, is_portable
        self._stack = contextlib.ExitStack()
        self._waiting: list[Entry] = []
        self._is_torn = False

    def __enter__(self) -> Self:
        """Raises LockedError, ManifestError, or VideoWriteError if the folder takes no file."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(batch_lock(self._output_dir))
            self.entries = {entry.output: entry for entry in read_entries(self.path)}
            self._compact()
            self._file = os.open(self.path, _APPENDED)
            stack.callback(os.close, self._file)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            self.flush()

    def record(self, entry: Entry) -> None:
        """Appends a line. On a full disk it is kept, and tried again with the next one and at the end."""
        self.entries[entry.output] = entry
        self._waiting.append(entry)
        self.flush()

    def flush(self) -> None:
        """Writes what is waiting; if that fails, `trouble` says why."""
        if not self._waiting:
            return
        data = ("\n" if self._is_torn else "") + "".join(map(self._line, self._waiting))
        encoded = _encoded(data)
        try:
            if os.write(self._file, encoded) < len(encoded):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file)
        except OSError as error:
            self._is_torn = True
            self.trouble = (
                f"{self.path}: cannot be written ({error.strerror}); {len(self._waiting)} finished jobs are not "
                "noted and will be done again"
            )
            return
        self._waiting, self.trouble, self._is_torn = [], "", False

    def _line(self, entry: Entry) -> str:
        values = asdict(entry)
        if self._is_portable:
            values = portable(values, self._output_dir)
        return json.dumps(values, ensure_ascii=False) + "\n"

    def _compact(self) -> None:
        """Only the entries that count, in their order; synced before it takes the old one's place."""
        header = json.dumps({"retarget_batch": FORMAT_VERSION})
        wanted = _encoded("".join([header + "\n", *map(self._line, self.entries.values())]))
        if self.path.is_file() and self.path.read_bytes() == wanted:
            return
        write_whole(self.path, wanted, failure="cannot be written", synced=True)


def read_entries(path: Path) -> list[Entry]:
    """The latest entry of each output, as the file has them; needs no lock. Nothing if there is no file.

    Raises:
        ManifestError: it is something else, or of a newer version.
    """
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    _check_header(lines, path)
    found: dict[str, Entry] = {}
    for line in lines[1:]:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # cut off by a crash or a full disk
            entry = _absolute(Entry.from_json(parse_json(line)), path.parent)
            found[entry.output] = entry
    return list(found.values())


def _check_header(lines: Sequence[str], path: Path) -> None:
    version = None
    with contextlib.suppress(ValueError, TypeError, KeyError, IndexError):
        version = parse_json(lines[0])["retarget_batch"]
    if lines and version is None:
        raise ManifestError(f"{path}: is not the manifest of a batch; move it away or use another --output-dir")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ManifestError(
            f"{path}: is of a newer retarget (format {version}, this one knows {FORMAT_VERSION}); update, or use "
            "another --output-dir"
        )


def _encoded(lines: str) -> bytes:
    """UTF-8; what a file's name has that is no UTF-8 becomes an escape, which JSON reads back as it was."""
    return lines.encode("utf-8", "backslashreplace")


def _absolute(entry: Entry, folder: Path) -> Entry:
    """With the output and the files that were read of a portable manifest, which count from its folder."""

    def whole(path: str) -> str:
        return os.path.normpath(folder.absolute() / path)

    def found(content: Content) -> Content:
        return replace(content, path=whole(content.path))

    return replace(
        entry,
        output=whole(entry.output),
        inputs=tuple(map(found, entry.inputs)),
        made=None if entry.made is None else found(entry.made),
    )
