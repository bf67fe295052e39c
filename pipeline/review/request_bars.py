"""What a driver without pictures asks at one moment, as bars."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..records import Target
from .drawing import FAINT, Ink, Rgb, blank, write
from .moments import strongest

BAR: Ink = (86, 156, 240)
NEGATIVE_BAR: Ink = (240, 120, 90)
GROOVE: Ink = (58, 61, 66)
"""What a bar lies in: as long as a request of 1."""

PITCH_PX = 24
"""From bar to bar."""


def draw_bars(target: Target, delta_au: NDArray[np.float32] | None, size: tuple[int, int]) -> Rgb:
    """The strongest requests of one moment as bars; "+0.30" is added to the performance, "0.30" replaces it.

    Args:
        target: one moment. delta_au: (C,) what becomes of it, so that relaxing to 0 is listed too.
        size: (width, height).
    """
    width, height = size
    picture = blank(size)
    value, weight = target.values[0] * target.weight[0], target.weight[0]
    asked = np.abs(value) if delta_au is None else np.maximum(np.abs(value), np.abs(delta_au) * (weight > 0))
    rows = strongest(asked, max(1, (height - 16) // PITCH_PX), floor=0.02)
    if not rows:
        write(picture, "asks nothing", (14, height // 2 + 5), color=FAINT)
    for i, (name, _) in enumerate(rows):
        columns = list(action_units.resolve(name))
        amount, additive = float(value[columns].mean()), bool(target.additive[0, columns[0]])
        y = (height - PITCH_PX * len(rows)) // 2 + PITCH_PX * i
        _draw_bar(picture, name, amount, f"{amount:+.2f}" if additive else f"{amount:.2f}", y, width)
    return picture


def _draw_bar(picture: Rgb, name: str, amount: float, shown: str, y: int, width: int) -> None:
    left, right = 76, width - 60
    write(picture, name.replace("MouthShift", "shift"), (12, y + 17))
    cv2.rectangle(picture, (left, y + 6), (right, y + 17), GROOVE, -1)
    length = round(min(abs(amount), 1.0) * (right - left))
    if length:
        color = BAR if amount > 0 else NEGATIVE_BAR
        cv2.rectangle(picture, (left, y + 6), (left + length, y + 17), color, -1)
    write(picture, shown, (right + 8, y + 17))
