"""What a batch has done so far, beside its outputs: `retarget-batch.jsonl`, and a hidden folder for the rest.

    OUTPUT_DIR/retarget-batch.jsonl            a line a finished job, the last one of an output counts
    OUTPUT_DIR/.retarget/lock                  held while a batch runs, with its process and host
    OUTPUT_DIR/.retarget/NAME/report.json      the run's report
    OUTPUT_DIR/.retarget/NAME/lock             held while the job runs, by whichever process does it
    OUTPUT_DIR/.retarget/NAME/working.json     the job is being worked on, or was when its process died
    OUTPUT_DIR/.retarget/NAME/pieces/          of a long clip, what of it is encoded; gone when the output is there

The locks belong to open files, so they vanish with the process that holds them, however it ends. A line is
appended with one write and synced to the disk; one that was cut off is no line. On opening, the lines that
no longer count are dropped by writing the rest beside and renaming.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from retarget.model.errors import RetargetError

from ..faces import Content
from ..files import is_there, part_of

FILE_NAME = "retarget-batch.jsonl"
HIDDEN_FOLDER = ".retarget"
FORMAT_VERSION = 1

JOB_LOCK_SECONDS = 60.0
"""How long a job waits for a process that still works on it, such as one whose parent was just killed."""


EntryState = Literal["done", "failed"]


class ManifestError(RetargetError, ValueError):
    """A manifest that this version cannot read."""


class LockedError(RetargetError, OSError):
    """Another process works on the same batch, or locks cannot be had there."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True)
class Entry:
    """How a job ended."""

    name: str
    state: EntryState
    source: str
    output: str
    """Absolute; an output has one entry."""
    key: str
    """Hash of the content of all inputs, the options and the version; empty if it could not be found out."""
    request: str
    """Hash of the inputs' names and the options: while it and the inputs' signatures stay, so does the key."""
    inputs: tuple[Content, ...] = ()
    made: Content | None = None
    """The output that was last made, even if a later run failed."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Per stage, and "elapsed"."""
    error: str = ""
    """One line; empty unless failed."""
    finished: str = ""
    """When, in UTC, ISO 8601."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Entry:
        """Raises KeyError, TypeError or ValueError if it is none."""
        made = values["made"]
        entry = cls(
            **{
                **values,
                "inputs": tuple(Content(**content) for content in values["inputs"]),
                "made": None if made is None else Content(**made),
            }
        )
        if entry.state not in ("done", "failed"):
            raise ValueError(f"state {entry.state!r}")
        return entry


def now() -> str:
    """The time as entries have it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


# Where things are --------------------------------------------------------------------------------------


def manifest_path(output_dir: Path) -> Path:
    return output_dir / FILE_NAME


def job_folder(output_dir: Path, name: str) -> Path:
    """The hidden folder of a job; its name is the job's wherever a file system takes that."""
    plain = name not in ("", "lock") and not name.startswith(".") and not set(name) & set('/\\\0:*?"<>|')
    if not plain or len(name.encode()) > 200:
        kept = "".join(c if c.isalnum() else "_" for c in name)[:40]
        name = f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return output_dir / HIDDEN_FOLDER / name


def report_path(output_dir: Path, name: str) -> Path:
    """Where the report of a job's run is."""
    return job_folder(output_dir, name) / "report.json"


def pieces_folder(folder: Path) -> Path:
    """Where the pieces of a job's output are kept; `folder` is the job's."""
    return folder / "pieces"


# The file ----------------------------------------------------------------------------------------------


class Manifest:
    """The manifest of an output folder, opened for one batch. A context manager that holds the lock.

    `entries` are the latest, by output.
    """

    def __init__(self, output_dir: Path) -> None:
        self.path = manifest_path(output_dir)
        self.entries: dict[str, Entry] = {}
        self.trouble = ""
        """Why lines could not be written, if so; empty once they were."""
        self._lock_path = output_dir / HIDDEN_FOLDER / "lock"
        self._stack = contextlib.ExitStack()
        self._waiting: list[Entry] = []
        self._is_torn = False

    def __enter__(self) -> Self:
        """Raises LockedError or ManifestError."""
        self._lock_path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            stack.enter_context(_batch_lock(self._lock_path, self.path))
            self.entries = {entry.output: entry for entry in read_entries(self.path)}
            self._compact()
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND)
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
        data = ("\n" if self._is_torn else "") + "".join(map(_line, self._waiting))
        try:
            if os.write(self._file, data.encode()) < len(data.encode()):
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

    def _compact(self) -> None:
        """Only the entries that count, in their order; synced before it takes the old one's place."""
        header = json.dumps({"retarget_batch": FORMAT_VERSION})
        wanted = "".join([header + "\n", *map(_line, self.entries.values())]).encode()
        if self.path.is_file() and self.path.read_bytes() == wanted:
            return
        write_synced(self.path, wanted)


def write_synced(path: Path, data: bytes) -> None:
    """Writes a file beside and renames it, on the disk before this returns. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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
            entry = Entry.from_json(json.loads(line))
            found[entry.output] = entry
    return list(found.values())


def _check_header(lines: Sequence[str], path: Path) -> None:
    version = None
    with contextlib.suppress(ValueError, TypeError, KeyError, IndexError):
        version = json.loads(lines[0])["retarget_batch"]
    if lines and version is None:
        raise ManifestError(f"{path}: is not the manifest of a batch; move it away or use another --output-dir")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ManifestError(
            f"{path}: is of a newer retarget (format {version}, this one knows {FORMAT_VERSION}); update, or use "
            "another --output-dir"
        )


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), ensure_ascii=False) + "\n"


# Locks -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _batch_lock(path: Path, shown: Path) -> Iterator[None]:
    with path.open("a+", encoding="utf-8") as stream:
        if not _try_lock(stream.fileno(), path):
            raise LockedError(
                f"{shown}: another batch is running on it ({_holder(path)}); wait for it, stop it, or use another "
                "--output-dir"
            )
        stream.truncate(0)
        stream.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now()}))
        stream.flush()
        yield


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has the lock, but not yet written down who it is
        return "it has just started"


def _try_lock(file: int, path: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise LockedError(
            f"{path}: cannot be locked ({error.strerror}); use an --output-dir on a file system with locks"
        ) from error
    return True


@contextlib.contextmanager
def job_lock(folder: Path, *, wait_seconds: float = JOB_LOCK_SECONDS) -> Iterator[None]:
    """Holds a job's own lock, so that no two processes ever write one output, not even one thought dead.

    Raises:
        LockedError: another process has it for longer than `wait_seconds`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as stream:
        until = time.monotonic() + wait_seconds
        while not _try_lock(stream.fileno(), folder / "lock"):
            if time.monotonic() >= until:
                raise LockedError(
                    f"{folder / 'lock'}: another process still works on this job; stop it and run again"
                )
            time.sleep(0.05)
        yield


# Leftovers ---------------------------------------------------------------------------------------------


def begin_work(folder: Path, output: Path, *, owns_output: bool, keeps_part: bool = False) -> None:
    """Notes, before anything is written, that this output is being made here. The job's lock must be held.

    `owns_output`: whatever appears under that name is ours, not the user's. `keeps_part`: what is half-written is
    gone on with, not removed.
    """
    parts = [folder / ".report.part.json", *([] if keeps_part else [part_of(output)])]
    note = {
        "output": str(output.absolute()) if owns_output else None,
        "parts": [str(part.absolute()) for part in parts],
    }
    write_synced(folder / "working.json", json.dumps(note).encode())


def end_work(folder: Path) -> None:
    """The output is whole and in the manifest, or there is none."""
    (folder / "working.json").unlink(missing_ok=True)


def clear_leftovers(folder: Path) -> Path | None:
    """Removes what a dead process left half-written. The job's lock must be held.

    Returns the output that it was making, which may be there, whole, but not noted: it is ours to replace.
    """
    try:
        note = json.loads((folder / "working.json").read_text(encoding="utf-8"))
        output = None if note["output"] is None else Path(note["output"])
        parts = [Path(part) for part in note["parts"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    for part in parts:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
    return output


def clear_all_leftovers(output_dir: Path) -> None:
    """`clear_leftovers` of every job whose process is gone."""
    for note in sorted((output_dir / HIDDEN_FOLDER).glob("*/working.json")):
        with contextlib.suppress(LockedError, OSError), job_lock(note.parent, wait_seconds=0):
            output = clear_leftovers(note.parent)
            if output is None or not is_there(output):
                end_work(note.parent)
