"""What a dead process leaves behind: a note of what it was making, by which the half-written files are found.

A note is only text that lies in a folder: it never says what to remove, only which output was being made. What
goes is what runs write for such an output, under their own hidden names.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection
from pathlib import Path

from retarget.model.files import drop_stale
from retarget.model.plain_json import parse_json

from ..files import drop_folder, is_named_for, is_there, part_of, suffixes, write_whole
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
    note = {"output": str(output.absolute()), "owns_output": owns_output, "keeps_part": keeps_part}
    write_whole(folder / _NOTE, json.dumps(note).encode(), synced=True)


def end_work(folder: Path) -> None:
    """The output is whole and in the manifest, or there is none."""
    (folder / _NOTE).unlink(missing_ok=True)


def clear_leftovers(folder: Path, is_known: Callable[[Path], bool]) -> Path | None:
    """Removes what a dead process left half-written. The job's lock must be held.

    `is_known`: whether an output (an absolute path) may have been made here; a note of another is none.

    Returns the output that it was making, which may be there, whole, but not noted: it is ours to replace.
    """
    try:
        note = parse_json((folder / _NOTE).read_text(encoding="utf-8"))
        output, owns_output, keeps_part = Path(note["output"]), note["owns_output"], note["keeps_part"]
        if not is_known(output):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    drop_stale(folder / ".report.part.json")
    if not keeps_part:
        drop_part(output)
    return output if owns_output is True else None


def drop_part(output: Path) -> None:
    """Removes the hidden part of an output, unless a process writes it; never raises."""
    if output.suffix.lower() in suffixes.FILM_OUTPUTS:
        drop_stale(part_of(output))
    else:
        drop_folder(part_of(output), is_named_for(output))


def clear_all_leftovers(output_dir: Path, outputs: Collection[Path]) -> None:
    """`clear_leftovers` of every job whose process is gone.

    `outputs`: those of the jobs at hand, absolute; others count only within the output folder.
    """
    inside = output_dir.resolve()

    def is_known(output: Path) -> bool:
        return output in outputs or (output.is_absolute() and output.parent.resolve().is_relative_to(inside))

    for note in sorted(hidden_folder(output_dir).glob(f"*/{_NOTE}")):
        with contextlib.suppress(LockedError, OSError), job_lock(note.parent, wait_seconds=0):
            output = clear_leftovers(note.parent, is_known)
            if output is None or not is_there(output):
                end_work(note.parent)
