"""Damage of every kind to a file that was whole: reproducible, by a seed."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable
from typing import Any

WORDS = (
    "", "0", "-1", "1e999", "-1e999", "nan", "inf", "1e300", "9" * 40, "0.5", "null", "true", "~",
    "~nobody_here/x", "../../../etc/passwd", "/dev/zero", "\x00", "\x1b]0;x\x07", "\u202e",
    "{index:1000000000d}", "%01000000000d", "%99d", "####", "&a",
    "*a", "!!python/object/apply:os.system [x]", "<<: *a", "- " * 50,
    "[" * 50, "{" * 50,
    "'", '"', "\t", "\r", ";", ",", "|", "=cmd()", "é", "00:00:00:99", "99:99:99:99", "10:00:00;00", "1f", "-5f",
    "1/0", "24000/1001", "AU12", "AU99", "all", "person:99", "*.mp4", "1001-99999999####", "\ud800",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 0.5, float("nan"), float("inf"), -1e300, 10**30, "", "x", "\x00", "\ud800", [], {},
    [None],
    {"OTIO_SCHEMA": "Clip.2"}, {"OTIO_SCHEMA": "RationalTime.1", "rate": 0, "value": 0}, {"OTIO_SCHEMA": "Foo.1"},
    {"OTIO_SCHEMA": "SerializableObjectRef.1", "id": "x"}, {"OTIO_SCHEMA": "Stack.1", "children": [None]},
    24, 23.976, 1, 12.0, 1000000, "a.mov", "DEFAULT_MEDIA",
    {"OTIO_SCHEMA": "RationalTime.1", "rate": 25, "value": 7},
    "file:///etc/passwd", "http://127.0.0.1:9/a.mov",
)  # fmt: skip


def mutated_text(text: str, chance: random.Random) -> bytes:
    """Some tokens, lines and bytes of a text put elsewhere, doubled, or replaced by what readers stumble over."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        text = chance.choice((_token, _token, _token, _line, _cut, _insert))(text, chance)
    data = text.encode("utf-8", "surrogatepass")
    return mutated_bytes(data, chance) if chance.random() < 0.15 else data


def mutated_bytes(data: bytes, chance: random.Random) -> bytes:
    """Bits turned, blocks zeroed, moved, doubled or cut off."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if not changed:
            break
        at, many = chance.randrange(len(changed)), chance.choice((1, 2, 4, 64, 1024))
        how = chance.randrange(7)
        if how == 0:
            changed[at] ^= 1 << chance.randrange(8)
        elif how == 1:
            changed[at : at + many] = chance.randbytes(len(changed[at : at + many]))
        elif how == 2:
            changed[at : at + 4] = chance.choice(
                (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0")
            )
        elif how == 3:
            del changed[at : at + many]
        elif how == 4:
            changed[at:at] = changed[at : at + many]
        elif how == 5 and chance.random() < 0.3:
            del changed[at:]
        else:
            other = chance.randrange(len(changed))
            changed[at : at + many] = changed[other : other + many]
    return bytes(changed)


def mutated_header(data: bytes, size: int, chance: random.Random) -> bytes:
    """As `mutated_bytes`, mostly of the first so many bytes and the last, where containers keep what they say."""
    if chance.random() < 0.6:
        return mutated_bytes(data[:size], chance) + data[size:]
    if chance.random() < 0.5:
        return data[:-size] + mutated_bytes(data[-size:], chance)
    return mutated_bytes(data, chance)


def mutated_json(text: str, chance: random.Random) -> bytes:
    """Values of a JSON replaced, moved, taken away."""
    document = json.loads(text)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        places = list(_places(document))
        if not places:
            break
        holder, key = chance.choice(places)
        how = chance.random()
        if how < 0.6:
            holder[key] = copy.deepcopy(chance.choice(VALUES))
        elif how < 0.7:
            del holder[key]
        else:
            other, name = chance.choice(places)
            holder[key] = json.loads(json.dumps(other[name])) if _has(other, name) else None
    data = json.dumps(document).encode("utf-8", "surrogatepass")
    return mutated_bytes(data, chance) if chance.random() < 0.1 else data


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from _places(item)


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)


_TOKEN = re.compile(r"[\w.+-]+|[^\w\s]")


def _token(text: str, chance: random.Random) -> str:
    tokens = list(_TOKEN.finditer(text))
    if not tokens:
        return text
    found = chance.choice(tokens)
    new = chance.choice(WORDS) if chance.random() < 0.6 else chance.choice(tokens)[0]
    return text[: found.start()] + new + text[found.end() :]


def _line(text: str, chance: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    if not lines:
        return text
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    how: Callable[[], object] = chance.choice(
        (lambda: lines.pop(at), lambda: lines.insert(other, lines[at]), lambda: lines.insert(at, lines[at] * 3))
    )
    how()
    return "".join(lines)


def _cut(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] if chance.random() < 0.3 else text[:at] + text[at + chance.choice((1, 2, 10, 100)) :]


def _insert(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(WORDS) + text[at:]
