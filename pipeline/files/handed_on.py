"""What is handed on to others: files by their places beside it, and nothing of whose machine it was."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def portable(value: Any, folder: Path, named: Iterable[str] = ()) -> Any:
    """Plain values (dicts, lists, text) in which files are told from the folder they are written to.

    Every text that is an absolute path, and each of `named` (paths as they were said, from the current folder), is
    replaced wherever it stands in any text; of the user's home only "~" is left.
    """
    names = {path: relative_to(path, folder) for path in (*named, *filter(os.path.isabs, _texts(value)))}
    replaced = sorted(names.items(), key=lambda pair: -len(pair[0]))
    home = str(Path.home())

    def shown(text: str) -> str:
        for path, name in replaced:
            text = text.replace(path, name)
        return text.replace(home, "~") if len(home) > 1 else text

    return _changed(value, shown)


def relative_to(path: str | Path, folder: Path) -> str:
    """The way from the folder to the file, with "/"; on another drive, its name."""
    try:
        return Path(os.path.relpath(os.path.abspath(path), os.path.abspath(folder))).as_posix()
    except ValueError:
        return Path(path).name


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _changed(value: Any, shown: Any) -> Any:
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {key: _changed(item, shown) for key, item in value.items()}
    return [_changed(item, shown) for item in value] if isinstance(value, list | tuple) else value
