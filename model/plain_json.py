"""JSON from strangers: plain values, or a ValueError, whatever the text is."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

_MOST_CHARACTERS = 1 << 29
_MOST_DIGITS = 20


def parse_json(text: str | bytes) -> Any:
    """The text as dicts, lists, text, finite numbers, bools and None.

    Raises:
        ValueError: no JSON, or it is nested deeper or longer than makes sense, or holds numbers that are none
            (NaN, 1e999) or of more digits than anything counts.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ValueError("is longer than makes sense")
    try:
        return json.loads(text, parse_float=_number, parse_int=_whole, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("is nested too deep") from error


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _refuse(text)
    return value


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        _refuse(text)
    return int(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} is no number that anything has")
