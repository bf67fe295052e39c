"""Image sequences by name: `shot.%04d.png` and `shot.####.tif` against the files that are there.

Knows file names and numbers only; decoding and encoding pictures is `video.py`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import VideoOpenError

_PLACEHOLDER = re.compile(r"%(?:0?(?P<digits>\d*))d|(?P<hashes>#+)")


@dataclass(frozen=True)
class SequencePattern:
    """A file name with one place for a frame number."""

    folder: Path
    prefix: str
    suffix: str
    """What follows the number, extension included: ".png"."""
    digits: int
    """The number is padded with zeros to this many digits; 0 or 1 means unpadded."""

    @property
    def stem(self) -> str:
        """The name without number and extension: "shot" for "shot.%04d.png"; "frames" if nothing is left."""
        return self.prefix.rstrip("._- ") or "frames"

    def path(self, number: int) -> Path:
        """The file of that frame number."""
        return self.folder / f"{self.prefix}{number:0{max(self.digits, 1)}d}{self.suffix}"

    def files(self) -> dict[int, Path]:
        """The files that are there, by number, in order of the number."""
        if not self.folder.is_dir():
            return {}
        found = {}
        for file in self.folder.iterdir():
            number = self._number(file.name)
            if number is not None:
                found[number] = file
        return dict(sorted(found.items()))

    def _number(self, name: str) -> int | None:
        middle = name[len(self.prefix) : len(name) - len(self.suffix)]
        fits = name == f"{self.prefix}{middle}{self.suffix}" and middle.isascii() and middle.isdigit()
        return int(middle) if fits and name == self.path(int(middle)).name else None


def parse_pattern(path: Path) -> SequencePattern | None:
    """The pattern that a path spells (`%04d`, `%d` or `####` in its file name), or None for a plain file.

    A file that exists under the very name is a plain file, whatever signs it has in its name.
    """
    places = list(_PLACEHOLDER.finditer(path.name))
    if len(places) != 1 or path.is_file():
        return None
    place = places[0]
    digits = len(place["hashes"]) if place["hashes"] else int(place["digits"] or 0)
    return SequencePattern(path.parent, path.name[: place.start()], path.name[place.end() :], digits)


def find_sequence(pattern: SequencePattern, *, shown_as: str) -> dict[int, Path]:
    """The files of a gapless sequence by number. `shown_as` names it in errors.

    Raises:
        VideoOpenError: no file matches, or a number is missing.
    """
    files = pattern.files()
    if not files:
        first = pattern.path(1).name
        raise VideoOpenError(f"{shown_as}: no file matches this pattern; expected names such as {first}")
    numbers = list(files)
    missing = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
    if missing:
        raise VideoOpenError(
            f"{shown_as}: the sequence has a gap: {pattern.path(missing[0]).name} is missing "
            f"({len(missing)} of {numbers[0]}..{numbers[-1]}); render or copy the missing frames first"
        )
    return files
