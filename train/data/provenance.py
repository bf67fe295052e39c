"""What checkpoints say of how they were made, and from whom."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def person_marks(names: Iterable[str]) -> list[str]:
    """What a checkpoint says of the people it was trained on: enough to recognise them, without naming them."""
    return sorted(hashlib.sha256(name.encode()).hexdigest()[:12] for name in names)


def trained_people(provenance: Mapping[str, Any]) -> set[str] | None:
    """Marks (`person_marks`) of the people a checkpoint was made from; None if its provenance does not say."""
    data = provenance.get("data")
    marks = data.get("people") if isinstance(data, Mapping) else None
    return {str(mark) for mark in marks} if isinstance(marks, Sequence) and not isinstance(marks, str) else None


def set_aside_people(provenance: Mapping[str, Any]) -> set[str]:
    """Marks of those of the people whom the run only looked at."""
    data = provenance.get("data")
    marks = data.get("set_aside", ()) if isinstance(data, Mapping) else ()
    return {str(mark) for mark in marks}


def people_of(*known: Collection[str] | None) -> dict[str, list[str]]:
    """For provenance: everybody's marks; no word of people where one part does not say whom it knows (None)."""
    marks = [part for part in known if part is not None]
    return {"people": sorted(set().union(*marks))} if len(marks) == len(known) else {}


def of_geometry(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """How a checkpoint's geometry was made: the file of a geometry alone says so at its top."""
    known = provenance if provenance.get("command") == "fit-geometry" else provenance.get("geometry", {})
    return {key: value for key, value in known.items() if key != "data"}


def file_mark(path: Path) -> str:
    """Of a file's content: the first 16 hexadecimal digits of its SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def known_among(names: Iterable[str], marks: Collection[str]) -> list[str]:
    """Those of the people whom the marks know, in alphabetical order."""
    return sorted(name for name in set(names) if person_marks([name])[0] in marks)
