"""The events of a CMX 3600 list, as editing systems write them, made such that the list's reader takes them.

Each event becomes a shot, or a note that says why it is none; an event that cannot be read never takes the list
with
it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

_EVENT = re.compile(
    r"(?P<number>\d+)\s+(?P<reel>\S+)\s+(?P<channel>\S+)\s+(?P<kind>K\s+[BO]\b|[A-Z]+\d*)\s+(?:(?P<length>\d+)\s+)?"
    r"(?P<times>\S+\s+\S+\s+\S+\s+\S+)$",
    re.IGNORECASE,
)
_SPEED = re.compile(r"M2\s+\S*?\s+(?P<speed>[+-]?\d+(?:\.\d+)?)\s+(?P<at>\S+)", re.IGNORECASE)
_MARK = "RETARGET EVENT"
BLACK = ("BL", "BLACK")


@dataclass(frozen=True)
class Event:
    """A line of the list, with the remarks below it."""

    line: str
    """As written."""
    number: str = ""
    """Empty: the line cannot be told apart."""
    reel: str = ""
    channel: str = ""
    kind: str = "C"
    """C: a cut. D: a dissolve. W001: a wipe. K B, K, K O: the background, foreground and end of a key."""
    length: str = ""
    """Frames, of a transition."""
    times: tuple[str, ...] = ()
    """Source in and out, record in and out."""
    remarks: tuple[str, ...] = ()
    speed: float | None = None
    """Frames of the source a second, negative backwards; None: the list's own rate."""

    @classmethod
    def read(cls, line: str, remarks: Iterable[str]) -> Event:
        """Of a line and what stands below it."""
        remarks = tuple(remarks)
        speeds = [match for remark in remarks if (match := _SPEED.match(remark))]
        found = _EVENT.match(line)
        if found is None:
            return cls(line, remarks=remarks)
        return cls(
            line,
            found["number"],
            found["reel"],
            found["channel"].upper(),
            " ".join(found["kind"].upper().split()),
            found["length"] or "",
            tuple(found["times"].split()),
            tuple(remark for remark in remarks if not _SPEED.match(remark)),
            float(speeds[-1]["speed"]) if speeds else None,
        )

    @property
    def is_black(self) -> bool:
        """Whether it shows nothing."""
        return self.reel.upper() in BLACK

    @property
    def is_empty(self) -> bool:
        """Whether it only says what a transition comes from."""
        return bool(self.times) and self.times[2] == self.times[3]

    @property
    def source_file(self) -> str:
        """What a remark calls the file it is cut from; empty if none does."""
        found = (re.match(r"\*\s*SOURCE FILE:\s*(.+)", remark, re.IGNORECASE) for remark in self.remarks)
        return next((match[1].strip() for match in found if match), "")

    def lines(self, mark: int) -> list[str]:
        """For the reader, with a remark by which its clip is found again."""
        if not self.number:
            return [self.line, *self.remarks]
        parts = (self.number, self.reel, self.channel, self.kind, self.length, *self.times)
        return [" ".join(part for part in parts if part), *self.remarks, f"* {_MARK} {mark}"]


def mark_of(comments: Iterable[str]) -> int | None:
    """The number that `Event.lines` left among a clip's remarks."""
    found = [match for comment in comments if (match := re.search(rf"{_MARK} (\d+)", str(comment)))]
    return int(found[-1][1]) if found else None  # the first of two is of what a transition comes from


def events_of(lines: Iterable[str]) -> tuple[list[str], list[Event]]:
    """What stands above the first event, and the events."""
    head: list[str] = []
    blocks: list[list[str]] = []
    for line in lines:
        if line[0].isdigit():
            blocks.append([line])
        elif blocks and not line.upper().startswith("FCM"):
            blocks[-1].append(line)
        elif not blocks:
            head.append(line)
    return head, [Event.read(first, rest) for first, *rest in blocks]


def readable(events: Iterable[Event], notes: list[str]) -> Iterator[Event]:
    """The events that the reader understands, in their order; what is changed or left out is noted."""
    before: Event | None = None
    for event in events:
        if event.channel == "NONE":
            notes.append(f"event {event.number}: its channel is NONE, it shows nothing and is left out")
            continue
        if event.kind.startswith("K"):
            made = _of_key(event, notes)
        elif before is not None and before.is_empty and event.kind[:1] in "DW" and event.number == before.number:
            yield from _of_transition(before, event, notes)
            before = None
            continue
        else:
            made = event
        if before is not None:
            yield before
        before = made
    if before is not None:
        yield before


def _of_transition(before: Event, event: Event, notes: list[str]) -> Iterator[Event]:
    """A dissolve or wipe with the line that says what it comes from. With black on one side there is one shot."""
    if before.is_black and event.is_black:
        return
    if before.is_black:
        notes.append(
            f"event {event.number}: fades in from black; the shot is worked on from where the fade begins"
        )
        yield replace(event, kind="C", length="", remarks=_renamed(event.remarks))
    elif event.is_black:
        notes.append(f"event {event.number}: fades out to black; what is seen in the fade is a shot of its own")
        yield replace(
            before, times=(before.times[0], "", *event.times[2:]), remarks=event.remarks, speed=before.speed
        )
    else:
        yield before
        yield event


def _of_key(event: Event, notes: list[str]) -> Event:
    if event.kind == "K B":
        return replace(event, kind="C", length="")
    notes.append(f"event {event.number}: is a key; its foreground is worked on as a shot of its own")
    # Two lines of one number would be a transition to the reader.
    return replace(event, number=f"9{event.number}", kind="C", length="", channel=f"{event.channel}-KEY")


def _renamed(remarks: Iterable[str]) -> tuple[str, ...]:
    """TO CLIP NAME is the only clip's name where nothing is on the other side."""
    kept = (r for r in remarks if not re.match(r"\*\s*FROM CLIP NAME:\s*BL(ACK)?\s*$", r, re.IGNORECASE))
    return tuple(re.sub(r"^\*\s*TO CLIP NAME:", "* FROM CLIP NAME:", r, flags=re.IGNORECASE) for r in kept)
