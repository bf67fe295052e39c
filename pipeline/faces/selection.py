"""Which faces of a shot are meant: a place in an order, or all; a person, by number or by a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ..errors import OptionError
from ..files import suffixes

FaceOrder = Literal[
    "large-small", "small-large", "left-right", "right-left",
    "top-bottom", "bottom-top", "best-worst", "worst-best",
]  # fmt: skip

FACE_ORDERS: tuple[str, ...] = get_args(FaceOrder)


@dataclass(frozen=True)
class FaceSelection:
    """Which faces of a shot: a place in an order, or all of them; or one person, wherever that one is seen."""

    order: FaceOrder = "large-small"
    """By median size, position or confidence over the shot. left-right is the picture's left."""
    index: int | None = 0
    """Place in that order, from 0; None for all."""
    person: int | None = None
    """Number from 1, as `retarget faces` lists them; order and index then say nothing."""
    picture: Path | None = None
    """A picture of a face: the person who looks most like it."""

    def __post_init__(self) -> None:
        if self.person is not None and self.person < 1:
            raise OptionError(f"person:{self.person} is nobody; persons are numbered from 1")

    @property
    def is_of_person(self) -> bool:
        """Whether one person is meant, whatever the place in the shot."""
        return self.person is not None or self.picture is not None

    @classmethod
    def parse(cls, text: str) -> FaceSelection:
        """`large-small` (its first), `2` (of large-small), `left-right:1`, `all` (left to right), `ORDER:all`,
        `person:1`, or the name of a picture (`anna.png`, by its suffix; it need not be there)."""
        if Path(text.strip()).suffix.lower() in suffixes.PICTURES:
            return cls(picture=Path(text.strip()))
        head, _, tail = text.strip().lower().partition(":")
        if head == "person" and tail.isdecimal():
            return cls(person=int(tail))
        if not tail and (head == "all" or head.isdecimal()):
            head, tail = ("left-right", "all") if head == "all" else ("large-small", head)
        if head not in FACE_ORDERS or not (tail in ("", "all") or tail.isdecimal()):
            raise OptionError(
                f"face {text!r} is unknown; use all, a number from 0, one of {', '.join(FACE_ORDERS)}, "
                "ORDER:NUMBER, person:NUMBER, or a picture of the face"
            )
        index = None if tail == "all" else int(tail or 0)
        return cls(head, index)  # type: ignore[arg-type]
