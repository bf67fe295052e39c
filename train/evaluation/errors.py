"""What can go wrong with an evaluation that its user can mend."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from retarget.model.errors import RetargetError


class EvaluationError(RetargetError, ValueError):
    """An evaluation that cannot be made, or would say nothing."""


class ReportWriteError(RetargetError, OSError):
    """The report's folder or disk refuses a file."""

    exit_code = 1


@contextlib.contextmanager
def as_written(path: Path) -> Iterator[None]:
    """What the file system refuses becomes a ReportWriteError that names `path`."""
    try:
        yield
    except OSError as error:
        raise ReportWriteError(
            f"{path}: the report cannot be written ({error.strerror or error}); check the folder and the disk's "
            "free space"
        ) from error
