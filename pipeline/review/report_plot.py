"""The plot of a clip on the report page, as coordinates: edit and residual over frames, flagged ranges shaded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .quality import ClipQuality, MarkerColor

WIDTH, HEIGHT = 720, 150
LEFT, RIGHT = 34, WIDTH - 8
TOP, BOTTOM = 8, HEIGHT - 20
"""The axes' ends, in the units of the drawing, as all coordinates are; y counts downwards."""

LEAST_SHADE = 1.5
"""Width of the shade of a single frame in a long clip."""
MOST_POINTS = 480
"""Of a curve; of more frames the highest in each bin is drawn, so that no peak is lost."""


@dataclass(frozen=True)
class Shade:
    """A flagged range."""

    x: float
    width: float
    color: MarkerColor


@dataclass(frozen=True)
class Level:
    """A line across, with its value."""

    value: float
    y: float


@dataclass(frozen=True)
class Plot:
    """What the template draws."""

    shades: tuple[Shade, ...]
    levels: tuple[Level, ...]
    edit: str
    """SVG path data."""
    residual: str
    """Likewise."""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


def plot_of(quality: ClipQuality) -> Plot:
    """The plot of a clip that was read."""
    count = len(quality.seconds)
    known = [value for value in (*quality.edit, *quality.residual) if math.isfinite(value)]
    highest = max(0.5, math.ceil(max(known, default=0) * 2) / 2)

    def x(frame: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * frame / count, 1)

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * value / highest, 1)

    def path(values: Sequence[float]) -> str:
        return _path([(x(at + 0.5), y(value)) for at, value in thinned(values)])

    def shade(first: int, last: int, color: MarkerColor) -> Shade:
        return Shade(x(first), round(max(LEAST_SHADE, x(last + 1) - x(first)), 1), color)

    return Plot(
        shades=tuple(shade(flag.first_frame, flag.last_frame, flag.color) for flag in quality.flags),
        levels=tuple(Level(value, y(value)) for value in (0, highest / 2, highest)),
        edit=path(quality.edit),
        residual=path(quality.residual),
    )


def thinned(values: Sequence[float]) -> list[tuple[float, float]]:
    """(frame, value) of at most `MOST_POINTS`, the highest of each bin; NaN where a bin has none."""
    if len(values) <= MOST_POINTS:
        return list(enumerate(values))
    series = np.array(values, np.float64)
    bins = np.array_split(np.arange(len(series)), MOST_POINTS)
    highest = [bin_[int(np.argmax(np.nan_to_num(series[bin_], nan=-np.inf)))] for bin_ in bins]
    return [(float(at), float(series[at])) for at in highest]


def _path(points: Sequence[tuple[float, float]]) -> str:
    """SVG path data; NaN breaks the line."""
    out, pen_up = [], True
    for i, (x, y) in enumerate(points):
        if math.isnan(y):
            pen_up = True
            continue
        alone = pen_up and (i + 1 == len(points) or math.isnan(points[i + 1][1]))
        out.append(f"{'M' if pen_up else 'L'}{x:g} {y:g}" + ("h.5" if alone else ""))
        pen_up = False
    return "".join(out)
