"""The contact sheet: a column for each moment; source, driver and result in rows, small faces enlarged as well."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..edit import EditedFrame
from .artist import Artist
from .drawing import FAINT, PAPER, TEXT, Rgb, blank, centred, text_width_px, write
from .moments import strongest

CELL_AREA_PX = 320 * 240
"""Of one picture on the sheet; its sides follow from the source's aspect."""
LEAST_COLUMN_PX = 220
MOST_FACE_PX = 300
"""Side of an enlarged face."""
MARGIN_PX = 12
LABELS_PX = 72
HEADER_PX = 44
CAPTION_PX = 82

SMALL_FACE_FRACTION = 1 / 3
"""Of the picture's height: smaller faces are shown enlarged as well."""


@dataclass(frozen=True, eq=False)
class _Column:
    """One moment on the sheet."""

    seconds: float
    pictures: tuple[Rgb, Rgb, Rgb]
    """Source, driver, result."""
    face_pictures: tuple[Rgb, Rgb]
    """Source and result, enlarged."""
    face_fraction: float
    """Of the shown face's size to the picture's height; 0 without one."""
    face: str
    """Which face's it is, where there are several."""
    units: tuple[str, ...]
    """Its strongest relative action units."""


class ContactSheet:
    """A sheet that grows by a column a moment. Holds a few small pictures of each."""

    def __init__(self, artist: Artist, heading: str) -> None:
        self._artist, self._heading = artist, heading
        self._columns: list[_Column] = []
        aspect = artist.info.display_width / artist.info.display_height
        width = round(np.sqrt(CELL_AREA_PX * np.clip(aspect, 0.3, 4)))
        self._cell = (width, max(1, round(width / aspect)))
        self._column_px = max(width, LEAST_COLUMN_PX)
        self._face_px = min(self._column_px, MOST_FACE_PX)

    @property
    def seconds(self) -> list[float]:
        """Of each column, from the source's first frame."""
        return [column.seconds for column in self._columns]

    def add(self, edited: EditedFrame) -> None:
        """One more column; keeps its small pictures only."""
        artist, faces = self._artist, self._artist.faces(edited.source)
        side = self._face_px
        enlarged = (blank((side, side)),) * 2
        if faces:
            enlarged = (
                artist.source_face(edited, faces[0], side),
                artist.result_face(edited, faces[0], side),
            )
        self._columns.append(
            _Column(
                seconds=artist.seconds(edited.source),
                pictures=(
                    artist.source(edited, self._cell),
                    artist.driver_picture(edited, self._cell),
                    artist.result(edited, self._cell),
                ),
                face_pictures=enlarged,
                face_fraction=faces[0].size_px / artist.info.display_height if faces else 0.0,
                face=f"face {faces[0].plan.position}" if faces and artist.shows_several else "",
                units=tuple(f"{n} {v:+.2f}" for n, v in strongest(faces[0].delta_au, 4)) if faces else (),
            )
        )

    def picture(self) -> Rgb:
        """The sheet so far."""
        rows = self._rows()
        top = HEADER_PX + sum(height + MARGIN_PX for _, height, _ in rows)
        width = LABELS_PX + (self._column_px + MARGIN_PX) * len(self._columns)
        sheet = blank((width, top + CAPTION_PX), PAPER)
        write(sheet, self._heading, (MARGIN_PX, 28), scale=0.55)
        y = HEADER_PX
        for label, height, pictures in rows:
            write(sheet, label, (MARGIN_PX, y + height // 2 + 5), color=FAINT)
            for i, picture in enumerate(pictures):
                x = self._left(i)
                sheet[y : y + height, x : x + self._column_px] = centred(picture, (self._column_px, height), PAPER)
            y += height + MARGIN_PX
        for i, column in enumerate(self._columns):
            self._write_caption(sheet, column, self._left(i), y)
        return sheet

    def _left(self, i: int) -> int:
        return LABELS_PX + (self._column_px + MARGIN_PX) * i

    def _rows(self) -> list[tuple[str, int, list[Rgb]]]:
        """(label, height, a picture per column)."""
        rows = [
            (label, self._cell[1], [column.pictures[k] for column in self._columns])
            for k, label in enumerate(("source", "driver", "result"))
        ]
        seen = [column.face_fraction for column in self._columns if column.face_fraction > 0]
        if seen and np.median(seen) < SMALL_FACE_FRACTION:
            rows += [
                (label, self._face_px, [column.face_pictures[k] for column in self._columns])
                for k, label in enumerate(("source", "result"))
            ]
        return rows

    def _write_caption(self, sheet: Rgb, column: _Column, x: int, y: int) -> None:
        lines = [
            f"{column.seconds:.2f} s   {column.face}".rstrip(),
            "   ".join(column.units[:2]),
            "   ".join(column.units[2:]),
        ]
        if not column.units:
            lines[1] = "unchanged"
        for i, line in enumerate(lines):
            left = x + (self._column_px - text_width_px(line, 0.5 if i == 0 else 0.45)) // 2
            color = TEXT if i == 0 else FAINT
            write(sheet, line, (left, y + 16 + 23 * i), scale=0.5 if i == 0 else 0.45, color=color)


def encoded(sheet: Rgb, path: Path) -> bytes:
    """The sheet as the file that the path's suffix names: PNG, else JPEG."""
    suffix = ".png" if path.suffix.lower() == ".png" else ".jpg"
    settings = [cv2.IMWRITE_JPEG_QUALITY, 92] if suffix == ".jpg" else []
    done, data = cv2.imencode(suffix, cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), settings)
    assert done, "a picture of a valid size and suffix"
    return bytes(data)
