"""OpenTimelineIO files from strangers: looked at as JSON before the library sees them.

The library trusts its files: a null where it wants an object ends the process, a rate of 0 an assertion. So every
object that it would make is held against what it is made of here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from retarget.model.plain_json import parse_json

_MOST_DEPTH = 100
_MOST = 1e12
"""Of any number: a thousand years of frames."""

_SCHEMA = re.compile(r"[A-Za-z_]\w{0,60}\.[0-9]{1,3}", re.ASCII)
_ITEMS = frozenset({"Clip", "Gap", "Transition", "Stack", "Track"})
_REFERENCES = frozenset({"ExternalReference", "ImageSequenceReference", "MissingReference", "GeneratorReference"})
_EFFECTS = frozenset({"Effect", "TimeEffect", "LinearTimeWarp", "FreezeFrame"})

_OBJECTS: Mapping[str, frozenset[str]] = {
    "start_time": frozenset({"RationalTime"}),
    "duration": frozenset({"RationalTime"}),
    "in_offset": frozenset({"RationalTime"}),
    "out_offset": frozenset({"RationalTime"}),
    "global_start_time": frozenset({"RationalTime"}),
    "source_range": frozenset({"TimeRange"}),
    "available_range": frozenset({"TimeRange"}),
    "marked_range": frozenset({"TimeRange"}),
    "range": frozenset({"TimeRange"}),
    "tracks": frozenset({"Stack"}),
    "media_reference": _REFERENCES,
    "available_image_bounds": frozenset({"Box2d"}),
    "min": frozenset({"V2d"}),
    "max": frozenset({"V2d"}),
}
"""Fields that hold an object, and of what kind."""
_MAY_BE_NULL = frozenset(
    {"global_start_time", "source_range", "available_range", "media_reference", "available_image_bounds"}
)
_LISTS: Mapping[str, frozenset[str]] = {"children": _ITEMS, "effects": _EFFECTS, "markers": frozenset({"Marker"})}
"""Fields that hold a list of objects, and of what kinds."""
_COLLECTED = frozenset({"Timeline", *_ITEMS})
_KNOWN = frozenset(
    {"SerializableCollection", *_COLLECTED, *_REFERENCES, *_EFFECTS, "Marker", "TimeRange", "RationalTime",
     "Box2d", "V2d", "TimeTransform", "Color"}
)  # fmt: skip
_REFUSED = frozenset({"SerializableObjectRef"})
"""Leads from one object to another, in circles perhaps."""
_TEXTS = frozenset(
    {"name", "kind", "target_url", "target_url_base", "name_prefix", "name_suffix", "effect_name",
     "generator_kind", "transition_type", "active_media_reference_key", "missing_frame_policy", "comment"}
)  # fmt: skip


def checked_otio(text: str) -> str:
    """The same timeline as text that the library can be given.

    Raises:
        ValueError: no JSON, or not what the library makes its objects from; says where.
    """
    root = parse_json(text)
    if not isinstance(root, dict) or "OTIO_SCHEMA" not in root:
        raise ValueError("no OTIO_SCHEMA")
    _check(root, "", 0)
    return json.dumps(root)


def _check(value: Any, where: str, depth: int) -> None:
    if depth > _MOST_DEPTH:
        raise ValueError(f"{where[:80]}: nested too deep")
    if isinstance(value, dict):
        if "OTIO_SCHEMA" in value:
            _check_object(value, where)
        for key, item in value.items():
            _check(item, f"{where}.{key}" if where else key, depth + 1)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            _check(item, f"{where}[{i}]", depth + 1)
    elif isinstance(value, int | float) and not abs(value) <= _MOST:
        raise ValueError(f"{where}: {value} is more than makes sense")


def _check_object(made: Mapping[str, Any], where: str) -> None:
    """Raises ValueError if one of its fields holds what the library does not expect there."""
    kind = _kind_of(made)
    if not kind or kind in _REFUSED:
        raise ValueError(f"{where or 'it'} is {str(made['OTIO_SCHEMA'])[:40]!r}, which is not read")
    if kind not in _KNOWN:  # some program's own, which the library keeps as it is
        return
    for name, value in made.items():
        if not _fits(kind, name, value):
            shown = str(value)[:40]
            raise ValueError(f"{where + '.' if where else ''}{name}: {shown!r} does not belong there")
    if kind in _REQUIRED and not _REQUIRED[kind] <= made.keys():
        raise ValueError(f"{where or 'it'} lacks {', '.join(sorted(_REQUIRED[kind] - made.keys()))}")
    if "media_references" in made and made.get("active_media_reference_key") not in made["media_references"]:
        raise ValueError(f"{where}.active_media_reference_key names no reference")


_REQUIRED: Mapping[str, frozenset[str]] = {
    "Timeline": frozenset({"tracks"}),
    "RationalTime": frozenset({"rate", "value"}),
    "TimeRange": frozenset({"start_time", "duration"}),
    "Transition": frozenset({"in_offset", "out_offset"}),
    "Stack": frozenset({"children"}),
    "Track": frozenset({"children"}),
    "SerializableCollection": frozenset({"children"}),
}


def _kind_of(value: Any) -> str:
    """The object's schema without its version; "" if it is none."""
    schema = value.get("OTIO_SCHEMA") if isinstance(value, dict) else None
    return schema.partition(".")[0] if isinstance(schema, str) and _SCHEMA.fullmatch(schema) else ""


def _fits(kind: str, name: str, value: Any) -> bool:
    if name in _OBJECTS:
        return (value is None and name in _MAY_BE_NULL) or _kind_of(value) in _OBJECTS[name]
    if name in _LISTS:
        kinds = _COLLECTED if kind == "SerializableCollection" else _LISTS[name]
        return isinstance(value, list) and all(_is_listed(_kind_of(item), name, kinds) for item in value)
    if name == "media_references":
        return isinstance(value, dict) and all(_kind_of(item) in _REFERENCES for item in value.values())
    if name in ("metadata", "parameters"):
        return isinstance(value, dict) and "OTIO_SCHEMA" not in value
    if name in _TEXTS:
        return value is None or isinstance(value, str)
    return name not in _NUMBERS or _NUMBERS[name](value)


def _is_listed(kind: str, name: str, kinds: frozenset[str]) -> bool:
    is_strange = bool(kind) and kind not in _KNOWN and kind not in _REFUSED
    return kind in kinds or (name == "effects" and is_strange)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_NUMBERS: Mapping[str, Callable[[Any], bool]] = {
    "rate": lambda value: _is_number(value) and 0 < value <= 1e6,
    "value": _is_number,
    "time_scalar": lambda value: _is_number(value) and abs(value) <= 1e6,
    "start_frame": lambda value: type(value) is int and abs(value) < 1 << 31,
    "frame_step": lambda value: type(value) is int and 0 < value < 1 << 31,
    "frame_zero_padding": lambda value: type(value) is int and 0 <= value <= 32,
    "enabled": lambda value: isinstance(value, bool),
}
"""Whether a field of that name may have the value."""
