"""Captures as JSON or JSON lines, as MediaPipe's results are kept: a record a frame, blendshapes in it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import DriverError
from ..faces import blendshapes
from ..timecode import rate_of
from .audio2face import is_audio2face_json
from .audio2face import unpacked as audio2face_unpacked
from .capture_csv import open_text
from .capture_table import CaptureSource, Header, Row, number_in
from .capture_time import is_time_name

_MOST_DEPTH = 12
_SHAPES_OF_A_FACE = 3
"""Fewer names that look like blendshapes are chance."""


def unpacked(path: Path) -> CaptureSource:
    """The file as a table, a row a face and frame.

    Raises:
        DriverError: no JSON, or none that has frames with blendshapes; the message says what it has.
    """
    document = _document(path)
    if is_audio2face_json(document):
        return audio2face_unpacked(path, document)
    frames = _frames(document)
    found = [(number, _moment(frame), list(_faces(frame))) for number, frame in enumerate(frames, 1)]
    if not any(faces for _, _, faces in found):
        raise DriverError(f"{path}: JSON without blendshapes in it; it has {_described(document)}")
    whens = list(dict.fromkeys(name for _, moment, _ in found for name in moment))
    shapes = list(dict.fromkeys(name for _, _, faces in found for face in faces for name in face))

    def rows() -> Iterator[Row]:
        for number, moment, faces in found:
            for place, face in enumerate(faces or [{}]):
                when = [_text(moment.get(name)) for name in whens]
                yield number, [str(place), *when, *(_text(face.get(name)) for name in shapes)]

    header = Header(tuple(name.lower() for name in ("face_id", *whens, *shapes)))
    return CaptureSource(path, header, rows, own_rate=_rate(document), packing="json")


def _document(path: Path) -> Any:
    with open_text(path) as file:
        text = file.read()
    try:
        return json.loads(text)
    except RecursionError as error:
        raise DriverError(f"{path}: nested too deep for a capture; export it again") from error
    except ValueError as error:
        if "\n" not in text.strip():
            raise DriverError(f"{path}: is no whole JSON ({error}); export it again") from error
    return [_line(path, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _line(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DriverError(f"{path}: line {number}: is no whole JSON ({error}); export it again") from error


def _frames(document: Any) -> Sequence[Any]:
    """The frames: the document itself, the longest list of records in it, its columns, or its numbered records."""
    if isinstance(document, list):
        return document
    if isinstance(document, Mapping) and (numbered := _numbered(document)):
        return numbered
    if isinstance(document, Mapping) and (columns := _columns(document)):
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    lists = [v for v in document.values() if _is_records(v)] if isinstance(document, Mapping) else []
    own_shapes = isinstance(document, Mapping) and any(True for _ in _faces(document))
    if lists and not (own_shapes and _moment(document)):
        return max(lists, key=len)
    return [document]


def _numbered(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Records under numbers: of frames if they follow each other, else times."""
    is_numbered = all(isinstance(v, Mapping) and not math.isinf(number_in(k)) for k, v in document.items())
    if len(document) < 2 or not is_numbered:
        return []
    numbers = [number_in(key) for key in document]
    follow = all(after - before == 1 for before, after in itertools.pairwise(numbers))
    return [{"frame" if follow else "timestamp": key, **value} for key, value in document.items()]


def _columns(document: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Lists of numbers under names, all of one length, blendshapes among them."""
    lists = {k: v for k, v in document.items() if isinstance(v, list) and not _is_records(v)}
    known = [name for name in lists if blendshapes.known_name(name) is not None]
    same = {name: lists[name] for name in lists if known and len(lists[name]) == len(lists[known[0]])}
    return same if len(known) >= _SHAPES_OF_A_FACE and len(same) == len(lists) else {}


def _rate(document: Any) -> Fraction | None:
    """The frame rate that the document says beside its frames."""
    if not isinstance(document, Mapping):
        return None
    said = next(
        (document[key] for key in ("fps", "frameRate", "frame_rate", "framerate") if key in document), None
    )
    try:
        return None if said is None else rate_of(str(said))
    except ValueError:
        return None


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _moment(frame: Any) -> dict[str, Any]:
    """What a frame says of its time, at the top or one level below."""
    if not isinstance(frame, Mapping):
        return {}
    below = {
        k: v for inner in frame.values() if isinstance(inner, Mapping) for k, v in inner.items() if is_time_name(k)
    }
    own = {k: v for k, v in frame.items() if is_time_name(k)}
    return {k: v for k, v in {**below, **own}.items() if isinstance(v, str | int | float)}


def _faces(node: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The blendshapes of each face in a frame: `{jawOpen: 0.1}`, or `[{categoryName: jawOpen, score: 0.1}]`."""
    if depth > _MOST_DEPTH:
        return
    shapes = _named_scores(node) if isinstance(node, list) else dict(node) if isinstance(node, Mapping) else {}
    known = {name: value for name, value in shapes.items() if blendshapes.known_name(str(name)) is not None}
    if len(known) >= _SHAPES_OF_A_FACE and not any(isinstance(value, list | Mapping) for value in known.values()):
        yield known
        return
    inner = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    for item in inner:
        yield from _faces(item, depth + 1)


def _named_scores(items: Sequence[Any]) -> dict[str, Any]:
    scores: dict[str, Any] = {}
    for item in items:
        if isinstance(item, Mapping):
            name = next((item[key] for key in ("categoryName", "category_name", "name") if key in item), None)
            value = next((item[key] for key in ("score", "value", "weight") if key in item), None)
            if isinstance(name, str):
                scores[name] = value
    return scores


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _described(document: Any) -> str:
    if isinstance(document, Mapping):
        return f"keys {', '.join(map(str, list(document)[:8]))}" if document else "nothing"
    if isinstance(document, list):
        first = document[0] if document else None
        return f"a list of {len(document)}" + (f", of {_described(first)}" if isinstance(first, Mapping) else "")
    return f"a {type(document).__name__}"
