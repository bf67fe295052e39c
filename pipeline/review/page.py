"""A page to draw words and pictures on, as sheets of people are."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from .drawing import BLANK, PAPER, TEXT, Ink, Rgb

COLORS = ("#6ea8fe", "#f2a65a", "#6fcf97", "#c792ea", "#f07178", "#d8c26a", "#5cc8d7", "#b0b4ba")
"""Of people, in turn."""


class Page:
    """A ground to draw on, in pixels from the upper left."""

    _DPI = 100

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._figure = Figure(figsize=(width / self._DPI, height / self._DPI), dpi=self._DPI)
        self._figure.patch.set_facecolor(_hex(PAPER))
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._axes.set_xlim(0, width)
        self._axes.set_ylim(height, 0)

    def text(
        self, x: float, y: float, words: str, size: float, *, color: Ink | str = TEXT, bold: bool = False,
        align: str = "left",
    ) -> None:  # fmt: skip
        """Words whose baseline begins (or ends) at (x, y), `size` px high."""
        self._axes.text(
            x, y, words, fontsize=size * 72 / self._DPI, color=_hex(color), ha=align, va="baseline",
            weight="bold" if bold else "normal", parse_math=False,
        )  # fmt: skip

    def image(self, x: float, y: float, side: float, picture: Rgb) -> None:
        """A picture with round corners in the square at (x, y)."""
        shown = self._axes.imshow(picture, extent=(x, x + side, y + side, y), interpolation="lanczos", zorder=2)
        self._axes.set_xlim(0, self._size[0])
        self._axes.set_ylim(self._size[1], 0)
        self._axes.set_aspect("auto")
        outline = FancyBboxPatch(
            (x, y), side, side, boxstyle="round,pad=0,rounding_size=8", transform=self._axes.transData
        )
        shown.set_clip_path(outline)

    def box(self, x: float, y: float, width: float, height: float, color: Ink | str) -> None:
        """A filled rectangle."""
        self._axes.add_patch(Rectangle((x, y), width, height, facecolor=_hex(color), linewidth=0))

    def line(self, x: float, y: float, right: float) -> None:
        """A thin line across."""
        self.box(x, y, right - x, 1, BLANK)

    def pixels(self) -> Rgb:
        """(h, w, 3) uint8."""
        canvas: Any = FigureCanvasAgg(self._figure)
        canvas.draw()
        return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _hex(color: Ink | str) -> str:
    return color if isinstance(color, str) else "#{:02x}{:02x}{:02x}".format(*color)
