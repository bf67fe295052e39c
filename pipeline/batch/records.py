"""What passes between a batch, its workers and its manifest: plain values that can be pickled."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from ..faces import DEFAULT_LIMIT_BYTES
from ..files import Content
from ..jobs import Job

JobState = Literal["done", "incomplete", "skipped", "failed", "pending"]
"""done: made in this run. incomplete: likewise, now or earlier, of a source that is not whole. skipped: was there
already. pending: not reached (interrupted, halted on an error)."""

EntryState = Literal["done", "incomplete", "failed"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """How a job ended, as the manifest keeps it."""

    name: str
    state: EntryState
    source: str
    output: str
    """Absolute; an output has one entry."""
    key: str
    """Hash of the content of all inputs, the options and the version; empty if it could not be found out."""
    request: str
    """Hash of the inputs' names and the options: while it and the inputs' signatures stay, so does the key."""
    inputs: tuple[Content, ...] = ()
    made: Content | None = None
    """The output that was last made, even if a later run failed."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Per stage, and "elapsed"."""
    error: str = ""
    """One line; empty unless failed or incomplete."""
    finished: str = ""
    """When, in UTC, ISO 8601."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Entry:
        """An entry from a line of the manifest. Raises KeyError, TypeError or ValueError if it holds no entry."""
        made = values["made"]
        entry = cls(
            **{
                **values,
                "inputs": tuple(Content(**content) for content in values["inputs"]),
                "made": None if made is None else Content(**made),
            }
        )
        if entry.state not in get_args(EntryState):
            raise ValueError(f"state {entry.state!r}")
        return entry


def now() -> str:
    """The time as entries have it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a worker is told once: the same for all jobs it does."""

    output_dir: Path
    cache_dir: Path | None = None
    """Of tracking results; None: every clip is tracked anew."""
    cache_limit_bytes: int = DEFAULT_LIMIT_BYTES
    cores: int | None = None
    """Its share of the machine; None is all of it."""
    device: str | None = None
    """Instead of the jobs' own."""
    chunk_seconds: float = 0.0
    """Longer clips are encoded in pieces of this length, which outlast a killed process; 0: never."""
    is_portable: bool = False
    """Whether reports tell files from their own folder."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A job to be done, with what is known of it from earlier runs."""

    job: Job
    previous: Entry | None = None
    known: tuple[Content, ...] = ()
    """Files that were read before, so that those that did not change are not read again."""
    retry_failed: bool = False


@dataclass(frozen=True)
class Started:
    """A worker has taken a job."""

    index: int


@dataclass(frozen=True)
class Progressed:
    """A job is so far."""

    index: int
    stage: str
    """A `Stage`, or another label of a progress bar."""
    frames: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job ended, with the entry for the manifest."""

    index: int
    state: JobState
    entry: Entry


Event = Started | Progressed | Outcome
Tell = Callable[[str, int], None]
"""(stage, frames so far), as often as one likes."""
Work = Callable[[Task, Setting, Tell], Outcome]
