"""What a driver is, before anything reads it: by the end of its name, else by whether it is text."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..files import encoding_of, parse_pattern, suffixes

DriverKind = Literal["curves", "capture", "clip"]

_HEAD_BYTES = 4096
_CLIPS = frozenset({*suffixes.FILMS, *suffixes.PICTURES})


def kind_of_driver(path: Path) -> DriverKind:
    """Keyframed curves, a capture (any other text), or a clip or picture (all else, and what is not there)."""
    suffix = path.suffix.lower()
    if suffix in suffixes.CURVES:
        return "curves"
    if suffix in suffixes.CAPTURES:
        return "capture"
    if suffix in _CLIPS or parse_pattern(path) is not None:
        return "clip"
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return "clip"  # its opener says why
    return "capture" if head and encoding_of(head) is not None else "clip"
