"""Text and lines on pictures, and pictures fitted into one another. All RGB, drawn on in place."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
"""(h, w, 3) uint8 RGB."""
Ink = tuple[int, int, int]
"""RGB, 0 to 255."""

PAPER: Ink = (27, 28, 31)
BLANK: Ink = (40, 42, 46)
TEXT: Ink = (232, 232, 232)
FAINT: Ink = (150, 152, 156)


def blank(size: tuple[int, int], color: Ink = BLANK) -> Rgb:
    """A picture (width, height) of one colour."""
    return np.full((size[1], size[0], 3), color, np.uint8)


def resized(picture: Rgb, size: tuple[int, int]) -> Rgb:
    """The picture stretched to (width, height); the very same if it has that size."""
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    shrinks = size[0] < picture.shape[1]
    return np.asarray(
        cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), np.uint8
    )


def fitted(picture: Rgb, size: tuple[int, int]) -> Rgb:
    """The picture as large as it fits into (width, height), in the middle."""
    height, width = picture.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    return centred(resized(picture, (max(1, round(width * scale)), max(1, round(height * scale)))), size)


def centred(picture: Rgb, size: tuple[int, int], color: Ink = BLANK) -> Rgb:
    """The picture as it is, in the middle of a ground of (width, height)."""
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    out = blank(size, color)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    out[top : top + height, left : left + width] = picture
    return out


def write(picture: Rgb, text: str, at: tuple[int, int], *, scale: float = 0.45, color: Ink = TEXT) -> None:
    """Text whose baseline starts at (x, y)."""
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, color, 1, cv2.LINE_AA)


def text_width_px(text: str, scale: float) -> int:
    """How wide `write` makes a text."""
    return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0])


def write_block(picture: Rgb, lines: Sequence[str]) -> None:
    """Lines on a darkened ground in the upper left, sized by the picture."""
    if not lines:
        return
    scale = float(np.clip(picture.shape[0] / 900, 0.36, 0.9))
    pitch = round(36 * scale) + 1
    width = max(text_width_px(line, scale) for line in lines) + 10
    ground = picture[: pitch * len(lines) + 6, :width]
    ground[:] = ground // 3
    for i, line in enumerate(lines):
        write(picture, line, (5, pitch * (i + 1) - pitch // 5), scale=scale)


def shortened(text: str, limit: int) -> str:
    """The text, or its beginning and end around an ellipsis, in at most `limit` characters."""
    if len(text) <= limit:
        return text
    end = (limit - 1) // 2
    return f"{text[: limit - 1 - end]}…{text[len(text) - end :]}"
