"""What a job depends on, as hashes: while they stay, so does its output."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import drivers, media
from ..errors import VideoOpenError
from ..files import Contents, media_of, suffixes
from ..jobs import Job

if TYPE_CHECKING:
    from ..options import RetargetOptions

_NO_PART_OF_THE_RESULT = ("device", "batch", "overwrite")


def request_hash(job: Job) -> str:
    """A hash of what is asked for by name: files, version, and all options, also those that only say how."""
    read = [job.source, *job.drivers]
    with contextlib.suppress(VideoOpenError):  # the job will say it
        read += _files_of(job.options)
    names = [str(path.absolute()) for path in read]
    return hash_of({"files": names, "options": _plain_options(job.options, by_name=True)})


def content_key(job: Job, contents: Contents) -> str:
    """A hash of all that the output depends on, files by what is in them, not by name.

    Raises:
        RetargetError: a file is missing, cannot be used, or is being written to.
    """
    from retarget.model.checkpoint import default_checkpoint_path  # brings torch

    options = job.options
    source = contents.sha256(job.source)
    rate = options.sequence_rate
    if any(driver.suffix.lower() in suffixes.CURVES for driver in job.drivers):
        with media.open_video(job.source, sequence_rate=rate) as reader:
            rate = rate if reader.info.is_still else reader.info.frame_rate
    driver_hashes = [
        [(file.suffix.lower(), contents.sha256(file)) for file in drivers.files_of_driver(driver, frame_rate=rate)]
        for driver in job.drivers
    ]
    return hash_of(
        {
            "source": (job.source.suffix.lower(), source),
            "drivers": driver_hashes,
            "files": [contents.sha256(path) for path in _files_of(options)],
            "checkpoint": contents.sha256(options.checkpoint or default_checkpoint_path()),
            "options": _plain_options(options, by_name=False),
        }
    )


def hash_of(values: Mapping[str, Any]) -> str:
    """A hash of plain values, in hexadecimal."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def _files_of(options: RetargetOptions) -> list[Path]:
    """Every file that the options lead to."""
    return [file for path in options.files() for file in media_of(path)]


def _plain_options(options: RetargetOptions, *, by_name: bool) -> dict[str, Any]:
    values = asdict(options.with_files(lambda path: path.absolute() if by_name else Path("a file")))
    if not by_name:
        del values["encode"]["threads"]
        for name in _NO_PART_OF_THE_RESULT:
            del values[name]
    return {"version": importlib.metadata.version("retarget"), **values}
