"""JSON from strangers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from retarget.model import plain_json
from retarget.model.plain_json import parse_json


@pytest.mark.parametrize("value", [None, True, 1, -(10**17), 0.5, 1e300, "é", [1, [2]], {"a": {"b": []}}])
def test_plain_values(value: Any) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "text",
    ["", "{", "NaN", "[Infinity]", "-Infinity", "1e999", "[-1e999]", "1" * 21, "1" * 5000, "[" * 100_000,
     '{"a":' * 100_000, b"\xff", "[1] 2"],
)  # fmt: skip
def test_all_else_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are the caller's
        parse_json(text)


def test_more_than_makes_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_json, "_MOST_CHARACTERS", 3)
    with pytest.raises(ValueError, match="longer than makes sense"):
        parse_json("[1,2]")
