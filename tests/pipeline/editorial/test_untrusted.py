"""Timelines from strangers, before the library sees them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.editorial import load_timeline
from retarget.pipeline.editorial.untrusted import checked_otio
from retarget.pipeline.errors import OptionError

SEED = (Path(__file__).parents[2] / "hostile/seed.otio").read_text(encoding="utf-8")


def _clip(document: Any) -> Any:
    return document["tracks"]["children"][0]["children"][0]


def _set(where: Callable[[Any], Any], key: str, value: Any) -> Callable[[Any], None]:
    return lambda document: where(document).__setitem__(key, value)


ATTACKS: dict[str, Callable[[Any], Any]] = {
    "no tracks": _set(lambda d: d, "tracks", None),
    "a null among the children": lambda d: d["tracks"]["children"].append(None),
    "a null among the effects": lambda d: _clip(d)["effects"].append(None),
    "a null reference": _set(lambda d: _clip(d)["media_references"], "DEFAULT_MEDIA", None),
    "a key without its reference": _set(_clip, "active_media_reference_key", "x"),
    "a rate of 0": _set(lambda d: d["global_start_time"], "rate", 0),
    "a rate below 0": _set(lambda d: d["global_start_time"], "rate", -24),
    "a rate that is none": _set(lambda d: d["global_start_time"], "rate", float("nan")),
    "a time without an end": _set(lambda d: d["global_start_time"], "value", float("inf")),
    "a time of text": _set(lambda d: d["global_start_time"], "value", "0"),
    "a range of text": _set(_clip, "source_range", "0-24"),
    "a range without its duration": lambda d: _clip(d)["source_range"].pop("duration"),
    "a track as a clip's range": _set(_clip, "source_range", {"OTIO_SCHEMA": "Track.1", "children": []}),
    "a name that is none": _set(_clip, "name", 3),
    "metadata that is an object": _set(_clip, "metadata", {"OTIO_SCHEMA": "Timeline.1", "tracks": None}),
    "an object hidden in metadata": _set(_clip, "metadata", {"x": {"OTIO_SCHEMA": "Timeline.1", "tracks": None}}),
    "a way back to itself": _set(_clip, "metadata", {"x": {"OTIO_SCHEMA": "SerializableObjectRef.1", "id": "a"}}),
    "a version without an end": _set(_clip, "OTIO_SCHEMA", "Clip." + "9" * 30),
    "a schema that is none": _set(_clip, "OTIO_SCHEMA", None),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_the_library_stumbles_over_is_refused_in_one_line(tmp_path: Path, attack: str) -> None:
    document = json.loads(SEED)
    ATTACKS[attack](document)
    path = tmp_path / "cut.otio"
    path.write_text(json.dumps(document))
    with pytest.raises(
        OptionError, match=r"cut\.otio: is no OpenTimelineIO file \(.*\); export it again"
    ) as caught:
        load_timeline(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 10_000, '{"OTIO_SCHEMA": "Timeline.1"}', '{"a": ' * 500])
def test_what_is_no_timeline(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are the reader's
        checked_otio(text)


def test_too_deep() -> None:
    document: Any = {"OTIO_SCHEMA": "Stack.1", "children": []}
    for _ in range(200):
        document = {"OTIO_SCHEMA": "Stack.1", "children": [document]}
    with pytest.raises(ValueError, match="nested too deep"):
        checked_otio(json.dumps(document))


def test_what_other_programs_write_is_kept() -> None:
    document = json.loads(SEED)
    _clip(document)["effects"].append({"OTIO_SCHEMA": "StudioGrade.3", "amount": 0.5})
    _clip(document)["metadata"] = {"studio": {"anything": [1, None, {"rate": "x"}]}}
    assert json.loads(checked_otio(json.dumps(document))) == document
