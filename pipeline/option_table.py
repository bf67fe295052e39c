"""How an option is said: once, beside the field it fills.

    strength: float = option(1.0, "--strength", Kind.NUMBER, PERFORMANCE, "1 as driven, 0.5 half")

From this come the command line's flag, the key of a job sheet, the words for what is wrong with a value, and the
row in the README's table. Nothing else knows an option's name.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

PERFORMANCE, RUNNING, ENCODING = "performance", "running", "encoding"
"""The groups of options, as `--help` shows them."""


class Kind(enum.Enum):
    """What a value is; the value says what is wrong with one that is not."""

    NUMBER = "a number"
    COUNT = "a whole number"
    LENGTH = "a length in seconds"
    """Seconds; a sheet may write it as any time."""
    TIME = "a time: seconds (1.5), frames (36f) or timecode (00:00:01:12)"
    """Frames and timecode count at the source's rate, so it waits for the source."""
    NEUTRAL = "auto, none, a time or an existing picture"
    CHOICE = "one of a few words"
    SWITCH = "true or false"
    NAMES = "names with commas between them"
    GAINS = "AU=NUMBER, such as AU12=0.5"
    FACES = "a face or an order of faces"
    RATE = "frames a second"
    TEXT = "text"
    FILE = "a file"
    FILES = "files and folders"


@dataclass(frozen=True)
class Option:
    """One option, as declared beside its field."""

    flags: tuple[str, ...]
    """The first is its name: "--driver-offset"; the others mean the same."""
    kind: Kind
    group: str
    help: str
    """One sentence, from the user's side, without the default."""
    metavar: str | None = None
    shown_default: str = ""
    """Where the default's own text would say nothing: "by device"."""
    choices: tuple[str, ...] = ()
    least: int | None = None
    """Of a COUNT."""
    words: tuple[str, ...] = ()
    """Other words for its key in a sheet."""
    field: str = ""
    """The field it fills; set when it is looked up."""
    default: Any = None
    """The field's default; set when it is looked up."""

    @property
    def key(self) -> str:
        """Its key in a job sheet: driver_offset."""
        return self.flags[0].lstrip("-").replace("-", "_")

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other keys that mean the same: the further flags, the field's own name, and other words."""
        flags = (flag.lstrip("-").replace("-", "_") for flag in self.flags[1:])
        others = dict.fromkeys((*flags, *self.words))
        return tuple(word for word in others if word != self.key)

    def checked_count(self, count: int) -> int:
        """The count; raises ValueError if it is less than the least."""
        if self.least is not None and count < self.least:
            raise ValueError(f"{count} is too few; use {self.least} or more")
        return count

    @property
    def help_with_default(self) -> str:
        """The help, and what counts where nothing is said."""
        shown = self.shown_default or (
            str(self.default) if self.kind in _PLAIN and self.default is not None else ""
        )
        return f"{self.help} (default {shown})" if shown else self.help


_PLAIN = frozenset({Kind.NUMBER, Kind.COUNT, Kind.LENGTH, Kind.RATE, Kind.CHOICE})
"""Kinds whose default explains itself."""


def option(
    default: Any,
    flags: str | Sequence[str],
    kind: Kind,
    group: str,
    help: str,
    *,
    metavar: str | None = None,
    shown_default: str = "",
    choices: tuple[str, ...] = (),
    least: int | None = None,
    words: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that can be said. A `default` that is a type is called for each new one."""
    said = Option(
        flags=(flags,) if isinstance(flags, str) else tuple(flags),
        kind=kind,
        group=group,
        help=help,
        metavar=metavar,
        shown_default=shown_default,
        choices=choices,
        least=least,
        words=words,
    )
    if isinstance(default, type):
        return dataclasses.field(default_factory=default, metadata={"option": said})
    return dataclasses.field(default=default, metadata={"option": said})


def options_of(owner: type[Any]) -> Iterator[Option]:
    """The options of a dataclass in the order of its fields."""
    for field in dataclasses.fields(owner):
        said: Option | None = field.metadata.get("option")
        if said is not None:
            default = None if field.default is dataclasses.MISSING else field.default
            yield dataclasses.replace(said, field=field.name, default=default)


def markdown_table(owners: Sequence[type[Any]]) -> str:
    """The options as a table for a README: flag, key in a sheet, meaning."""
    rows = ["| Flag | Key in a sheet | Meaning |", "|---|---|---|"]
    for owner in owners:
        for said in options_of(owner):
            flags = ", ".join(f"`{flag}`" for flag in said.flags)
            meaning = said.help_with_default.replace("|", "\\|")
            value = f" `{said.metavar}`".replace("|", "\\|") if said.metavar else ""
            rows.append(f"| {flags}{value} | `{said.key}` | {meaning} |")
    return "\n".join(rows)
