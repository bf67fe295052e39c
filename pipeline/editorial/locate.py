"""Finds the file that a clip is cut from: where the timeline says, or by its name in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Any

import opentimelineio as otio

from ..files import parse_pattern, suffixes
from .media_info import has_media
from .shot import MEDIA_SUFFIXES


class MediaFinder:
    """Finds a clip's file: where the timeline says, or by name in a folder."""

    def __init__(self, timeline_folder: Path, folder: Path | None) -> None:
        """`folder` is searched with its subfolders; None: what lies beside the timeline."""
        self._timeline_folder, self._folder = timeline_folder, folder

    def find(self, clip: Any) -> tuple[Path | None, str]:
        """The file of a clip, or None and what is wrong."""
        said = list(self._said(clip))
        for path in said:
            if has_media(path):
                return path, ""
        names = list(dict.fromkeys(map(_last_part, [*(path.name for path in said), *_names_of(clip)])))
        for name in names:
            found = self._named(name)
            if len(found) > 1:
                return None, f"{name} is there twice ({found[0]} and {found[1]}); keep one in the media folder"
            if found:
                return found[0], ""
        where = f"in {self._folder}" if self._folder else f"beside the timeline in {self._timeline_folder}"
        hint = "check the folder" if self._folder else "say where with 'media: FOLDER'"
        return None, f"no media called {' or '.join(names) or 'anything'} {where}; {hint}"

    def _said(self, clip: Any) -> Iterator[Path]:
        """Where the timeline says the file is; relative places count from the timeline and the media folder."""
        reference = clip.media_reference
        if isinstance(reference, otio.schema.ImageSequenceReference):
            path = _path_of(reference.target_url_base) / (
                f"{reference.name_prefix}%0{max(reference.frame_zero_padding, 1)}d{reference.name_suffix}"
            )
        elif isinstance(reference, otio.schema.ExternalReference) and not _is_faded_into(clip):
            path = _path_of(reference.target_url or "")
        else:
            return
        if not path.name:
            return
        yield self._timeline_folder / path
        if self._folder is not None and not path.is_absolute():
            yield self._folder / path

    def _named(self, name: str) -> list[Path]:
        """By the whole name, else a film, picture or sequence of that name. Suffix and case do not matter."""
        whole, stems = self._index
        key = name.casefold()
        stem = Path(key).stem if Path(key).suffix in MEDIA_SUFFIXES else key
        return whole.get(key) or stems.get(key) or stems.get(stem, [])

    @cached_property
    def _index(self) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
        """The files by whole name, and films, pictures and sequences by stem; all in lower case."""
        whole: dict[str, list[Path]] = {}
        stems: dict[str, list[Path]] = {}
        for path in self._candidates():
            whole.setdefault(path.name.casefold(), []).append(path)
            if path.suffix.lower() in MEDIA_SUFFIXES:
                stems.setdefault(path.stem.casefold(), []).append(path)
        for sequence in _sequences(path for paths in whole.values() for path in paths):
            pattern = parse_pattern(sequence)
            if pattern is not None:
                stems.setdefault(pattern.stem.casefold(), []).append(sequence)
        return whole, stems

    def _candidates(self) -> Iterator[Path]:
        if self._folder is None:
            yield from sorted(path for path in self._timeline_folder.iterdir() if path.is_file())
            return
        for folder, folders, files in os.walk(self._folder):
            folders.sort()
            yield from (Path(folder, file) for file in sorted(files) if not file.startswith("."))


def _sequences(pictures: Iterable[Path]) -> list[Path]:
    """The numbered pictures as sequences, `sh010.%04d.exr` once for all of its pictures."""
    found: dict[Path, None] = {}
    for path in pictures:
        numbered = re.fullmatch(r"(.*?)(\d+)", path.stem)
        if numbered and path.suffix.lower() in suffixes.PLATES:
            found[path.with_name(f"{numbered[1]}%0{len(numbered[2])}d{path.suffix}")] = None
    return list(found)


def _path_of(url: str) -> Path:
    return Path(otio.url_utils.filepath_from_url(url) if url.startswith("file:") else url)


def _last_part(name: str) -> str:
    r"""The name without folders as Windows writes them: `C:\plates\a.mov`, `\\server\plates\a.mov`."""
    return PureWindowsPath(name).name if "\\" in name else name


def _names_of(clip: Any) -> Iterator[str]:
    """What the file may be called: as the list says ("SOURCE FILE"), by the clip's name ("FROM CLIP NAME"), or its
    reel."""
    said = clip.metadata.get("cmx_3600", {})
    for name in (said.get("source_file", ""), clip.name, said.get("reel", "")):
        if name:
            yield str(name)


def _is_faded_into(clip: Any) -> bool:
    """Whether an EDL's transition leads into the clip: its FROM CLIP comment is then about the one before."""
    track = clip.parent()
    place = track.index(clip)
    before = track[place - 1] if place else None
    return isinstance(before, otio.schema.Transition) and "cmx_3600" in before.metadata
