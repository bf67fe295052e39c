"""Locks: one batch an output folder, one process a job.

They belong to open files, so they vanish with the process that holds them, however it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from retarget.model.plain_json import parse_json

from ..errors import RetargetError
from ..files import own_folder, write_whole
from .paths import hidden_folder, manifest_path
from .records import now

JOB_LOCK_SECONDS = 60.0
"""How long a job waits for a process that still works on it, such as one whose parent was just killed."""


class LockedError(RetargetError, OSError):
    """Another process works on the same batch, or locks cannot be had there."""

    exit_code = 1


@contextlib.contextmanager
def batch_lock(output_dir: Path) -> Iterator[None]:
    """Holds the output folder, and notes who does.

    Raises:
        LockedError: another batch has it.
    """
    folder = own_folder(hidden_folder(output_dir))
    note = folder / ".holder.json"

    def refusal() -> str:
        return (
            f"{manifest_path(output_dir)}: another batch is running on it ({_holder(note)}); wait for it, stop "
            "it, or use another --output-dir"
        )

    with _held(folder / "lock", wait_seconds=0, refusal=refusal):
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": now()}
        write_whole(note, json.dumps(holder).encode())
        try:
            yield
        finally:
            note.unlink(missing_ok=True)  # whose machine it was is nobody's business afterwards


def _holder(note: Path) -> str:
    try:
        holder = parse_json(note.read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has the lock, but not yet written down who it is
        return "it has just started"


@contextlib.contextmanager
def job_lock(folder: Path, *, wait_seconds: float = JOB_LOCK_SECONDS) -> Iterator[None]:
    """Holds a job's own lock, so that no two processes ever write one output, not even one thought dead.

    Raises:
        LockedError: another process has it for longer than `wait_seconds`.
    """
    own_folder(folder.parent)
    path = own_folder(folder) / "lock"
    text = f"{path}: another process still works on this job; stop it and run again"
    with _held(path, wait_seconds=wait_seconds, refusal=lambda: text):
        yield


@contextlib.contextmanager
def _held(path: Path, *, wait_seconds: float, refusal: Callable[[], str]) -> Iterator[None]:
    if path.is_symlink():
        raise LockedError(f"{path}: is a link, which no run has left there; remove it")
    # A soft lock, which is only a file, would outlast a killed process.
    lock = FileLock(path, timeout=wait_seconds, poll_interval=0.05, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise LockedError(refusal()) from error
    except (OSError, NotImplementedError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise LockedError(
            f"{path}: cannot be locked ({reason}); use an --output-dir on a file system with locks"
        ) from error
    try:
        yield
    finally:
        lock.release()
