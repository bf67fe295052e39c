"""Image sequences by name: `shot.%04d.png`, `shot.####.tif` or `shot.1001-1100####.exr` and the files they mean.

Knows file names and numbers only; decoding and encoding pictures is media's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

from ..errors import VideoOpenError

_PLACEHOLDER = re.compile(r"%(?:0?(?P<digits>[0-9]{0,2}))d|(?P<signs>#+|@@+)")
_RANGE = re.compile(r"(?:^|(?<=[._ ]))(?P<first>\d+)-\d+([x:]\d+)?(,\d+(-\d+([x:]\d+)?)?)*$")

_MOST_DIGITS = 32
"""Of a frame number: a name that asks for more is no pattern."""

_MOST_GAPS_TOLD = 12


@dataclass(frozen=True)
class SequencePattern:
    """A file name with one place for a frame number."""

    folder: Path
    prefix: str
    suffix: str
    """What follows the number, extension included: ".png"."""
    digits: int
    """The number is padded with zeros to this many digits; 0 or 1 means unpadded."""
    frames: tuple[int, ...] = ()
    """The only numbers that belong to it, increasing; empty: all that are there."""

    @property
    def stem(self) -> str:
        """The name without number and extension: "shot" for "shot.%04d.png"; "frames" if nothing is left."""
        return self.prefix.rstrip("._- ") or "frames"

    @property
    def name(self) -> str:
        """As a file name, without a range: "shot.%04d.png"."""
        return (
            f"{self.prefix}%0{self.digits}d{self.suffix}" if self.digits > 1 else f"{self.prefix}%d{self.suffix}"
        )

    def path(self, number: int) -> Path:
        """The file of that frame number."""
        return self.folder / f"{self.prefix}{number:0{max(self.digits, 1)}d}{self.suffix}"

    def files(self) -> dict[int, Path]:
        """The files that are there, by number, in order of the number."""
        if not self.folder.is_dir():
            return {}
        wanted = frozenset(self.frames)
        found = {}
        for file in self.folder.iterdir():
            number = self._number(file.name)
            if number is not None and (not wanted or number in wanted):
                found[number] = file
        return dict(sorted(found.items()))

    def has(self, name: str) -> bool:
        """Whether a file of that name is one of its pictures."""
        return self._number(name) is not None

    def _number(self, name: str) -> int | None:
        middle = name[len(self.prefix) : len(name) - len(self.suffix)]
        fits = name == f"{self.prefix}{middle}{self.suffix}" and middle.isascii() and middle.isdigit()
        return int(middle) if fits and name == self.path(int(middle)).name else None


def parse_pattern(path: Path) -> SequencePattern | None:
    """The pattern that a path spells in its file name, or None for a plain file.

    `%04d`, `####` and `@@@@` stand for four digits, `%d` and `#` for a number without zeros before it (a single
    `@` is only a letter). A range before it, as in `shot.1001-1100####.exr` or `shot.1-9x2,20####.exr`, leaves
    only those frames. A file that exists under the very name is a plain file, whatever signs it has in its name;
    so is a range a part of the name where there are pictures that have it in theirs.
    """
    places = list(_PLACEHOLDER.finditer(path.name))
    if len(places) != 1 or _is_file(path):
        return None
    place = places[0]
    if len(place[0]) > _MOST_DIGITS:
        return None
    digits = len(place["signs"]) if place["signs"] else int(place["digits"] or 0)
    pattern = SequencePattern(path.parent, path.name[: place.start()], path.name[place.end() :], digits)
    return _with_range(pattern) or pattern


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, say
        return False


def _with_range(pattern: SequencePattern) -> SequencePattern | None:
    """The pattern without the range at the end of its prefix, and for those frames only; None if it has none."""
    written = _RANGE.search(pattern.prefix)
    frames = () if written is None else _frames(written[0])
    if written is None or not frames or pattern.files():
        return None
    # "0001-0100#": whoever writes zeros means padded names
    digits = max(pattern.digits, len(written["first"]) if written["first"].startswith("0") else 0)
    return SequencePattern(pattern.folder, pattern.prefix[: written.start()], pattern.suffix, digits, frames)


def _frames(written: str) -> tuple[int, ...]:
    """The numbers of "1001-1100" or "1-9x2,20"; none if they do not increase or are too many to be meant."""
    from fileseq.frameset import FrameSet  # takes 30 ms, and few names have ranges

    try:
        frames = tuple(int(frame) for frame in FrameSet(written))
    except ValueError:  # fileseq's own errors are
        return ()
    return frames if all(a < b for a, b in pairwise(frames)) else ()


def find_sequence(pattern: SequencePattern, *, shown_as: str) -> dict[int, Path]:
    """The files of a gapless sequence by number. `shown_as` names it in errors.

    Raises:
        VideoOpenError: no file matches, or numbers are missing: between the first and the last that are there
            or, where the pattern has a range, of that.
    """
    files = pattern.files()
    if not files:
        first = pattern.path(pattern.frames[0] if pattern.frames else 1).name
        raise VideoOpenError(f"{shown_as}: no file matches this pattern; expected names such as {first}")
    gaps = list(_gaps(pattern, list(files)))
    if gaps:
        missing = sum(last - first + 1 for first, last in gaps)
        numbers = pattern.frames or tuple(files)
        raise VideoOpenError(
            f"{shown_as}: the sequence has a gap: {_told(gaps)} {'is' if missing == 1 else 'are'} missing "
            f"({missing} of {numbers[0]}..{numbers[-1]}); render or copy the missing frames first"
        )
    return files


def _gaps(pattern: SequencePattern, there: list[int]) -> Iterator[tuple[int, int]]:
    """(first, last) of each run of missing numbers."""
    if not pattern.frames:
        return ((a + 1, b - 1) for a, b in pairwise(there) if b > a + 1)
    found = frozenset(there)
    return _runs(number for number in pattern.frames if number not in found)


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """(first, last) of each run of increasing numbers."""
    for _, numbered in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in numbered]
        yield run[0], run[-1]


def _told(gaps: list[tuple[int, int]]) -> str:
    """ "1003, 1007-1009"; a long list is cut."""
    told = [f"{first}" if first == last else f"{first}-{last}" for first, last in gaps[:_MOST_GAPS_TOLD]]
    return ", ".join(told) + (" and others" if len(gaps) > _MOST_GAPS_TOLD else "")
