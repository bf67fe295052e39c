"""From videos and pictures to a dataset of aligned crops: the pipeline's own tracker, crop and action units.

Every input is measured by itself, in one of many processes, and leaves its crops and one file under `parts/`; at
the end the parts become one table.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from retarget.model.errors import RetargetError
from retarget.pipeline.errors import OptionError
from retarget.pipeline.stream import Progress, no_progress

from ..data import ABOUT_FILE
from .finish import finish
from .labels import find_labels
from .options import PrepareOptions
from .parts import PARTS_FOLDER, Task, tasks_of
from .report import PrepareReport
from .sources import find_sources
from .workers import run


def prepare_dataset(
    inputs: Sequence[Path],
    output: Path,
    options: PrepareOptions | None = None,
    *,
    progress: Progress[None] = no_progress,
) -> PrepareReport:
    """Makes the dataset `output` (a folder) of the faces in videos, pictures, folders and lists.

    A run that was stopped goes on where it was; what has not changed since is not measured again. The result does
    not depend on the number of processes. More than one (`options.jobs`) are started anew, so a script that calls
    this needs its `if __name__ == "__main__":`.

    Args:
        progress: is given one item per input, as it is done.

    Raises:
        RetargetError: an input or option cannot be used, or no face is found; or (exit code 1) the disk is full,
            and what was done is kept.
    """
    options = options or PrepareOptions()
    _check_output(output)
    sources = find_sources(inputs, leave_out=output)
    openface = find_labels(options.openface) if options.openface else None
    tasks = tasks_of(sources, output, options)
    try:
        (output / PARTS_FOLDER).mkdir(parents=True, exist_ok=True)
        waiting = [task for task in tasks if not task.part.exists()]
        if waiting:
            (output / ABOUT_FILE).unlink(missing_ok=True)  # not whole until it is written again
        for _ in progress(_finished(tasks, waiting, options.jobs), "prepare", len(sources)):
            pass
        reused = len(sources) - sum(len(task.sources) for task in waiting)
        return finish(sources, tasks, output, options, openface, reused)
    except OSError as error:
        if isinstance(error, RetargetError):
            raise
        raise _stopped(output, f"{error.strerror or error}; free some space or check the folder") from error
    except BrokenProcessPool as error:
        raise _stopped(output, "a process ended by itself, perhaps for lack of memory; use fewer jobs") from error


def _check_output(output: Path) -> None:
    """Refuses a folder that holds anything but an earlier run's work."""
    if output.exists() and not output.is_dir():
        raise OptionError(f"{output}: is a file; name a folder for the dataset")
    if output.is_dir() and not (output / PARTS_FOLDER).is_dir() and any(output.iterdir()):
        raise OptionError(f"{output}: holds other files; name a new folder for the dataset")


def _finished(tasks: Sequence[Task], waiting: Sequence[Task], jobs: int) -> Iterator[None]:
    """An item for each input that is done; first those of earlier runs."""
    done = len(tasks) and sum(len(task.sources) for task in tasks) - sum(len(task.sources) for task in waiting)
    yield from [None] * done
    with contextlib.closing(run(waiting, jobs)) as finished:
        for task in finished:
            yield from [None] * len(task.sources)


def _stopped(output: Path, reason: str) -> RetargetError:
    error = RetargetError(f"{output}: stopped ({reason}, then run the same command: it goes on from there)")
    error.exit_code = 1
    return error
