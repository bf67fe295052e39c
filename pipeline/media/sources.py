"""Where a reader's pictures come from: a film, a still that is shown for a while, a sequence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from ..files import SeenFiles
from .decode import Decoding, Picture, decode_still


class PictureSource(Protocol):
    """Where a reader's pictures come from: a file, a still, an image sequence."""

    @property
    def time_base(self) -> Fraction:
        """Seconds per unit of its pictures' pts."""
        ...

    def pictures(self, from_seconds: Fraction | None) -> Iterator[Picture]:
        """Pictures in order of time; may leave out some that lie before `from_seconds` (absolute)."""
        ...


@dataclass(frozen=True)
class FileSource:
    """A film, with the times that are in it."""

    path: Path
    time_base: Fraction
    seen: SeenFiles

    def pictures(self, from_seconds: Fraction | None) -> Iterator[Picture]:
        """Decoded anew; seeks to `from_seconds` where the container can."""
        self.seen.check(self.path)
        decoding = Decoding(self.path, seek_seconds=from_seconds)
        try:
            yield from decoding.pictures()
        finally:
            decoding.close()
        self.seen.check(self.path)


@dataclass(frozen=True)
class StillSource:
    """One picture, `count` times over, a unit of time apart."""

    path: Path
    time_base: Fraction
    count: int
    seen: SeenFiles

    def pictures(self, from_seconds: Fraction | None) -> Iterator[Picture]:  # noqa: ARG002 (nothing to seek)
        """Decoded once."""
        self.seen.check(self.path)
        native = decode_still(self.path)
        for i in range(self.count):
            yield Picture(native, i, bool(native.is_corrupt))


@dataclass(frozen=True)
class SequenceSource:
    """A picture a file, a unit of time apart."""

    files: tuple[Path, ...]
    time_base: Fraction
    seen: SeenFiles

    def pictures(self, from_seconds: Fraction | None) -> Iterator[Picture]:
        """Decoded one file after the other."""
        first = 0 if from_seconds is None else max(0, int(from_seconds / self.time_base) - 1)
        for i, file in enumerate(self.files[first:], first):
            self.seen.check(file)
            native = decode_still(file)
            yield Picture(native, i, bool(native.is_corrupt))
