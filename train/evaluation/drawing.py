"""Pictures in a labelled grid, and as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.files import write_whole

from .errors import as_written

_FONT, _TEXT_SCALE, _TEXT_PX = cv2.FONT_HERSHEY_SIMPLEX, 0.45, 18

_LABEL_CHARACTER_PX = 8.5


def draw_grid(
    rows: Sequence[Sequence[NDArray[np.uint8]]],
    *,
    columns: Sequence[str],
    labels: Sequence[str],
    cell_px: int,
) -> NDArray[np.uint8]:
    """RGB pictures (S, S, 3) in a labelled grid on white: `columns` above, `labels` left of the rows.

    A label may have lines; ASCII only, which is what OpenCV's font has.
    """
    left = round(
        max((len(line) for label in labels for line in label.split("\n")), default=0) * _LABEL_CHARACTER_PX
    )
    left = left + 8 if left else 0
    top = _TEXT_PX + 6 if any(columns) else 0
    gap = 2
    height = top + len(rows) * (cell_px + gap)
    width = left + max(len(row) for row in rows) * (cell_px + gap)
    canvas = np.full((height, width, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        y = top + i * (cell_px + gap)
        for j, picture in enumerate(row):
            x = left + j * (cell_px + gap)
            canvas[y : y + cell_px, x : x + cell_px] = _fitted(picture, cell_px)
    for j, text in enumerate(columns):
        shown = text[: int(cell_px / _LABEL_CHARACTER_PX)]
        _write(canvas, shown, left + j * (cell_px + gap) + 2, top - 8)
    for i, label in enumerate(labels):
        y = top + i * (cell_px + gap) + _TEXT_PX
        for line in label.split("\n"):
            _write(canvas, line, 4, y)
            y += _TEXT_PX
    return canvas


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """An RGB picture as PNG; appears when it is whole.

    Raises:
        ReportWriteError: the file system refuses.
    """
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert done, "PNG takes any 8-bit picture"
    with as_written(path):
        write_whole(path, data.tobytes())


def _fitted(picture: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    if picture.shape[0] == size_px:
        return picture
    how = cv2.INTER_AREA if picture.shape[0] > size_px else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size_px, size_px), interpolation=how), np.uint8)


def _write(canvas: NDArray[np.uint8], text: str, x: int, y: int) -> None:
    cv2.putText(canvas, text, (x, y), _FONT, _TEXT_SCALE, (0, 0, 0), 1, cv2.LINE_AA)
