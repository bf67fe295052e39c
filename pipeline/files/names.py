"""Names that a file has before it has its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import OptionError
from .sequence import parse_pattern
from .suffixes import FILM_OUTPUTS

_MOST_BYTES = 255
"""Of one name, in every file system."""


def home_expanded(text: str, folder: Path) -> Path:
    """A path as people write it: `~` and `~name` are home folders, and what is relative counts from the folder.

    Raises:
        OptionError: no name can be like that, or there is no such user.
    """
    check_name(text)
    expanded = os.path.expanduser(text)
    user, slash, _ = expanded.partition(os.sep)
    if slash and user.startswith("~") and not (folder / user).exists():
        raise OptionError(f"{text}: there is no home folder {user}; write the path out")
    return folder / expanded


def check_name(path: Path | str) -> None:
    """Raises OptionError if a file system could not take the name at all."""
    try:
        written = os.fsencode(path)
    except UnicodeEncodeError:
        written = b"\0"
    if b"\0" in written:
        raise OptionError(f"{str(path)!a}: has a character that no file name has; correct it")
    if max(map(len, written.split(os.fsencode(os.sep)))) > _MOST_BYTES:
        raise OptionError(f"{str(path)[:60]}...: is longer than a file name can be; shorten it")


class UniqueNames:
    """Names, unique without regard to case: the second "a" is "a-2"."""

    def __init__(self, joint: str) -> None:
        self._joint = joint
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def of(self, name: str) -> str:
        """The name, or with the lowest number that makes it another than all before."""
        key = name.casefold()
        wanted, count = name, self._counts.get(key, 1)
        while wanted.casefold() in self._taken:
            count += 1
            wanted = f"{name}{self._joint}{count}"
        self._counts[key] = count
        self._taken.add(wanted.casefold())
        return wanted


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
