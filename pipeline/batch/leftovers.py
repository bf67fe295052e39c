"""What a dead process leaves behind: a note of what it was making, by which the half-written files are found."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

from ..files import is_there, part_of, write_whole
from .locks import LockedError, job_lock
from .paths import hidden_folder

_NOTE = "working.json"


def begin_work(folder: Path, output: Path, *, owns_output: bool, keeps_part: bool = False) -> None:
    """Notes, before anything is written, that this output is being made here. The job's lock must be held.

    `owns_output`: whatever appears under that name is ours, not the user's. `keeps_part`: what is half-written is
    resumed, not removed.

    Raises:
        VideoWriteError: the note cannot be written.
    """
    parts = [folder / ".report.part.json", *([] if keeps_part else [part_of(output)])]
    note = {
        "output": str(output.absolute()) if owns_output else None,
        "parts": [str(part.absolute()) for part in parts],
    }
    write_whole(folder / _NOTE, json.dumps(note).encode(), synced=True)


def end_work(folder: Path) -> None:
    """The output is whole and in the manifest, or there is none."""
    (folder / _NOTE).unlink(missing_ok=True)


def clear_leftovers(folder: Path) -> Path | None:
    """Removes what a dead process left half-written. The job's lock must be held.

    Returns the output that it was making, which may be there, whole, but not noted: it is ours to replace.
    """
    try:
        note = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
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
    for note in sorted(hidden_folder(output_dir).glob(f"*/{_NOTE}")):
        with contextlib.suppress(LockedError, OSError), job_lock(note.parent, wait_seconds=0):
            output = clear_leftovers(note.parent)
            if output is None or not is_there(output):
                end_work(note.parent)
