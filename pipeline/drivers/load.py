"""Drivers of every kind from the files they are in: curves, captures, clips and pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..errors import DriverError, OptionError, VideoOpenError
from ..faces import FaceSelection, TrackingCache, clip_series
from ..files import parse_pattern, suffixes
from ..records import ExpressionSeries
from ..smoothing import smooth
from ..stream import Clock, Progress, no_progress
from .capture import read_series
from .curve_file import load_curves
from .driver import Driver, DriverOptions
from .driver_kind import kind_of_driver
from .face_drivers import FaceDrivers
from .measuring import Measuring
from .neutral import neutral_of
from .series import SeriesDriver


@dataclass(frozen=True)
class DriverReader:
    """Reads drivers, all in one way."""

    how: Measuring = field(default_factory=Measuring)
    clock: Clock = field(default_factory=Clock)
    progress: Progress[Any] = no_progress
    cache: TrackingCache | None = None
    """What it has is not tracked."""

    def read(self, path: Path, play: DriverOptions, *, frame_rate: Fraction) -> Driver:
        """Any driver: AU curves (.yaml), a capture (.csv), or a clip or picture whose face is tracked.

        `frame_rate` is the source's: what frame numbers and timecodes in a curve file count at.

        Raises:
            RetargetError: the file cannot be used, or shows no face.
        """
        if kind_of_driver(path) == "curves":
            return load_curves(path, frame_rate=frame_rate, options=play, load_driver=self._measured)
        return self._measured(path, play)

    def picture_expression(self, path: Path) -> NDArray[np.float32]:
        """(C,) float32 expression of the face in a picture (of a clip: its mean), for a neutral.

        A person's number is of another clip, so the largest face is taken.
        """
        series = self._clip_series(path, self.how.faces if self.how.faces.person is None else FaceSelection())
        return np.asarray(series.values.mean(axis=0), np.float32)

    def _measured(self, path: Path, play: DriverOptions) -> Driver:
        if kind_of_driver(path) == "capture":
            if self.how.faces.is_of_person:
                raise OptionError(
                    f"{path}: shows no pictures to know a person by; count its faces: --driver-face 1"
                )
            capture = read_series(path, face=play.face, frame_rate=play.frame_rate)
            return self._series_driver(path, capture.series, play, capture.notes, sees_lips=capture.sees_lips)
        order = self.how.faces
        selection = order if order.index == play.face else FaceSelection(order.order, play.face)
        series = self._clip_series(path, selection, play.frame_rate)
        return self._series_driver(path, series, play, _unused_rate(path, play), sees_lips=True)

    def _clip_series(
        self, path: Path, selection: FaceSelection, frame_rate: Fraction | None = None
    ) -> ExpressionSeries:
        try:
            return clip_series(
                path,
                selection,
                self.how.track,
                sequence_rate=frame_rate or self.how.sequence_rate,
                clock=self.clock,
                progress=self.progress,
                cache=self.cache,
            )
        except VideoOpenError as error:
            if not path.is_file() or path.suffix.lower() in _CLIPS:
                raise
            raise DriverError(f"{path}: is no driver that is known; {_KNOWN}") from error

    def _series_driver(
        self,
        path: Path,
        series: ExpressionSeries,
        play: DriverOptions,
        notes: tuple[str, ...] = (),
        *,
        sees_lips: bool = False,
    ) -> SeriesDriver:
        """A measured series, smoothed, on the source's time."""
        seen = series.confidence > 0  # what a lost face seems to show is no neighbour to smooth with
        values = np.array(series.values, np.float64)
        values[seen] = smooth(values[seen], series.seconds[seen], window_seconds=self.how.smooth_seconds)
        filled = series.filled.copy()
        if not self.how.gaze:
            filled[list(action_units.GAZE)] = False
        within = np.clip(values, 0, 1).astype(np.float32)
        steady = ExpressionSeries(series.seconds, within, filled, series.confidence)
        resting = self._resting(path, steady, play)
        return SeriesDriver(steady, resting, options=play, notes=notes, sees_lips=sees_lips)

    def _resting(self, path: Path, series: ExpressionSeries, play: DriverOptions) -> NDArray[np.float32]:
        if self.how.neutral_picture is not None:
            return self.picture_expression(self.how.neutral_picture)
        try:
            return neutral_of(series, play.neutral)
        except DriverError as error:
            raise DriverError(f"{path}: {error}") from error


_CLIPS = frozenset({*suffixes.FILMS, *suffixes.PICTURES})
_KNOWN = "give a clip, a picture, curves (.yaml) or a capture (.csv, .txt, .json)"


def _unused_rate(path: Path, play: DriverOptions) -> tuple[str, ...]:
    """The note for a rate that a driver with times of its own has no use for."""
    if play.frame_rate is None or parse_pattern(path) is not None:
        return ()
    return (f"{path.name}: plays at its own times; the driver's frame rate is for captures and image sequences",)


def files_of_driver(path: Path, *, frame_rate: Fraction) -> list[Path]:
    """Every file a driver is read from: itself and, for a curve file, the clips and captures it plays.

    `frame_rate` is the source's, as in `DriverReader.read`.

    Raises:
        RetargetError: the curve file cannot be used.
    """
    files = [path]

    def note(file: Path, play: DriverOptions) -> Driver:  # noqa: ARG001 - called as a loader
        files.append(file)
        return FaceDrivers(())

    if kind_of_driver(path) == "curves":
        load_curves(path, frame_rate=frame_rate, load_driver=note)
    return files
