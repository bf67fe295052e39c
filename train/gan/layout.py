"""The folder that a run lives in, and what can be wrong with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from retarget.model.errors import CheckpointError, RetargetError

STATE = "state.pt"
CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"
OPTIONS = "options.yaml"
LOG = "log.jsonl"
SAMPLES = "samples"


class TrainingError(RetargetError, RuntimeError):
    """Training cannot go on."""

    exit_code = 1


def check_folder(folder: Path, *, resume: bool) -> None:
    """
    Raises:
        RetargetError: a run is in it already and is not to be resumed, or the other way round, or it is a file.
    """
    path = folder / STATE
    if folder.exists() and not folder.is_dir():
        raise RetargetError(f"{folder}: is a file; name a folder for the run")
    if resume and not path.is_file():
        raise RetargetError(f"{path} does not exist; there is nothing to resume, leave out --resume")
    if not resume and path.exists():
        raise RetargetError(f"{folder}: holds a run already; go on with --resume, or name another folder")


@contextlib.contextmanager
def written(path: Path) -> Iterator[None]:
    """Says in a line what goes wrong while something is written there.

    Raises:
        TrainingError: the file system refuses.
    """
    try:
        yield
    except TrainingError:
        raise
    except (OSError, RuntimeError, CheckpointError) as error:  # torch reports a full disk as RuntimeError
        reason = " ".join(str(error).split())[:160]
        raise TrainingError(f"{path}: cannot be written ({reason}); the last good state is kept") from error
