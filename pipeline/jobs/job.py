"""A job: one clip to make, with everything that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..editorial import Timeline, TimelineShot
    from ..options import RetargetOptions


@dataclass(frozen=True, kw_only=True)
class Job:
    """One clip to make."""

    index: int
    """Place in the batch, from 1."""
    name: str
    """Unique in the batch, also where case does not count, and fit for a file name."""
    source: Path
    drivers: tuple[Path, ...]
    """One for all faces, or one per selected face, in the order of `options.faces`."""
    output: Path
    """May be there already (an earlier run's); its folder may not be."""
    options: RetargetOptions
    where: str
    """"jobs.yaml:12", for messages."""
    shot: TimelineShot | None = None
    """What it is of a timeline; its handles are in the options' trim range."""


@dataclass(frozen=True, kw_only=True)
class JobSheet:
    """A whole batch, as a sheet says it."""

    jobs: list[Job]
    output_dir: Path
    """Where outputs without a path of their own go; it may not be there yet."""
    timeline: Timeline | None = None
    """The timeline whose shots (some of) the jobs are: the base for `editorial.write_timeline`."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was put right in reading, one line each."""
        return self.timeline.notes if self.timeline else ()
