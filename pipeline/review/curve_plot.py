"""Action-unit curves as a picture: what a driver asks, what a clip shows, what a run did.

One panel per action unit that moves. Solid lines are the subject's left (or both sides, where they agree),
dashed ones the right.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.action_units import ActionUnit

from ..drivers import CAPTURE_SUFFIXES, CURVE_SUFFIXES, CurveDriver, Driver, clip_series, load_driver, read_series
from ..errors import DriverError, OptionError
from ..files import MADE_FROM, check_output, check_suffix, write_whole
from ..options import RetargetOptions
from ..records import ExpressionSeries
from ..stream import Progress, no_progress
from .preview import shortened

PLOT_SUFFIXES = (".png", ".pdf", ".svg")
MOST_PANELS = 12
"""Unless action units are named."""

STILL_BELOW = 0.05
"""Measured action units that change less than this do not move: trackers are that noisy at rest."""
ASKED_ABOVE = 0.01
FULL_WEIGHT = 0.999

STEP_SECONDS = 0.01
"""Between the moments a driver is asked at; a blink keyed over two frames has several."""
MOST_SAMPLES = 6000
AFTER_END_SECONDS = 0.5
"""Shown of what follows a driver's end."""

COLORS = ("#2f6fde", "#e0662b", "#2a9d63", "#8e56c7", "#c23b5f", "#7a6a3f", "#1c9aa8", "#6b6f76")
LEGEND_CHARACTERS = 44
DOTS_PER_INCH = 130

Kind = Literal["asked", "measured", "own", "wanted", "v_rel"]
_STYLES: Mapping[Kind, Mapping[str, Any]] = {
    "asked": {"linewidth": 1.8},
    "measured": {"linewidth": 1.4},
    "own": {"linewidth": 1.1, "alpha": 0.45},
    "wanted": {"linewidth": 1.8},
    "v_rel": {"linewidth": 0.9, "alpha": 0.75},
}
_MEANINGS: Mapping[Kind, str] = {
    "asked": "",
    "measured": "",
    "own": "own expression",
    "wanted": "requested",
    "v_rel": "change (v_rel)",
}


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


def plot_curves(
    files: Sequence[str | Path],
    output: str | Path,
    *,
    options: RetargetOptions | None = None,
    units: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress[Any] = no_progress,
) -> tuple[str, ...]:
    """Draws the action units of files over seconds into a .png, .pdf or .svg; returns the units drawn.

    A file is a curve (.yaml), a capture (.csv), a clip or picture (its face is tracked), or the report of a
    run, recognised by what is in it. `units`, by any of their names, chooses and orders the panels; without
    them the most active come first, up to 12. `overwrite`, or `options.overwrite`, allows replacing a file.

    Raises:
        RetargetError: a file that cannot be read, a name that is no action unit, an output that cannot be.
    """
    options, output = options or RetargetOptions(), Path(output)
    paths = [Path(file) for file in files]
    if not paths:
        raise OptionError("no file to plot; give a curve, a capture, a clip or a run's report")
    check_suffix(output, PLOT_SUFFIXES, "a plot")
    check_output(output, inputs=dict.fromkeys(paths, MADE_FROM), overwrite=overwrite or options.overwrite)
    named = [entries for name in units if (entries := action_units.resolve(name))]
    curves: list[Curves] = []
    for path in paths:
        group = max((c.group for c in curves), default=-1) + 1
        curves += load(path, options, first_group=group, progress=progress)
    panels = _panels(curves, named, paths)
    write_whole(output, _rendered(draw(curves, panels), output.suffix.lower()[1:]))
    return tuple(panel.unit.name for panel in panels)


# Reading


def load(
    path: Path, options: RetargetOptions, *, first_group: int = 0, progress: Progress[Any] = no_progress
) -> list[Curves]:
    """The curves in a file of any kind; faces are groups of their own, counted from `first_group`.

    Raises:
        RetargetError: the file cannot be used.
    """
    document = _json_object(path)
    if document is not None and ("details" in document or path.suffix.lower() == ".json"):
        return list(_report_curves(path, document, first_group))
    if path.suffix.lower() in CURVE_SUFFIXES:
        driver = load_driver(path, options, progress=progress)
        return list(_asked_curves(path.name, driver, first_group))
    face = options.driver_faces.index or 0
    if path.suffix.lower() in CAPTURE_SUFFIXES:
        series = read_series(path, face=face).series
    else:
        series = clip_series(path, options, face=face, progress=progress)
    return [_measured_curves(path.name, series, first_group)]


def _json_object(path: Path) -> dict[str, Any] | None:
    """What a file holds if that is a JSON object; None for all else, missing files included."""
    is_named_json = path.suffix.lower() == ".json"
    try:
        with path.open("rb") as file:
            if not is_named_json and not file.read(64).lstrip().startswith(b"{"):
                return None
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        if not is_named_json:
            return None  # whoever reads it will say so
        raise DriverError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    except ValueError as error:
        if not is_named_json:
            return None
        raise DriverError(f"{path}: cannot be read as JSON; give the report of a run") from error
    return document if isinstance(document, dict) else {} if is_named_json else None


def _report_curves(path: Path, document: Mapping[str, Any], first_group: int) -> Iterator[Curves]:
    faces = _report_faces(path, document)
    positions = sorted({int(face["face"]) for face in faces})
    for group, position in enumerate(positions, first_group):
        shots = [face for face in faces if int(face["face"]) == position]
        shots.sort(key=lambda face: float(face["seconds"][0]))
        label = path.name if len(positions) == 1 else f"{path.name} face {position}"
        own, change = (_joined([_table(face, key) for face in shots]) for key in ("own", "v_rel"))
        allowed = _joined([np.array(face["allowed"], np.float64)[:, None] for face in shots], gap=1.0)
        seconds = _joined_seconds([np.array(face["seconds"], np.float64) for face in shots])
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


def _report_faces(path: Path, document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The faces of a report whose curves fit together."""
    details = document.get("details")
    faces = details.get("faces") if isinstance(details, dict) else None
    if not isinstance(faces, list) or not faces:
        raise DriverError(f"{path}: is JSON, but no report of a run with faces; give one that a run wrote")
    for face in faces:
        try:
            count = len(face["seconds"])
            columns = [face["allowed"], *face["own"].values(), *face["v_rel"].values()]
            fits = count > 0 and all(len(column) == count for column in columns)
            fits = fits and set(face["own"]) == set(face["v_rel"]) <= set(action_units.NAMES)
            int(face["face"])
        except (TypeError, KeyError, AttributeError, ValueError):
            fits = False
        if not fits:
            raise DriverError(f"{path}: the report's faces are damaged or of another version; run again")
    return faces


def _table(face: Mapping[str, Any], key: str) -> NDArray[np.float64]:
    """(n, C) of a report's columns, NaN where there is none."""
    out = np.full((len(face["seconds"]), action_units.COUNT), np.nan)
    for name, column in face[key].items():
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
        yield Curves(label, "asked", group, seconds, values, known, weight, additive)


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


# Choosing


@dataclass(frozen=True)
class Panel:
    """One action unit and which of its sides to draw."""

    unit: ActionUnit
    entries: tuple[int, ...]
    """Indices of the vector."""

    @property
    def title(self) -> str:
        """Its name in bold (matplotlib's markup), its meaning, and the side if it is one of two."""
        one_side = len(self.entries) < len(self.unit.entries)
        name = action_units.NAMES[self.entries[0]] if one_side else self.unit.name
        side = {"L": ", left", "R": ", right"}[name[-1]] if one_side else ""
        return rf"$\mathbf{{{name}}}$   {self.unit.meaning}{side}"

    def drawn(self, curve: Curves) -> list[int]:
        """The entries that the curve knows about."""
        return [entry for entry in self.entries if curve.known[entry]]


def _panels(curves: Sequence[Curves], named: Sequence[tuple[int, ...]], paths: Sequence[Path]) -> list[Panel]:
    if named:
        return _named_panels(named)
    activity = np.max([curve.activity() for curve in curves], axis=0)
    ranked = []
    for unit in action_units.ACTION_UNITS:
        entries = tuple(action_units.NAMES.index(entry) for entry in unit.entries)
        ranked.append((float(activity[list(entries)].max()), Panel(unit, entries)))
    ranked.sort(key=lambda pair: -pair[0])
    panels = [panel for amount, panel in ranked if amount > 0][:MOST_PANELS]
    if not panels:
        names = ", ".join(str(path) for path in paths)
        raise DriverError(f"{names}: no action unit moves; name the ones to draw, such as AU12")
    return panels


def _named_panels(named: Sequence[tuple[int, ...]]) -> list[Panel]:
    """A panel per unit in the order of the names; naming both sides one by one makes one panel."""
    chosen: dict[str, tuple[ActionUnit, set[int]]] = {}
    for entries in named:
        unit = next(u for u in action_units.ACTION_UNITS if action_units.NAMES[entries[0]] in u.entries)
        chosen.setdefault(unit.name, (unit, set()))[1].update(entries)
    return [Panel(unit, tuple(sorted(entries))) for unit, entries in chosen.values()]


# Drawing


def draw(curves: Sequence[Curves], panels: Sequence[Panel]) -> Figure:
    """The figure: panels on a grid with shared axes, one legend below."""
    columns = 1 if len(panels) <= 3 else 2 if len(panels) <= 8 else 3
    rows = math.ceil(len(panels) / columns)
    height = 3.6 if len(panels) == 1 else 2.3 if columns == 1 else 1.9
    size = ({1: 9.5, 2: 12.0, 3: 15.0}[columns], rows * height + 0.8)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.07))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    span, low_high = _span(curves), _range(curves, panels)
    for i, (axes, panel) in enumerate(zip(grid, panels, strict=False)):
        for curve in curves:
            _draw_curve(axes, curve, panel, span)
        _dress(axes, panel, span, low_high, is_lowest=i + columns >= len(panels))
        if any(curve.additive[list(panel.entries)].any() for curve in curves):
            axes.text(0.99, 0.95, "added to the performance", transform=axes.transAxes, **_ASIDE)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    handles = _legend(curves, panels)
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(len(handles), 3 if columns == 1 else 6),
        frameon=False,
        fontsize=9,
    )
    return figure


_ASIDE: Mapping[str, Any] = {"ha": "right", "va": "top", "fontsize": 7.5, "color": "#888888", "style": "italic"}


def _span(curves: Sequence[Curves]) -> tuple[float, float]:
    ends = [float(curve.seconds[-1]) for curve in curves if len(curve.seconds) > 1]
    starts = [float(curve.seconds[0]) for curve in curves if len(curve.seconds) > 1]
    return min(starts, default=0.0), max(ends, default=1.0)


def _range(curves: Sequence[Curves], panels: Sequence[Panel]) -> tuple[float, float]:
    """The same for all panels, so that heights compare: 0..1, or -1..1 where something is negative, or more."""
    entries = [entry for panel in panels for entry in panel.entries]
    drawn = np.concatenate([curve.values[:, entries].ravel() for curve in curves])
    drawn = drawn[np.isfinite(drawn)]
    low, high = (float(drawn.min()), float(drawn.max())) if len(drawn) else (0.0, 1.0)
    lowest = 0.0 if low > -0.02 else min(-1.0, low)
    return lowest, max(1.0, high)


def _draw_curve(axes: Axes, curve: Curves, panel: Panel, span: tuple[float, float]) -> None:
    color = COLORS[curve.group % len(COLORS)]
    entries = panel.drawn(curve)
    if entries and curve.kind not in ("own", "wanted"):
        _shade(axes, curve, entries, color)
    for entry, side in _sides(curve, entries):
        values = curve.values[:, entry]
        style = {"color": color, "linestyle": "--" if side == "R" else "-", **_STYLES[curve.kind]}
        if len(curve.seconds) == 1:
            axes.plot(span, [values[0]] * 2, **style)
            continue
        axes.plot(curve.seconds, values, **style)
        if curve.kind == "v_rel":
            axes.fill_between(curve.seconds, values, 0, color=color, alpha=0.12, linewidth=0)


def _sides(curve: Curves, entries: Sequence[int]) -> list[tuple[int, str]]:
    """(entry, "L", "R" or "") to draw; one line where both sides are the same."""
    if len(entries) == 2 and np.allclose(
        curve.values[:, entries[0]], curve.values[:, entries[1]], atol=2e-3, equal_nan=True
    ):
        return [(entries[0], "")]
    sided = [(entry, action_units.NAMES[entry]) for entry in entries]
    return [(entry, name[-1] if name[-1] in "LR" else "") for entry, name in sided]


def _shade(axes: Axes, curve: Curves, entries: Sequence[int], color: str) -> None:
    """The background darker, the less the curve weighs."""
    weight = curve.weight[:, entries].max(axis=1)
    if len(weight) == 1:
        return
    band: dict[str, Any] = {
        "transform": axes.get_xaxis_transform(),
        "color": color,
        "alpha": 0.025,
        "linewidth": 0,
    }
    for most in np.linspace(FULL_WEIGHT, 1 - FULL_WEIGHT, 6):
        axes.fill_between(curve.seconds, 0, 1, where=(weight < most).tolist(), **band)


def _dress(
    axes: Axes, panel: Panel, span: tuple[float, float], low_high: tuple[float, float], *, is_lowest: bool
) -> None:
    low, high = low_high
    axes.set_title(panel.title, loc="left", fontsize=10)
    axes.set_xlim(*span)
    axes.set_ylim(low - 0.03 * (high - low), high + 0.03 * (high - low))
    axes.set_yticks([-1, -0.5, 0, 0.5, 1] if low < 0 else [0, 0.25, 0.5, 0.75, 1])
    axes.grid(color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, color="#bbbbbb", labelbottom=is_lowest)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#bbbbbb")
    if low < 0:
        axes.axhline(0, color="#999999", linewidth=0.8, zorder=0.9)
    if is_lowest:
        axes.set_xlabel("seconds", fontsize=9)


def _legend(curves: Sequence[Curves], panels: Sequence[Panel]) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = []
    for curve in curves:
        meaning = f"  {_MEANINGS[curve.kind]}" if _MEANINGS[curve.kind] else ""
        label = shortened(curve.label, LEGEND_CHARACTERS) + meaning
        style = {**_STYLES[curve.kind], "color": COLORS[curve.group % len(COLORS)]}
        handles.append(Line2D([], [], label=label, **style))
    drawn = [(curve, panel.drawn(curve)) for curve in curves for panel in panels]
    if any(side == "R" for curve, entries in drawn for _, side in _sides(curve, entries)):
        handles.append(Line2D([], [], color="#555555", label="left (the subject's)"))
        handles.append(Line2D([], [], color="#555555", linestyle="--", label="right"))
    if any((curve.weight[:, entries] < FULL_WEIGHT).any() for curve, entries in drawn):
        handles.append(Patch(color="#888888", alpha=0.2, label="weight below 1"))
    return handles


def _rendered(figure: Figure, kind: str) -> bytes:
    data = io.BytesIO()
    # without the date, the same curves give the same file
    metadata: dict[str, Any] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind, {})
    figure.savefig(data, format=kind, dpi=DOTS_PER_INCH, facecolor="white", metadata=metadata)
    return data.getvalue()
