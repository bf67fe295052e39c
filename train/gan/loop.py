"""Training: build, resume, loop."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from retarget.model.checkpoint import default_checkpoint_path
from retarget.model.device import device_named
from retarget.model.errors import RetargetError

from ..data import Dataset, DatasetError
from .fitted import FittedGeometry, geometry_of
from .layout import CHECKPOINT, check_folder
from .options import TrainOptions
from .parallel import any_of, joined
from .resuming import resumed_geometry, resumed_origin
from .run import Run
from .state import load_state
from .warm_start import WarmStart

End = Literal["finished", "out of time", "terminated"]


@dataclass(frozen=True)
class TrainResult:
    """How a run ended."""

    end: End
    step: int
    """Generator steps done, over all resumes."""
    seconds: float
    """Of this session."""
    checkpoint: Path


def train(
    options: TrainOptions,
    dataset: Dataset,
    folder: Path,
    *,
    geometry: FittedGeometry | None = None,
    start: WarmStart | None = None,
    device: str = "auto",
    resume: bool = False,
    max_minutes: float = math.inf,
    quiet: bool = False,
) -> TrainResult:
    """Trains as the options say and leaves checkpoint, state, log and samples in `folder`.

    Under torchrun the processes share each batch. SIGTERM saves and ends the run, so call it in the main thread.

    Args:
        geometry: part of a motion generator; tells every run which landmarks mirror which. None: that of the run
            to resume, else of the checkpoint to start from, else of the package.
        start: weights to begin with, in place of chance.
        device: "auto" (CUDA where there is one), "cpu", "cuda", "cuda:1".
        resume: go on with the run in the folder, exactly as if it had not been interrupted (bit for bit on a CPU);
            on the same data, with the same geometry.
        max_minutes: then save and stop, with `end` "out of time".
        quiet: no progress bar.

    Raises:
        RetargetError: the dataset, the folder or the state to resume does not fit.
        DatasetError: a crop cannot be read; what was learnt until then is saved.
        TrainingError: a loss is not finite, or the disk is full; the checkpoint and state of before are kept.
    """
    check_folder(folder, resume=resume)
    where = device_named(device)
    with joined(where) as group:
        if group.world > options.data.batch:
            raise RetargetError(
                f"{group.world} processes cannot share {options.data.batch} pictures; raise data.batch, or start "
                "fewer processes"
            )
        state, origin = None, None
        if resume:
            state = load_state(folder)
            geometry, origin = resumed_geometry(state, folder, geometry), resumed_origin(state, folder, start)
        known = geometry or (start.geometry if start else None) or geometry_of(default_checkpoint_path())
        run = Run.build(
            options, dataset, folder, known, where, group, start=None if resume else start, origin=origin
        )
        run.prepare_folder(state)
        started = time.monotonic()
        with _until(max_minutes) as stop, contextlib.closing(run.batches()) as batches:
            end: End = "finished"
            for step in run.steps(quiet=quiet):
                try:
                    scores = run.advance(step, batches)
                except DatasetError:
                    run.save()
                    raise
                run.maintain(scores)
                reason = stop()
                if any_of(reason is not None, group, where):
                    end = reason or "terminated"
                    break
            run.save()
        return TrainResult(end, run.step, time.monotonic() - started, folder / CHECKPOINT)


@contextlib.contextmanager
def _until(max_minutes: float) -> Iterator[Callable[[], End | None]]:
    """A function that says why to stop, if it is time: SIGTERM has come, or the minutes are over."""
    deadline = time.monotonic() + 60 * max_minutes
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    try:
        yield lambda: "terminated" if told else "out of time" if time.monotonic() > deadline else None
    finally:
        signal.signal(signal.SIGTERM, before)
