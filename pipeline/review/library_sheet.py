"""The sheet of a library: a row a person with the frames that show most, and what no frame shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .drawing import FAINT, TEXT, Rgb, shortened
from .page import COLORS, Page

if TYPE_CHECKING:
    from .library import Holding, Library

WIDTH_PX = 1280
MARGIN_PX = 32
HEADER_PX = 72
SHOWN_PX = 184
STEP_PX = 206
LINE_PX = 22
ROW_PX = 40 + SHOWN_PX + 44


class LibrarySheet:
    """What is there of whom, drawn."""

    def __init__(self, library: Library, pictures: Mapping[tuple[int, int], Rgb]) -> None:
        """`pictures`: by number of the person and place among its extremes, square."""
        self._library, self._pictures = library, pictures

    def picture(self) -> Rgb:
        """(h, 1280, 3) uint8 RGB."""
        tops, top = [], HEADER_PX
        for person in self._library.persons:
            tops.append(top)
            top += ROW_PX + LINE_PX * max(1, len(person.lacks)) + 24
        page = Page(WIDTH_PX, top + 8)
        page.text(MARGIN_PX, 44, "What there is to borrow from", 22, bold=True)
        page.text(WIDTH_PX - MARGIN_PX, 44, self._library.headline, 14, color=FAINT, align="right")
        for person, at in zip(self._library.persons, tops, strict=True):
            self._draw(page, person, at)
        return page.pixels()

    def _draw(self, page: Page, person: Holding, top: int) -> None:
        from .library import shown

        color = COLORS[(person.number - 1) % len(COLORS)]
        page.line(MARGIN_PX, top, WIDTH_PX - MARGIN_PX)
        page.text(MARGIN_PX, top + 28, f"person {person.number}", 18, bold=True, color=color)
        files = shortened(f"{person.frames} frames in {', '.join(person.files)}", 110)
        page.text(MARGIN_PX + 130, top + 28, files, 14, color=FAINT)
        for place, extreme in enumerate(person.extremes):
            x, y = MARGIN_PX + place * STEP_PX, top + 40
            page.image(x, y, SHOWN_PX, self._pictures[person.number, place])
            page.text(x, y + SHOWN_PX + 18, f"{extreme.what}  {shown(extreme)}", 13)
            where = f"{shortened(extreme.file.rpartition('/')[2], 20)} {extreme.seconds:.2f} s"
            page.text(x, y + SHOWN_PX + 35, where, 11, color=FAINT)
        for i, line in enumerate(person.lacks or ("lacks nothing",)):
            ink = color if person.lacks else TEXT
            page.text(MARGIN_PX, top + ROW_PX + 18 + LINE_PX * i, line, 14, color=ink)
