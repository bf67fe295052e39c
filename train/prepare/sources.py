"""Inputs: which files, and whom each shows."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from retarget.pipeline.errors import OptionError, VideoOpenError

from ..data import SPLITS, shared_identities

PICTURE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".exr", ".dpx", ".tga", ".ppm", ".pgm", ".jp2",
})  # fmt: skip

VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mxf", ".ts", ".wmv", ".flv", ".gif",
})  # fmt: skip

LIST_SUFFIXES = frozenset({".txt", ".csv"})


@dataclass(frozen=True)
class Source:
    """One input file and what is known of it beforehand."""

    path: Path
    identity: str
    clip: str
    split: str = ""
    """Of the person, where a list says it: "train" or "eval"."""
    frame: int = 0
    """Of a picture that is one frame of a clip; a video's own frames count from it."""
    size_bytes: int = -1
    """-1 where there is no such file."""
    modified_ns: int = 0

    @property
    def is_picture(self) -> bool:
        """Whether it is one picture, by its name."""
        return self.path.suffix.lower() in PICTURE_SUFFIXES


class _Entry(NamedTuple):
    """A file as named by an input; empty where it is not said."""

    path: Path
    identity: str = ""
    clip: str = ""
    split: str = ""


def identity_of(path: Path) -> str:
    """The person a file shows, by its name: what stands before `--`, or the whole stem."""
    return path.stem.split("--")[0]


def find_sources(inputs: Sequence[Path], *, leave_out: Path | None = None) -> list[Source]:
    """The pictures and videos that the inputs name: files, folders (to the bottom), lists (.txt, .csv).

    Names of clips are relative to the folder that all the files share. A file named twice counts once, and what
    lies in the folder `leave_out` does not.

    Raises:
        VideoOpenError: an input is missing or of a kind unknown here, or nothing is in it.
        OptionError: a list that cannot be read, or an identity in both splits.
    """
    entries: dict[Path, _Entry] = {}
    for given in inputs:
        for entry in _entries(given):
            path = Path(os.path.abspath(entry.path))  # without `..`, and links as they are called
            if leave_out is None or not path.is_relative_to(os.path.abspath(leave_out)):
                entries.setdefault(path, entry)
    if not entries:
        raise VideoOpenError(f"{inputs[0] if inputs else '.'}: no pictures or videos in it; check the path")
    root = common_folder(entries)
    sources = [_source(path, entry, root) for path, entry in entries.items()]
    listed = [source for source in sources if source.split]
    if shared := shared_identities([s.identity for s in listed], [s.split == "eval" for s in listed]):
        files = [next(s.path for s in listed if s.identity == shared[0] and s.split == split) for split in SPLITS]
        raise OptionError(
            f"identity {shared[0]!r} is in both splits, train by {files[0]} and eval by {files[1]} "
            f"({len(shared)} such); give each person one split"
        )
    return sources


def names_of(sources: Sequence[Source]) -> list[str]:
    """The files relative to the folder that they all are in."""
    root = common_folder(source.path for source in sources)
    return [source.path.relative_to(root).as_posix() for source in sources]


def common_folder(paths: Iterable[Path]) -> Path:
    """The folder that all the files are in."""
    return Path(os.path.commonpath([path.parent for path in paths]))


def _entries(given: Path) -> Iterator[_Entry]:
    suffix = given.suffix.lower()
    if given.is_dir():
        known = PICTURE_SUFFIXES | VIDEO_SUFFIXES
        found = (path for path in given.rglob("*") if path.suffix.lower() in known and path.is_file())
        yield from (_Entry(path) for path in sorted(found) if not path.name.startswith("."))
    elif not given.exists():
        raise VideoOpenError(f"{given}: no such file or folder; check the path")
    elif suffix in LIST_SUFFIXES:
        yield from _listed(given)
    elif suffix in PICTURE_SUFFIXES | VIDEO_SUFFIXES:
        yield _Entry(given)
    else:
        raise VideoOpenError(f"{given}: neither a picture, a video, a folder, nor a list (.txt, .csv)")


def _listed(file: Path) -> Iterator[_Entry]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        lines = text.splitlines()
        if file.suffix.lower() == ".txt":
            named = [{"file": line.strip()} for line in lines if line.strip() and not line.startswith("#")]
        else:
            named = [{name.strip(): (cell or "").strip() for name, cell in row.items() if name}
                     for row in csv.DictReader(lines)]  # fmt: skip
    except (OSError, UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise OptionError(f"{file}: cannot be read as a list ({error}); write a path a line") from error
    if named and "file" not in named[0]:
        raise OptionError(f"{file}: has no column 'file'; columns are file and, if known, identity, clip, split")
    for line, row in enumerate(named, 2):
        split = row.get("split", "")
        if split not in ("", *SPLITS):
            raise OptionError(
                f"{file}: line {line}, column split: {split!r}; use train or eval, or leave it empty"
            )
        yield _Entry(file.parent / row["file"], row.get("identity", ""), row.get("clip", ""), split)


def said_of(sources: Iterable[Source]) -> dict[str, bool]:
    """Of the people of whom a list says it: whether they are set aside for evaluation."""
    return {source.identity: source.split == "eval" for source in sources if source.split}


def _source(path: Path, entry: _Entry, root: Path) -> Source:
    identity = entry.identity or identity_of(path)
    name = path.relative_to(root).as_posix()
    clip, frame = (name, 0) if path.suffix.lower() in VIDEO_SUFFIXES else _picture_clip(name)
    try:
        stat = path.stat()
    except OSError:
        return Source(path, identity, entry.clip or clip, entry.split, frame)
    return Source(path, identity, entry.clip or clip, entry.split, frame, stat.st_size, stat.st_mtime_ns)


def _picture_clip(name: str) -> tuple[str, int]:
    """(clip, frame) of a picture's path: of NAME--VIDEO--FRAME what is before FRAME, else a clip of its own."""
    whole = name.removesuffix(Path(name).suffix)
    clip, _, last = whole.rpartition("--")
    if "--" not in Path(clip).name:
        return whole, 0
    return clip, int(last) if last.isascii() and last.isdigit() else 0
