"""Looks into the files that jobs name before anything runs: a misspelt action unit is found now, not at night."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from .. import drivers, editorial
from ..errors import RetargetError
from ..options import RetargetOptions
from ..records import Target

if TYPE_CHECKING:
    from ..drivers import Driver, DriverOptions
    from ..editorial import MediaInfo


class InputChecks:
    """What is opened once and serves many jobs: sources, drivers that are text, checkpoints."""

    def __init__(self) -> None:
        self._media: dict[tuple[Path, Fraction], MediaInfo | RetargetError] = {}
        self._drivers: dict[object, RetargetError | None] = {}
        self._checkpoints: dict[Path, RetargetError | None] = {}

    def media(self, path: Path, rate: Fraction) -> MediaInfo:
        """How a file counts; it is opened when this is first asked. `rate` is of sequences, frames per second.

        Raises:
            VideoOpenError: it cannot be used.
        """
        key = (path, rate)
        if key not in self._media:
            try:
                self._media[key] = editorial.probe_media(path, sequence_rate=rate)
            except RetargetError as error:
                self._media[key] = error
        found = self._media[key]
        if isinstance(found, RetargetError):
            raise found
        return found

    def checkpoint_error(self, path: Path) -> RetargetError | None:
        """What is wrong with a checkpoint."""
        if path not in self._checkpoints:
            from retarget.model.checkpoint import load_checkpoint  # torch, for the few who have their own network

            self._checkpoints[path] = error_of(lambda: load_checkpoint(path))
        return self._checkpoints[path]

    def driver_error(self, driver: Path, source: Path, options: RetargetOptions) -> RetargetError | None:
        """What is wrong with a driver that is text; a clip is for its job to look into."""
        play = options.driver_options()
        kind = drivers.kind_of_driver(driver)
        if kind == "capture":
            return self._once((driver, play), lambda: drivers.load_capture(driver, play))
        if kind == "clip":
            return None
        rate = RetargetOptions().sequence_rate
        if _counts_frames(driver):
            try:
                rate = self.media(source, options.sequence_rate).rate
            except RetargetError:
                return None  # the job will fail by its source, which says nothing about the driver

        def load() -> Driver:
            return drivers.load_curves(driver, frame_rate=rate, options=play, load_driver=_load_for_checking)

        return self._once((driver, play, rate), load)

    def _once(self, key: object, load: Callable[[], object]) -> RetargetError | None:
        if key not in self._drivers:
            self._drivers[key] = error_of(load)
        return self._drivers[key]


def error_of(do: Callable[[], object]) -> RetargetError | None:
    """The error of ours that `do` raises."""
    try:
        do()
    except RetargetError as error:
        return error
    return None


def _counts_frames(curves: Path) -> bool:
    """Whether the text has frame numbers or timecode in it, right at one rate and perhaps wrong at another."""
    try:
        text = curves.read_text(encoding="utf-8", errors="replace") if curves.is_file() else ""
    except OSError:
        return False  # the reader of curves says it better
    return re.search(r"\d\s*f\b|\d:\d\d:\d\d[:;]\d\d", text) is not None


@dataclass(frozen=True)
class _Untracked:
    """Stands for a clip that a curve file plays: to check the file, the clip need not be tracked."""

    duration_seconds: float = np.inf
    notes: tuple[str, ...] = ()

    def target(self, seconds: NDArray[np.float64], face: int) -> Target:  # noqa: ARG002 - it asks for nothing
        nothing = np.zeros((len(seconds), action_units.COUNT), np.float32)
        return Target(nothing, nothing, np.zeros(nothing.shape, np.bool_))


def _load_for_checking(path: Path, options: DriverOptions) -> Driver:
    is_capture = drivers.kind_of_driver(path) == "capture"
    return drivers.load_capture(path, options) if is_capture else _Untracked()
