"""Names that a file has before it has its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .sequence import parse_pattern
from .suffixes import FILM_OUTPUTS


def part_of(output: Path) -> Path:
    """What an output is written to before it is renamed: a hidden file, or for pictures a hidden folder."""
    if output.suffix.lower() in FILM_OUTPUTS:
        return output.with_name(f".{output.stem}.part{output.suffix}")
    pattern = parse_pattern(output)
    return output.with_name(f".{pattern.stem if pattern else output.stem}.part")


def is_named_for(output: Path) -> Callable[[str], bool]:
    """Whether a picture of that name is one of the output's, as its hidden folder has them."""
    pattern = parse_pattern(output)
    return (lambda name: name == output.name) if pattern is None else pattern.has


def is_there(output: Path) -> bool:
    """Whether an output, or any picture of a sequence, exists."""
    pattern = parse_pattern(output)
    return output.exists() if pattern is None else bool(pattern.files())
