"""A job sheet as written: cells that know their line, and the mistakes found in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..errors import OptionError, RetargetError
from ..files import home_expanded

T = TypeVar("T")


class JobSheetError(OptionError):
    """Everything that is wrong with a batch, a mistake a line: "jobs.yaml:12: no such file ..."."""

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The lines, in the order of the sheet."""
        return tuple(str(self).splitlines())


@dataclass(frozen=True, order=True)
class Place:
    """A line of a file, or what stands in for one."""

    file: str
    line: int = 0
    """From 1; 0: the whole file."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Mistakes:
    """What was found wrong so far; the same mistake at the same place counts once."""

    def __init__(self) -> None:
        self._found: dict[tuple[Place, str], None] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, where: Place, text: str) -> None:
        """Notes a mistake, in one line."""
        self._found[where, " ".join(text.split())] = None

    def of(self, where: Place, do: Callable[[], T]) -> T | None:
        """What `do` returns, or None and a mistake if it raises one of ours."""
        try:
            return do()
        except RetargetError as error:
            self.add(where, str(error))
        return None

    def check(self) -> None:
        """Raises JobSheetError if there are any."""
        if self._found:
            in_order = sorted(self._found, key=lambda found: found[0])
            raise JobSheetError("\n".join(f"{where}: {text}" for where, text in in_order))


@dataclass(frozen=True)
class Cell:
    """A value as written, and where."""

    value: Any
    place: Place
    folder: Path
    """What a relative path in it counts from."""
    key: str
    """The key as written."""

    def path(self, text: str) -> Path:
        """A path that stands in the cell. Raises JobSheetError if it cannot be one."""
        try:
            return home_expanded(text, self.folder)
        except OptionError as error:
            raise JobSheetError(f"{self.place}: {self.key}: {error}") from error


Row = dict[str, Cell]
"""Cells by key, as `job_settings` spells them."""


@dataclass(frozen=True)
class Sheet:
    """A sheet as read: keys known, values not yet looked at."""

    place: Place
    folder: Path
    settings: Row
    """Keys that are about the batch, not about a job."""
    base: Row
    """Defaults of every job."""
    jobs: list[tuple[Place, Row]] | None
    """None: the sheet has no list of jobs."""
    shots: dict[str, tuple[Place, Row]]
    """What is said about single shots of the timeline, by name."""
