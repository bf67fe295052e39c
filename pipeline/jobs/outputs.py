"""Whether outputs can be: no two jobs write one file, none writes what another reads, folders take them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..files import SequencePattern, parse_pattern
from ..media import EncodeOptions
from ..option_table import options_of
from .cells import Mistakes, Place
from .drafts import Draft
from .job import Job
from .names import encode_error


def check_encoding(draft: Draft, path: Path, mistakes: Mistakes) -> None:
    """Each encoding option on top of the encoder alone, so that each has its own line."""
    suffix = f".%04d{path.suffix}" if parse_pattern(path) else path.suffix
    error = encode_error(suffix, EncodeOptions(codec=draft.options.encode.codec))
    if error is not None:
        mistakes.add(draft.place_of("encoder", "output", "name"), error)
        return
    for option in options_of(EncodeOptions):
        value = getattr(draft.options.encode, option.field)
        alone = EncodeOptions(**{"codec": draft.options.encode.codec, option.field: value})
        if value is not None and (error := encode_error(suffix, alone)):
            mistakes.add(draft.place_of(option.key), error)


def check_outputs(
    jobs: Sequence[Job], places: Sequence[Place], inputs: Sequence[tuple[Path, str]], mistakes: Mistakes
) -> None:
    """No two jobs write one file, none writes what another reads, and every folder can be written to.

    `places` is where each job was said, by its index; `inputs` is every file that is read, and in which words.
    """
    read = {_exact_key(path): words for path, words in reversed(inputs)}
    numbered = [(pattern, words) for path, words in inputs if (pattern := parse_pattern(path))]
    taken: dict[str, Job] = {}
    for job in jobs:
        where = places[job.index - 1]
        key = unicodedata.normalize("NFC", _exact_key(job.output)).casefold()
        other = taken.setdefault(key, job)
        if other is not job:
            which = other.where if other.where != job.where else f"{other.source.name} of the same entry"
            how = "" if other.output == job.output else ", but for upper and lower case"
            hint = "add {index} or {source_folder} to the name"
            mistakes.add(where, f"output {job.output} is also that of {which}{how}; {hint}")
        words = (
            read.get(_exact_key(job.output)) or _picture_of(job.output, numbered) or _overwritten(job.output, read)
        )
        folder = os.path.realpath(job.output.parent)
        if folder in read and os.path.isdir(folder):
            mistakes.add(where, f"output {job.output}: lies in {folder}, which is {read[folder]}; write elsewhere")
        if words:
            mistakes.add(where, f"output {job.output}: is {words}; write to another name")
        trouble = _folder_trouble(job.output)
        if trouble:
            mistakes.add(where, f"output {job.output}: {trouble}")


def _exact_key(path: Path) -> str:
    """One name for a file, however its path is written; all pictures of a sequence have one."""
    pattern = parse_pattern(path)
    if pattern is None:
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(pattern.folder), f"{pattern.prefix}\0{pattern.suffix}")


def _picture_of(output: Path, numbered: Iterable[tuple[SequencePattern, str]]) -> str:
    """The words for the sequence that a single picture would be written into."""
    beside = [
        words
        for pattern, words in numbered
        if pattern.suffix.endswith(output.suffix) and output in pattern.files().values()
    ]
    return f"a picture of {beside[0]}" if beside else ""


def _overwritten(output: Path, read: Mapping[str, str]) -> str:
    """The words for what is read among the pictures that a sequence replaces."""
    pattern = parse_pattern(output)
    files = pattern.files().values() if pattern else []
    return next((words for file in files if (words := read.get(os.path.realpath(file), ""))), "")


def _folder_trouble(output: Path) -> str:
    if output.is_dir():
        return "is a folder; give a file name in it"
    folder = output.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return f"{folder} is a file, not a folder; name another folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the folder {folder} is not writable; check its permissions"
    return ""
