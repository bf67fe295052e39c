"""Action-unit curves out of a file of any kind: what a driver asks, what a clip shows, what a run did."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.plain_json import parse_json

from ..drivers import CurveDriver, Driver, kind_of_driver, read_series
from ..errors import DriverError, ReportError
from ..faces import clip_series
from ..files import check_plain
from ..options import RetargetOptions
from ..records import ExpressionSeries
from ..report import Report, read_report
from ..session import load_driver
from ..stream import Progress, no_progress

STILL_BELOW = 0.05
"""Measured action units that change less than this do not move: trackers are that noisy at rest."""
ASKED_ABOVE = 0.01
"""Requests below this do not count as moving anything."""

STEP_SECONDS = 0.01
"""Between the moments a driver is asked at; a blink keyed over two frames has several."""
MOST_SAMPLES = 6000
AFTER_END_SECONDS = 0.5
"""Shown of what follows a driver's end."""

Kind = Literal["asked", "measured", "own", "wanted", "v_rel"]
"""asked: by a driver. measured: in a clip or capture. own, wanted, v_rel: of a run's report."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Action units over time, all of one kind and from one file and face."""

    label: str
    kind: Kind
    group: int
    """Curves of one group share a colour."""
    seconds: NDArray[np.float64]
    """(n,) increasing; n = 1: a still."""
    values: NDArray[np.float64]
    """(n, C); NaN breaks a line."""
    known: NDArray[np.bool_]
    """(C,) what the file says anything about."""
    weight: NDArray[np.float64]
    """(n, C) in [0, 1]; shaded where below 1."""
    additive: NDArray[np.bool_]
    """(C,) whether the values are added to the performance rather than replacing it."""
    notes: tuple[str, ...] = ()
    """What was assumed in reading the file, and what of it was left out, a line each."""

    def __post_init__(self) -> None:
        shape = (len(self.seconds), action_units.COUNT)
        if self.values.shape != shape or self.weight.shape != shape:
            raise ValueError(
                f"Curves has values {self.values.shape}, weight {self.weight.shape}, expected {shape}"
            )

    def activity(self) -> NDArray[np.float64]:
        """(C,) how much each action unit moves, or is moved; 0 for what does not count as moving."""
        seen = ~np.isnan(self.values) & (self.weight > 0) & self.known
        if self.kind in ("own", "wanted") or not seen.any():
            return np.zeros(action_units.COUNT)
        largest = np.abs(np.where(seen, self.values, 0)).max(axis=0)
        if self.kind == "asked":
            # a request for 0 relaxes the face: it is worth a panel, behind those that ask for something
            return np.where(seen.any(axis=0), np.maximum(largest, ASKED_ABOVE), 0)
        if self.kind == "measured" and len(self.seconds) > 1:
            lowest = np.where(seen, self.values, np.inf).min(axis=0)
            largest = np.where(seen.any(axis=0), largest - lowest, 0)
        return np.where(largest >= (STILL_BELOW if self.kind == "measured" else ASKED_ABOVE), largest, 0)


def curves_in(
    path: Path, options: RetargetOptions, *, first_group: int = 0, progress: Progress[Any] = no_progress
) -> list[Curves]:
    """The curves in a file of any kind; faces are groups of their own, counted from `first_group`.

    Raises:
        RetargetError: the file cannot be used.
    """
    report = _report_in(path)
    if report is not None:
        return list(_report_curves(path, report, first_group))
    kind = kind_of_driver(path)
    if kind == "curves":
        driver = load_driver(path, options, progress=progress)
        return list(_asked_curves(path.name, driver, first_group))
    if kind == "capture":
        file = read_series(path, face=options.driver_faces.index or 0, frame_rate=options.driver_frame_rate)
        return [replace(_measured_curves(path.name, file.series, first_group), notes=file.notes)]
    series = clip_series(
        path,
        options.driver_faces,
        options.track_options(),
        sequence_rate=options.driver_frame_rate or options.sequence_rate,
        progress=progress,
    )
    return [_measured_curves(path.name, series, first_group)]


def _report_in(path: Path) -> Report | None:
    """The report in a file, whatever its name; None for all else. A file named .json is one, or a capture."""
    if path.suffix.lower() == ".json":
        return None if _is_capture(path) else read_report(path)
    try:
        check_plain(path, ReportError)
        with path.open("rb") as file:
            if not file.read(64).lstrip().startswith(b"{"):
                return None
        document = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # whoever reads it will say so
    return read_report(path) if isinstance(document, dict) and "details" in document else None


def _is_capture(path: Path) -> bool:
    try:
        read_series(path)
    except DriverError:
        return False
    return True


def _report_curves(path: Path, report: Report, first_group: int) -> Iterator[Curves]:
    if not report.curves:
        raise ReportError(f"{path}: is JSON, but no report of a run with faces; give one that a run wrote")
    positions = sorted({face.face for face in report.curves})
    for group, position in enumerate(positions, first_group):
        shots = sorted((face for face in report.curves if face.face == position), key=lambda face: face.seconds[0])
        label = path.name if len(positions) == 1 else f"{path.name} face {position}"
        own = _joined([_table(face.own, len(face.seconds)) for face in shots])
        change = _joined([_table(face.v_rel, len(face.seconds)) for face in shots])
        allowed = _joined([np.array(face.allowed, np.float64)[:, None] for face in shots], gap=1.0)
        seconds = _joined_seconds([np.array(face.seconds, np.float64) for face in shots])
        known = np.asarray(~np.isnan(change).all(axis=0), np.bool_)
        weight = np.broadcast_to(allowed, own.shape)
        nothing = np.zeros(action_units.COUNT, np.bool_)
        kinds: tuple[tuple[Kind, NDArray[np.float64]], ...] = (
            ("own", own),
            ("wanted", own + change),
            ("v_rel", change),
        )
        for kind, values in kinds:
            yield Curves(label, kind, group, seconds, values, known, weight, nothing)


def _table(columns: Mapping[str, Sequence[float]], count: int) -> NDArray[np.float64]:
    """(count, C) of a report's columns; NaN for the action units that it leaves out."""
    out = np.full((count, action_units.COUNT), np.nan)
    for name, column in columns.items():
        out[:, action_units.NAMES.index(name)] = column
    return out


def _joined(tables: Sequence[NDArray[np.float64]], gap: float = np.nan) -> NDArray[np.float64]:
    """The tables one after the other, with a row of `gap` between."""
    row = np.full((1, tables[0].shape[1]), gap)
    parts = [part for table in tables for part in (row, table)]
    return np.concatenate(parts[1:])


def _joined_seconds(times: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Likewise; the rows between lie just behind the part before."""
    parts = [times[0]]
    for later in times[1:]:
        parts += [parts[-1][-1:] + 1e-6, later]
    return np.concatenate(parts)


def _asked_curves(name: str, driver: Driver, first_group: int) -> Iterator[Curves]:
    """What a driver asks of each face it has something of its own for, or of any."""
    faces: dict[int, str] = {0: name}
    if isinstance(driver, CurveDriver) and driver.faces:
        faces = {face: f"{name} face {face}" for face in sorted(driver.faces)}
        if driver.everyone is not None:
            faces[max(faces) + 1] = f"{name} other faces"
    end = driver.duration_seconds
    end = 1.0 if not math.isfinite(end) or end <= 0 else end + AFTER_END_SECONDS
    seconds = np.linspace(0, end, min(MOST_SAMPLES, math.ceil(end / STEP_SECONDS) + 1))
    for group, (face, label) in enumerate(faces.items(), first_group):
        target = driver.target(seconds, face)
        weight = target.weight.astype(np.float64)
        known = np.asarray(weight.any(axis=0), np.bool_)
        values = np.where(weight > 0, target.values, np.nan).astype(np.float64)
        additive = np.asarray((target.additive & (weight > 0)).any(axis=0), np.bool_)
        yield Curves(label, "asked", group, seconds, values, known, weight, additive, driver.notes)


def _measured_curves(name: str, series: ExpressionSeries, group: int) -> Curves:
    """A series as it is; a line breaks where the face is not seen for a while."""
    seconds, values = series.seconds, series.values.astype(np.float64)
    values[series.confidence <= 0] = np.nan
    steps = np.diff(seconds)
    breaks = np.flatnonzero(steps > 3 * np.median(steps)) + 1 if len(steps) else np.zeros(0, np.intp)
    seconds = np.insert(seconds, breaks, seconds[breaks - 1] + 1e-6)
    values = np.insert(values, breaks, np.nan, axis=0)
    none = np.zeros(action_units.COUNT, np.bool_)
    return Curves(name, "measured", group, seconds, values, series.filled, np.ones_like(values), none)
