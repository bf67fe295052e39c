"""How a batch ended: a result a job, and the summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .records import JobState


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """How a job ended, for the summary and the report."""

    index: int
    name: str
    source: Path
    output: Path
    state: JobState
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Per stage, and "elapsed"; of the run that made it, also if that was an earlier one."""
    error: str = ""
    """One line; empty unless failed or incomplete."""
    report: Path | None = None
    """The run's report, if there is one."""


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """How a batch ended."""

    jobs: tuple[JobResult, ...]
    """In the order of the jobs."""
    interrupted: bool = False
    elapsed_seconds: float = 0.0
    notes: tuple[str, ...] = ()
    """Warnings for the user, one line each."""

    def count(self, state: JobState) -> int:
        """How many jobs ended so."""
        return sum(job.state == state for job in self.jobs)

    @property
    def exit_code(self) -> int:
        """0: every output is there. 1: a job failed. 130: interrupted."""
        if self.interrupted:
            return 130
        return int(self.count("failed") > 0)


def summary(result: BatchResult) -> list[str]:
    """The table at the end: a line a job that was not simply skipped, then the counts, then what to do."""
    width = max((len(job.name) for job in result.jobs), default=0)
    lines = []
    for job in result.jobs:
        if job.state in ("done", "incomplete", "failed"):
            said = job.error or f"{job.seconds.get('elapsed', 0):.1f} s"
            lines.append(f"{job.state:<7}  {job.name:<{width}}  {said}")
    states: tuple[JobState, ...] = ("done", "incomplete", "skipped", "failed", "pending")
    counts = [f"{result.count(state)} {state}" for state in states]
    lines.append(", ".join(count for count in counts if not count.startswith("0 ")) or "no jobs")
    lines += result.notes
    if result.interrupted:
        lines.append("interrupted; run the same command again to go on from here")
    elif result.count("failed"):
        lines.append("failed jobs run again when their files or options change, or with --retry-failed")
    return lines
