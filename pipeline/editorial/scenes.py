"""Reads PySceneDetect's scene list, `-Scenes.csv`: frames count from 1, the last one belongs to the scene."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from ..files import delimiter_of
from .timeline import TimelineError

_COLUMNS = ("Scene Number", "Start Frame", "End Frame")


@dataclass(frozen=True)
class Scene:
    """A line of the list."""

    number: int
    first: int
    """Frame, from 1."""
    last: int
    """Frame; it belongs to the scene."""


def is_scene_list(text: str) -> bool:
    """Whether the text is a scene list of PySceneDetect's, with or without its line of cut times."""
    return any(_COLUMNS[0] in line and _COLUMNS[1] in line for line in text.splitlines()[:2])


def read_scenes(path: Path, text: str) -> list[Scene]:
    """At least one scene; the line of cut times above the header is optional.

    Raises:
        TimelineError: no scene list, or a line of it that makes no sense.
    """
    if not is_scene_list(text):
        raise TimelineError(
            f"{path}: is no scene list; write one with `scenedetect -i FILM detect-content list-scenes`"
        )
    lines = text.splitlines()
    top = next(i for i, line in enumerate(lines) if _COLUMNS[0] in line)
    scenes = []
    rows = csv.DictReader(io.StringIO("\n".join(lines[top:])), delimiter=delimiter_of(lines[top]))
    for row in rows:
        line = top + rows.line_num
        try:
            scene = Scene(*(int(row[name]) for name in _COLUMNS))
        except (KeyError, TypeError, ValueError) as error:
            raise TimelineError(
                f"{path}:{line}: needs whole numbers for {', '.join(_COLUMNS)}; write the list again"
            ) from error
        if not 1 <= scene.first <= scene.last:
            raise TimelineError(
                f"{path}:{line}: scene {scene.number} runs from frame {scene.first} to {scene.last}; correct it"
            )
        scenes.append(scene)
    if not scenes:
        raise TimelineError(f"{path}: lists no scene; detect them again with another threshold")
    return scenes
