"""Where things are in an output folder:

OUTPUT_DIR/retarget-batch.jsonl            a line a finished job, the last one of an output counts
OUTPUT_DIR/.retarget/lock                  held while a batch runs
OUTPUT_DIR/.retarget/.holder.json          its process and host
OUTPUT_DIR/.retarget/NAME/report.json      the run's report
OUTPUT_DIR/.retarget/NAME/quality.json     what the report of the batch says of the output
OUTPUT_DIR/.retarget/NAME/lock             held while the job runs, by whichever process does it
OUTPUT_DIR/.retarget/NAME/working.json     the job is being worked on, or was when its process died
OUTPUT_DIR/.retarget/NAME/pieces/          of a long clip, what is encoded so far; gone when the output is there
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

FILE_NAME = "retarget-batch.jsonl"
HIDDEN_FOLDER = ".retarget"

_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))}
)
"""Names that are devices on Windows, in any case and with any suffix."""


def manifest_path(output_dir: Path) -> Path:
    """Where the manifest is."""
    return output_dir / FILE_NAME


def hidden_folder(output_dir: Path) -> Path:
    """Where everything else is that is not an output."""
    return output_dir / HIDDEN_FOLDER


def job_folder(output_dir: Path, name: str) -> Path:
    """The hidden folder of a job; its name is the job's wherever a file system takes that."""
    plain = name not in ("", "lock") and not name.startswith(".") and not set(name) & set('/\\\0:*?"<>|')
    plain = plain and name.partition(".")[0].lower() not in _DEVICES and not name.endswith((".", " "))
    if not plain or len(os.fsencode(name)) > 200:
        kept = "".join(c if c.isalnum() else "_" for c in name)[:40]
        name = f"{kept}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"
    return hidden_folder(output_dir) / name


def report_path(output_dir: Path, name: str) -> Path:
    """Where the report of a job's run is."""
    return job_folder(output_dir, name) / "report.json"


def quality_path(output_dir: Path, name: str) -> Path:
    """Where the quality of a job's output is kept."""
    return job_folder(output_dir, name) / "quality.json"


def pieces_folder(folder: Path) -> Path:
    """Where the pieces of a job's output are kept; `folder` is the job's."""
    return folder / "pieces"
