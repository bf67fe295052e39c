"""The QC report of a batch as a page: one file that opens without a server or a network.

What it looks like is in report_page.html, .css and .js beside this file; here is what goes in.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import jinja2

from .quality import REASONS, ClipQuality, Flag, Reason, ReasonInfo
from .report_plot import Plot, plot_of

MOST_UNITS = 12
"""Of a clip's action units that are listed."""
OPEN_CLIPS = 1
"""Shown unfolded at first."""


def page_of(results: Sequence[ClipQuality], *, title: str) -> str:
    """The HTML of clips in that order. Any text of theirs is escaped."""
    return _template().render(
        title=title,
        style=_inline(".css"),
        script=_inline(".js"),
        counted=_counted(results),
        overview=_overview(results),
        clips=[Clip(rank, quality) for rank, quality in enumerate(results)],
        reasons=REASONS,
        most_units=MOST_UNITS,
    )


@dataclass(frozen=True)
class Clip:
    """One clip as the page shows it."""

    rank: int
    """Its place on the page, from 0."""
    quality: ClipQuality

    @property
    def is_open(self) -> bool:
        """Whether it is unfolded at first."""
        return self.rank < OPEN_CLIPS

    @cached_property
    def ranges(self) -> Counter[Reason]:
        """How many ranges are flagged for each reason, in order of time."""
        return Counter(flag.reason for flag in self.quality.flags)

    @property
    def errors(self) -> list[str]:
        """What went wrong. If the films could not be read there are no frames to flag: the flags are words."""
        words = [] if self.quality.seconds else [flag.comment for flag in self.quality.flags]
        return list(dict.fromkeys(filter(None, [self.quality.error, *words])))

    @property
    def plot(self) -> Plot:
        """Of a clip that was read."""
        return plot_of(self.quality)

    def timecodes(self, flag: Flag) -> str:
        """First and last of a range."""
        both = (self.quality.timecode(frame) for frame in (flag.first_frame, flag.last_frame))
        return " to ".join(dict.fromkeys(both))


@dataclass(frozen=True)
class OverviewRow:
    """A reason over all clips."""

    reason: Reason
    info: ReasonInfo
    clips: int
    ranges: int


def _overview(results: Sequence[ClipQuality]) -> list[OverviewRow]:
    """The reasons that occur, the most urgent first."""
    ranges = Counter(flag.reason for quality in results for flag in quality.flags)
    clips = Counter(reason for quality in results for reason in {flag.reason for flag in quality.flags})
    return [
        OverviewRow(reason, info, clips[reason], ranges[reason])
        for reason, info in REASONS.items()
        if ranges[reason]
    ]


def _counted(results: Sequence[ClipQuality]) -> str:
    states = Counter(quality.state for quality in results)
    parts = [f"{states[state]} {state}" for state in ("done", "skipped", "failed") if states[state]]
    clips = "1 clip" if len(results) == 1 else f"{len(results)} clips"
    clean = sum(not quality.flags for quality in results)
    return f"{clips}: {', '.join(parts) or 'none'}; {clean} without a flag. Worst first."


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"base64": _base64, "digest": _digest, "number": _number}
    return environment.get_template(Path(__file__).with_suffix(".html").name)


@cache
def _inline(suffix: str) -> str:
    """The style or script beside this file, to stand in the page as it is."""
    return "\n" + Path(__file__).with_suffix(suffix).read_text(encoding="utf-8")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _digest(text: str) -> str:
    """As a content security policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _number(value: float, digits: int) -> str:
    """Empty for what is not finite."""
    return f"{value:.{digits}f}" if math.isfinite(value) else ""
