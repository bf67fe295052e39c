"""Action-unit curves as a picture: one panel for each action unit that moves.

Solid lines are the subject's left (or both sides, where they agree), dashed ones the right.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from retarget.model import action_units
from retarget.model.action_units import ActionUnit

from ..errors import DriverError
from ..files import write_whole
from ..options import RetargetOptions
from ..stream import Progress, no_progress
from ..usage import check_plot
from .curve_reading import Curves, Kind, curves_in
from .drawing import shortened

MOST_PANELS = 12
"""Unless action units are named."""

FULL_WEIGHT = 0.999

COLORS = ("#2f6fde", "#e0662b", "#2a9d63", "#8e56c7", "#c23b5f", "#7a6a3f", "#1c9aa8", "#6b6f76")
LEGEND_CHARACTERS = 44
DOTS_PER_INCH = 130

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


def plot_curves(
    files: Sequence[str | Path],
    output: str | Path,
    *,
    options: RetargetOptions | None = None,
    units: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress[Any] = no_progress,
    note: Callable[[str], None] | None = None,
) -> tuple[str, ...]:
    """Draws the action units of files over seconds into a .png, .pdf or .svg; returns the units drawn.

    A file is a curve (.yaml), a capture (.csv), a clip or picture (its face is tracked), or the report of a
    run, recognised by what is in it. `units`, by any of their names, chooses and orders the panels; without
    them the most active come first, up to 12. `overwrite`, or `options.overwrite`, allows replacing a file. `note`
    is told what was assumed in reading, and what was left out, a line each.

    Raises:
        RetargetError: a file that cannot be read, a name that is no action unit, an output that cannot be.
    """
    options, output = options or RetargetOptions(), Path(output)
    paths = [Path(file) for file in files]
    overwrite = overwrite or options.overwrite
    check_plot(output, paths, units, overwrite=overwrite)
    named = [entries for name in units if (entries := action_units.resolve(name))]
    curves: list[Curves] = []
    for path in paths:
        group = max((c.group for c in curves), default=-1) + 1
        curves += curves_in(path, options, first_group=group, progress=progress)
    if note is not None:
        for text in dict.fromkeys(text for c in curves for text in c.notes):
            note(text)
    panels = _panels(curves, named, paths)
    write_whole(output, _rendered(draw(curves, panels), output.suffix.lower()[1:]), overwrite=overwrite)
    return tuple(panel.unit.name for panel in panels)


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
