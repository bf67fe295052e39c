"""The sheet of `retarget faces`: a row a person with portraits and when they are seen; who flits by, small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .drawing import BLANK, FAINT, TEXT, Rgb, shortened
from .page import COLORS, Page

if TYPE_CHECKING:
    from .people import People, PersonInClip

WIDTH_PX = 1280
MARGIN_PX = 32
HEADER_PX = 104
PORTRAIT_PX = 168
ROW_PX = 212
TEXT_X = MARGIN_PX + PORTRAIT_PX + 24
SHOTS_X = 516
SHOT_PX = 104
SHOT_STEP = 122
MOST_SHOTS = 6
SMALL_PX = 84
SMALL_STEP = 112
SMALL_ROW_PX = 128
BAR_PX = 12

MOST_ROWS = 30
"""People with a row; the others stand small below."""
MOST_SMALL = 100
MOMENT_SECONDS = 0.5
"""Who is seen for less (and less than a tenth of the clip) has no row."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """A person in a shot."""

    number: int
    """Of the person, from 1."""
    shot: int
    seconds: float
    """When that was, from the clip's first frame."""
    picture: Rgb
    """Square."""


class PeopleSheet:
    """Who is in a clip, drawn."""

    def __init__(self, people: People, portraits: Sequence[Portrait]) -> None:
        self._people = people
        self._portraits: dict[int, list[Portrait]] = {}
        for portrait in portraits:
            self._portraits.setdefault(portrait.number, []).append(portrait)
        briefest = min(MOMENT_SECONDS, people.seconds / 10)
        self._rows = [person for person in people.persons if person.seconds >= briefest][:MOST_ROWS]
        self._rows = self._rows or list(people.persons[:1])
        self._others = people.persons[len(self._rows) :]

    def picture(self) -> Rgb:
        """(h, 1280, 3) uint8 RGB."""
        lines = -(-min(len(self._others), MOST_SMALL) // self._small_columns)
        below = 52 + lines * SMALL_ROW_PX if self._others else 0
        height = HEADER_PX + len(self._rows) * ROW_PX + below + 8
        page = Page(WIDTH_PX, height)
        self._draw_header(page)
        for i, person in enumerate(self._rows):
            self._draw_row(page, person, HEADER_PX + i * ROW_PX)
        if self._others:
            self._draw_others(page, HEADER_PX + len(self._rows) * ROW_PX)
        return page.pixels()

    @property
    def _small_columns(self) -> int:
        return (WIDTH_PX - 2 * MARGIN_PX + SMALL_STEP - SMALL_PX) // SMALL_STEP

    def _draw_header(self, page: Page) -> None:
        people = self._people
        name, _, facts = people.headline.partition(": ")
        page.text(MARGIN_PX, 44, shortened(name, 70), 22, bold=True)
        page.text(MARGIN_PX, 74, f"{people.width}×{people.height}, {facts}", 14, color=FAINT)
        page.text(WIDTH_PX - MARGIN_PX, 74, "choose one with  --face person:1", 14, color=FAINT, align="right")
        page.line(MARGIN_PX, HEADER_PX - 10, WIDTH_PX - MARGIN_PX)

    def _draw_row(self, page: Page, person: PersonInClip, top: int) -> None:
        color, first = COLORS[(person.number - 1) % len(COLORS)], top + 12
        page.image(MARGIN_PX, first, PORTRAIT_PX, self._portrait(person).picture)
        page.text(TEXT_X, first + 24, f"person:{person.number}", 20, bold=True, color=color)
        for i, line in enumerate(_facts(person)):
            page.text(TEXT_X, first + 54 + 24 * i, line, 14, color=TEXT if i == 0 else FAINT)
        if len(person.shots) > 1:
            self._draw_shots(page, person, first, color)
        else:
            self._draw_moments(page, person, first, color)
        self._draw_bar(page, person, first + PORTRAIT_PX - BAR_PX - 16, color)
        page.line(MARGIN_PX, top + ROW_PX - 10, WIDTH_PX - MARGIN_PX)

    def _draw_shots(self, page: Page, person: PersonInClip, top: int, color: str) -> None:
        """The person in each shot, in the order of the film; the longest ones where there are too many."""
        picture_of = {portrait.shot: portrait.picture for portrait in self._portraits[person.number]}
        longest = sorted(person.shots, key=lambda part: -part.seconds)[:MOST_SHOTS]
        for i, part in enumerate(sorted(longest, key=lambda part: part.shot)):
            x = SHOTS_X + i * SHOT_STEP
            page.image(x, top, SHOT_PX, picture_of[part.shot])
            page.text(x, top + SHOT_PX + 17, f"shot {part.shot}", 13, color=color)
            page.text(x + SHOT_PX, top + SHOT_PX + 17, f"{part.seconds:.1f} s", 13, color=FAINT, align="right")

    def _draw_moments(self, page: Page, person: PersonInClip, top: int, color: str) -> None:
        """The person of one shot at several moments, in the order of the film."""
        moments = sorted(self._portraits[person.number][:MOST_SHOTS], key=lambda portrait: portrait.seconds)
        for i, portrait in enumerate(moments):
            x = SHOTS_X + i * SHOT_STEP
            page.image(x, top, SHOT_PX, portrait.picture)
            page.text(x, top + SHOT_PX + 17, f"at {portrait.seconds:.2f} s", 13, color=color)

    def _portrait(self, person: PersonInClip) -> Portrait:
        """Of the shot in which the person is seen longest."""
        longest = max(person.shots, key=lambda part: part.seconds)
        return next(portrait for portrait in self._portraits[person.number] if portrait.shot == longest.shot)

    def _draw_bar(self, page: Page, person: PersonInClip, top: float, color: str) -> None:
        """The clip from left to right, its shots apart; where the person is seen, in colour."""
        left, right = SHOTS_X, WIDTH_PX - MARGIN_PX
        scale = (right - left) / max(self._people.seconds, 1e-9)
        for start, end in self._people.shots:
            page.box(left + start * scale, top, max((end - start) * scale - 1.5, 0.5), BAR_PX, BLANK)
        for part in person.shots:
            for start, end in part.spans:
                page.box(left + start * scale, top, max((end - start) * scale - 1.5, 1.5), BAR_PX, color)
        page.text(left, top + BAR_PX + 15, "0 s", 11, color=FAINT)
        page.text(right, top + BAR_PX + 15, f"{self._people.seconds:.1f} s", 11, color=FAINT, align="right")

    def _draw_others(self, page: Page, top: int) -> None:
        page.text(MARGIN_PX, top + 30, f"seen for moments only: {len(self._others)}", 14, color=FAINT)
        for i, person in enumerate(self._others[:MOST_SMALL]):
            x = MARGIN_PX + i % self._small_columns * SMALL_STEP
            y = top + 48 + i // self._small_columns * SMALL_ROW_PX
            page.image(x, y, SMALL_PX, self._portrait(person).picture)
            page.text(x, y + SMALL_PX + 18, f"person:{person.number}", 12)
            page.text(x, y + SMALL_PX + 33, f"{person.seconds:.2f} s", 11, color=FAINT)


def _facts(person: PersonInClip) -> list[str]:
    shots = [part.shot for part in person.shots]
    size = f"{person.size_px} px"
    if person.smallest_px != person.largest_px:
        size += f"  ({person.smallest_px} to {person.largest_px})"
    seen = f"seen {person.shots[0].first_seconds:.2f} to {person.shots[-1].last_seconds:.2f} s"
    return [
        f"{person.seconds:.2f} s, {person.fraction:.0%} of the clip",
        size,
        f"{len(shots)} shots" if len(shots) > 1 else f"shot {shots[0]}",
        seen,
    ]
