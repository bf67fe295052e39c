"""Which faces of a shot are meant: a place in an order, or all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import OptionError

FaceOrder = Literal[
    "large-small", "small-large", "left-right", "right-left",
    "top-bottom", "bottom-top", "best-worst", "worst-best",
]  # fmt: skip

FACE_ORDERS: tuple[str, ...] = get_args(FaceOrder)


@dataclass(frozen=True)
class FaceSelection:
    """Which faces of a shot: a place in an order, or all of them."""

    order: FaceOrder = "large-small"
    """By median size, position or confidence over the shot. left-right is the picture's left."""
    index: int | None = 0
    """Place in that order, from 0; None for all."""

    @classmethod
    def parse(cls, text: str) -> FaceSelection:
        """`large-small` (its first), `2` (of large-small), `left-right:1`, `all` (left to right), `ORDER:all`."""
        head, _, tail = text.strip().lower().partition(":")
        if not tail and (head == "all" or head.isdecimal()):
            head, tail = ("left-right", "all") if head == "all" else ("large-small", head)
        if head not in FACE_ORDERS or not (tail in ("", "all") or tail.isdecimal()):
            raise OptionError(
                f"face {text!r} is unknown; use all, a number from 0, one of {', '.join(FACE_ORDERS)}, "
                "or ORDER:NUMBER"
            )
        index = None if tail == "all" else int(tail or 0)
        return cls(head, index)  # type: ignore[arg-type]
