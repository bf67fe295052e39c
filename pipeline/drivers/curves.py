"""Keyframed expression curves: a YAML file an editor can read, write and version.

The file is parsed without PyYAML's constructors: only mappings, lists, numbers and text, each with its line,
so that a mistake is reported where it is. Held whole; a file of curves is small.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from scipy.interpolate import PchipInterpolator

from retarget.model import action_units

from ..errors import DriverError, UnknownActionUnitError
from ..records import Target
from .expressions import named_expression
from .series import After, Driver, DriverOptions, Mode, Neutral, fade, load_capture, smoothstep

Ease = Literal["hold", "linear", "smooth", "cubic"]
"""How a key leads to the next: jump there when its time comes; straight; slow-fast-slow; or a monotone cubic
through the neighbouring keys (PCHIP), which flows through its keys and never overshoots them."""

Blend = Literal["set", "add"]
"""set: the action unit takes this value, measured from the face's neutral. add: this much more or less."""

LoadDriver = Callable[[Path, DriverOptions], Driver]

SAME_TIME_SECONDS = 1e-6
"""Times closer than this are the same: a key at frame 36 belongs to the frame whose pts rounds to it."""

_Loc = tuple[str | int, ...]


def load_curves(
    path: str | Path,
    *,
    frame_rate: Fraction,
    options: DriverOptions | None = None,
    load_driver: LoadDriver = load_capture,
) -> CurveDriver:
    """The curve file as a driver.

    `frame_rate` (the source's) is what frame numbers and timecodes count at unless the file says otherwise.
    Of `options`, the offset is added to the file's and `after`, if given, replaces it. `load_driver` opens
    the clips and captures that the file names; without it only capture CSVs can be.

    Raises:
        DriverError: one line with file, line and what to do.
        RetargetError: whatever `load_driver` raises.
    """
    path = Path(path)
    lines: dict[_Loc, int] = {}
    try:
        document = _Document.model_validate(_parse(_read_text(path), lines))
        return _Compiler(path, document, frame_rate, load_driver).driver(options or DriverOptions())
    except _FaultError as fault:
        raise DriverError(f"{path}{_at_line(fault.loc, lines, fault.line)}: {fault}") from fault
    except ValidationError as error:
        first = error.errors()[0]
        loc = (*first["loc"], *([first["ctx"]["key"]] if "key" in first.get("ctx", {}) else []))
        raise DriverError(f"{path}{_at_line(loc, lines)}: {_in_words(first)}") from error


class _FaultError(Exception):
    """A mistake at a place of the document; becomes the user's DriverError."""

    def __init__(self, loc: _Loc, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.loc = loc
        self.line = line


def _at_line(loc: _Loc, lines: Mapping[_Loc, int], line: int | None = None) -> str:
    """ ", line 12" of the innermost part of the location that the file has."""
    if line is None:
        at: _Loc = ()
        for part in loc:  # forms that were filled in (a bare number for a key) are not in the file
            at = (*at, part) if (*at, part) in lines else at
        line = lines.get(at)
    return "" if line is None else f", line {line}"


_WORDS: Mapping[str, str] = {
    "dict_type": "needs entries, 'name: value'",
    "list_type": "needs a list, '[...]'",
    "missing": "is missing; add it",
}
"""Pydantic's error types whose own words speak of Python."""


def _in_words(error: ErrorDetails) -> str:
    """Pydantic's first complaint as one line: where, what, and what was found."""
    where = ".".join(str(part) for part in error["loc"])
    said = _WORDS.get(error["type"], error["msg"][0].lower() + error["msg"][1:])
    found = "" if error["type"] in ("missing", "custom") else f", not {str(error['input'])[:40]!r}"
    return f"{where}: {said}{found}" if where else f"{said}{found}"


# Reading the text: YAML events -> plain data, with the line of every entry.

_MAX_DEPTH = 12
_INTEGER = re.compile(r"[-+]?\d{1,15}$")
_DECIMAL = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?$")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DriverError(f"{path}: not a text file ({error.reason}); save the curves as UTF-8") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DriverError(f"{path}: cannot be read ({reason}); check the name and the permissions") from error


def _parse(text: str, lines: dict[_Loc, int]) -> Any:
    """The one document in the text as dicts, lists, numbers, bools, None and str; fills in `lines`.

    YAML 1.1's surprises are left out: `10:00:00:00`, `on` and `2001-01-01` are text. Aliases, tags and
    duplicate keys are refused.
    """
    try:
        events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.SafeLoader))
        next(events)  # stream start
        if isinstance(next(events), yaml.StreamEndEvent):
            raise _FaultError((), "the file is empty; add 'curves:' or 'expressions:'")
        data = _value(next(events), events, (), lines)
        next(events)  # document end
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise _FaultError((), "a second document begins here; keep one per file", line=_line(after))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise _FaultError(
            (), f"not valid YAML ({error.problem}); check indentation and quotes", line=line
        ) from error
    except (
        yaml.YAMLError,
        ValueError,
        OverflowError,
    ) as error:  # the latter two by escapes like "\\UFFFFFFFF"
        problem = " ".join(str(error).split())
        raise _FaultError((), f"not valid YAML ({problem}); save it as plain text") from error
    return data


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _value(event: Any, events: Iterator[Any], loc: _Loc, lines: dict[_Loc, int]) -> Any:
    lines.setdefault(loc, _line(event))
    if isinstance(event, yaml.AliasEvent) or event.anchor:
        raise _FaultError((), "anchors and aliases are not supported; write the value out", line=_line(event))
    if event.tag not in (None, "!"):
        raise _FaultError((), f"tags such as {event.tag} are not supported; remove it", line=_line(event))
    if len(loc) > _MAX_DEPTH:
        raise _FaultError((), "nested too deep for a curve file", line=_line(event))
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event.value) if event.implicit[0] else event.value
    if isinstance(event, yaml.SequenceStartEvent):
        return _items(events, loc, lines)
    return _entries(events, loc, lines)


def _items(events: Iterator[Any], loc: _Loc, lines: dict[_Loc, int]) -> list[Any]:
    items: list[Any] = []
    while not isinstance(event := next(events), yaml.SequenceEndEvent):
        items.append(_value(event, events, (*loc, len(items)), lines))
    return items


def _entries(events: Iterator[Any], loc: _Loc, lines: dict[_Loc, int]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        if not isinstance(event, yaml.ScalarEvent):
            raise _FaultError((), "a key must be a plain name or time", line=_line(event))
        key = event.value
        if key in entries:
            raise _FaultError((), f"{key!r} occurs twice; keep one of them", line=_line(event))
        lines[(*loc, key)] = _line(event)
        entries[key] = _value(next(events), events, (*loc, key), lines)
    return entries


def _scalar(text: str) -> Any:
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _DECIMAL.match(text) else text


# The schema. Times stay as written until the frame rate is known.


def _as_written(data: Any) -> float | str:
    if isinstance(data, bool) or not isinstance(data, int | float | str):
        raise PydanticCustomError("custom", "no time; {forms}", {"forms": _TIME_FORMS})
    return data


_Time = Annotated[float | str, PlainValidator(_as_written)]
_Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Gain = Annotated[float, Field(strict=True, ge=0, le=10, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _only_known_keys(cls, data: Any) -> Any:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        unknown = [key for key in data if key not in known] if isinstance(data, dict) else []
        if unknown:
            close = difflib.get_close_matches(unknown[0], known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
            raise PydanticCustomError("custom", "unknown key '{key}'; {hint}", {"key": unknown[0], "hint": hint})
        return data


class _Range(_Strict):
    start: _Time = Field(alias="in")
    end: _Time = Field(alias="out")
    ramp_in: _Time = 0
    ramp_out: _Time = 0


class _Key(_Strict):
    value: _Finite
    ease: Ease | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        """`0.6` and `[0.6, hold]`."""
        if isinstance(data, list) and len(data) == 2:
            return {"value": data[0], "ease": data[1]}
        return data if isinstance(data, dict) else {"value": data}


class _Curve(_Strict):
    keys: dict[str, _Key] = Field(min_length=1)
    blend: Blend | None = None
    ease: Ease | None = None
    gain: _Gain = 1.0
    ranges: list[_Range] = []

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        """A number for all time, or the keys alone."""
        if isinstance(data, dict):
            return data if set(data) & set(cls.model_fields) else {"keys": data}
        return {"keys": {"0": data}}


class _Expression(_Strict):
    name: str | None = None
    amount: _Gain = 1.0
    ease: Ease | None = None
    action_units: dict[str, _Finite] = {}

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        """`happiness`, and action units beside the settings."""
        if not isinstance(data, dict):
            return {"name": data}
        settings = {key: value for key, value in data.items() if key in ("name", "amount", "ease")}
        return {**settings, "action_units": {k: v for k, v in data.items() if k not in settings}}

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.name is None and not self.action_units:
            raise PydanticCustomError("custom", "an empty expression; name one or give action units", {})
        return self


class _DriverFile(_Strict):
    file: str = Field(min_length=1)
    mode: Mode = "match"
    offset: _Time = 0
    after: After | None = None
    release: _Time | None = None
    neutral: _Time = "auto"
    """"auto", "none" or a time in the driver."""
    face: Annotated[int, Field(strict=True, ge=0)] = 0

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        return data if isinstance(data, dict) else {"file": data}


class _Section(_Strict):
    """One performance: for every face, or in `faces` for one. None is inherited from the document."""

    offset: _Time | None = None
    after: After | None = None
    release: _Time | None = None
    blend: Blend | None = None
    ease: Ease | None = None
    gain: _Gain | None = None
    ranges: list[_Range] | None = None
    driver: _DriverFile | None = None
    expressions: dict[str, _Expression] = {}
    curves: dict[str, _Curve] = {}

    @property
    def is_empty(self) -> bool:
        return not (self.driver or self.expressions or self.curves)


class _FaceSection(_Section):
    face: Annotated[int, Field(strict=True, ge=0)]


class _Document(_Section):
    version: Literal[1] = 1
    frame_rate: _Time | None = None
    scale: Literal["unit", "openface"] = "unit"
    faces: list[_FaceSection] = []

    @model_validator(mode="before")
    @classmethod
    def _a_mapping(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise PydanticCustomError("custom", "not a curve file; it needs 'curves:' or 'expressions:'", {})
        return data


# Time as editors write it.

_SECONDS = re.compile(r"([-+]?(?:\d{1,9}\.?\d{0,20}|\.\d{1,20}))\s*(s|ms)?$")
_FRAMES = re.compile(r"([-+]?\d{1,9})\s*f$")
_CLOCK = re.compile(r"(\d{1,2}):([0-5]\d):([0-5]\d(?:\.\d+)?)$")
_TIMECODE = re.compile(r"(\d{1,2}):([0-5]\d):([0-5]\d)([:;])(\d{2,3})$")
_RATE = re.compile(r"(\d{1,4}(\.\d{1,6})?|\d{1,7}/[1-9]\d{0,6})$")
_TIME_FORMS = "write seconds (1.5), frames (36f), HH:MM:SS:FF or HH:MM:SS.mmm"


def seconds_of(time: float | str, frame_rate: Fraction) -> float:
    """Seconds from 1.5, "1.5s", "500ms", "36f", "00:00:01.500", "00:00:01:12", or drop-frame "00:01:00;02".

    Raises:
        ValueError: none of these, a frame that does not exist, or drop-frame at a rate that has none.
    """
    text = str(time).strip()
    if match := _SECONDS.match(text):
        return float(match[1]) * (1e-3 if match[2] == "ms" else 1.0)
    if match := _FRAMES.match(text):
        return float(int(match[1]) / frame_rate)
    if match := _CLOCK.match(text):
        return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
    if match := _TIMECODE.match(text):
        hours, minutes, seconds, frame = (int(match[i]) for i in (1, 2, 3, 5))
        count = _timecode_frames(hours, minutes, seconds, frame, is_drop=match[4] == ";", frame_rate=frame_rate)
        return float(count / frame_rate)
    raise ValueError(f"{text!r} is no time; {_TIME_FORMS}")


def _timecode_frames(
    hours: int, minutes: int, seconds: int, frame: int, *, is_drop: bool, frame_rate: Fraction
) -> int:
    """Frames since 00:00:00:00 (SMPTE ST 12-1)."""
    nominal = math.ceil(frame_rate)
    if frame >= nominal:
        raise ValueError(f"frame {frame} does not exist at {float(frame_rate):.6g} frames per second")
    total_minutes = hours * 60 + minutes
    count = (total_minutes * 60 + seconds) * nominal + frame
    if not is_drop:
        return count
    if frame_rate not in (Fraction(30000, 1001), Fraction(60000, 1001)):
        raise ValueError("';' is drop-frame timecode, which only 29.97 and 59.94 have; write ':'")
    dropped = nominal // 15  # numbers left out at each minute but every tenth: 2 at 29.97, 4 at 59.94
    if frame < dropped and seconds == 0 and minutes % 10:
        raise ValueError(f"drop-frame timecode has no frame {frame} at the start of minute {minutes}")
    return count - dropped * (total_minutes - total_minutes // 10)


def rate_of(written: float | str) -> Fraction:
    """Frames per second from 24, 29.97 (meaning 30000/1001, as 23.976 and 59.94 do) or "30000/1001".

    Raises:
        ValueError: not a rate above 0 and up to 1000.
    """
    text = str(written).strip()
    rate = Fraction(text) if _RATE.match(text) else Fraction(0)
    if not 0 < rate <= 1000:
        raise ValueError(f"frame rate {written!r} makes no sense; write 24, 23.976 or 24000/1001")
    slowed = Fraction(math.ceil(rate) * 1000, 1001)
    return slowed if rate.denominator != 1 and abs(rate - slowed) < Fraction(5, 1000) else rate


# What the document means: layers over time, each moving some action units.


@dataclass(frozen=True)
class Range:
    """Where something applies: weight 0 outside, ramps inside its ends."""

    start_seconds: float
    end_seconds: float
    ramp_in_seconds: float = 0.0
    ramp_out_seconds: float = 0.0

    def weight(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) in [0, 1]. Without ramps the start belongs to the range and the end does not."""
        since = seconds - self.start_seconds + SAME_TIME_SECONDS
        left = self.end_seconds - seconds - SAME_TIME_SECONDS
        ends = fade(since, self.ramp_in_seconds) * fade(left, self.ramp_out_seconds)
        return np.where((since >= 0) & (left > 0), ends, 0.0)


def _weight(ranges: Sequence[Range], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,): the strongest of the ranges; 1 without any."""
    if not ranges:
        return np.ones_like(seconds)
    return np.asarray(np.max([r.weight(seconds) for r in ranges], axis=0), np.float64)


@dataclass(frozen=True, eq=False)
class Layer:
    """Keyed values of some action units."""

    indices: tuple[int, ...]
    """Entries of the action-unit vector, m of them."""
    seconds: NDArray[np.float64]
    """(k,) times of the keys, increasing."""
    values: NDArray[np.float64]
    """(k, m) in unit range."""
    eases: tuple[Ease, ...]
    """Per key, how it leads to the next."""
    blend: Blend
    ranges: tuple[Range, ...] = ()

    def at(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, m): the values at N moments, held before the first and after the last key."""
        keys, values = self.seconds, self.values
        if len(keys) == 1:
            return np.repeat(values, len(seconds), axis=0)
        left = np.clip(np.searchsorted(keys - SAME_TIME_SECONDS, seconds, side="right") - 1, 0, len(keys) - 2)
        inside = np.clip(seconds, keys[0], keys[-1])
        alpha = np.clip((inside - keys[left]) / (keys[left + 1] - keys[left]), 0.0, 1.0)
        eases = np.array(self.eases)[left]
        alpha = np.where(eases == "smooth", smoothstep(alpha), alpha)
        alpha = np.where(eases == "hold", seconds >= keys[-1] - SAME_TIME_SECONDS, alpha)[:, None]
        eased = values[left] * (1 - alpha) + values[left + 1] * alpha
        is_cubic = eases == "cubic"
        if is_cubic.any():
            eased[is_cubic] = PchipInterpolator(keys, values, axis=0)(inside[is_cubic])
        return np.asarray(eased, np.float64)

    @property
    def end_seconds(self) -> float:
        """Of the last key; 0 for a constant."""
        return float(self.seconds[-1])


@dataclass(frozen=True)
class Performance:
    """What is wanted of one face: a driver's expression, then expressions, then curves on top."""

    layers: tuple[Layer, ...]
    driver: Driver | None = None
    offset_seconds: float = 0.0
    """Of the layers; the driver has its own."""
    after: After = "hold"
    release_seconds: float = 0.5
    ranges: tuple[Range, ...] = ()

    @property
    def length_seconds(self) -> float:
        """From its own time 0 to its last key or, if it has ranges, to the end of the last range."""
        own = [r.end_seconds for layer in self.layers for r in layer.ranges]
        ranged = [r.end_seconds for r in self.ranges]
        return max(ranged or [*own, *(layer.end_seconds for layer in self.layers)], default=0.0)

    @property
    def end_seconds(self) -> float:
        """Second of the source where it is over; inf for a constant or a still."""
        ends = [self.offset_seconds + self.length_seconds] if self.length_seconds > 0 else []
        if self.driver is not None:
            ends.append(self.driver.duration_seconds)
        finite = [end for end in ends if math.isfinite(end)]
        return max(finite, default=math.inf)

    def target(self, seconds: NDArray[np.float64], face: int) -> Target:
        """See `Driver`."""
        mix = _Mix.empty(len(seconds))
        if self.driver is not None:
            mix.start_with(self.driver.target(seconds, face))
        own = seconds - self.offset_seconds
        presence = np.ones_like(own)
        if self.length_seconds <= 0:
            pass  # a constant has no end
        elif self.after == "release":
            presence = fade(self.length_seconds + self.release_seconds - own, self.release_seconds)
        elif self.after == "loop":
            own = np.where(own >= 0, own % self.length_seconds, own)
        for layer in self.layers:
            mix.add(layer, layer.at(own), presence * _weight(layer.ranges, own))
        mix.scale(_weight(self.ranges, own))
        return mix.target()


_LEAST_PULL = 0.02
"""Below this share of pulling towards a value, a mixture counts as purely additive: the value that would
express it exactly grows beyond bounds, and the difference is invisible."""


@dataclass(frozen=True, eq=False)
class _Mix:
    """A stack of layers per moment and action unit: the performance is moved by `push - pull * own`.

    Setting is a pull with a push to the value, adding a push alone, and any stack of both stays of that form.
    """

    push: NDArray[np.float64]
    pull: NDArray[np.float64]
    presence: NDArray[np.float64]
    """[0, 1]: how much of anything there is."""

    @classmethod
    def empty(cls, count: int) -> _Mix:
        return cls(*(np.zeros((count, action_units.COUNT)) for _ in range(3)))

    def start_with(self, target: Target) -> None:
        weight = target.weight.astype(np.float64)
        self.push[:] = weight * target.values
        self.pull[:] = np.where(target.additive, 0.0, weight)
        self.presence[:] = weight

    def add(self, layer: Layer, values: NDArray[np.float64], weight: NDArray[np.float64]) -> None:
        """Puts a layer's values (N, m) on top with a weight (N,)."""
        at, share = list(layer.indices), weight[:, None]
        if layer.blend == "set":
            self.push[:, at] = (1 - share) * self.push[:, at] + share * values
            self.pull[:, at] = (1 - share) * self.pull[:, at] + share
        else:
            self.push[:, at] += share * values
        self.presence[:, at] = 1 - (1 - self.presence[:, at]) * (1 - share)

    def scale(self, weight: NDArray[np.float64]) -> None:
        for array in (self.push, self.pull, self.presence):
            array *= weight[:, None]

    def target(self) -> Target:
        is_in_range = (self.pull > 0) & (np.abs(self.push) <= self.pull * (1 + 1e-9))
        additive = (self.pull < _LEAST_PULL) & ~is_in_range
        weight = np.where(additive, self.presence, self.pull)
        values = np.divide(self.push, weight, out=np.zeros_like(weight), where=weight > 0)
        return Target(values.astype(np.float32), weight.astype(np.float32), additive)


class CurveDriver:
    """Keyframed expressions, the same for every face or one performance each."""

    def __init__(self, everyone: Performance | None, *, faces: Mapping[int, Performance] | None = None) -> None:
        """`faces` are those with a performance of their own, by position; `everyone` is for the others."""
        self.everyone = everyone
        self.faces = dict(faces or {})

    @property
    def _performances(self) -> list[Performance]:
        return [*([self.everyone] if self.everyone else []), *self.faces.values()]

    @property
    def duration_seconds(self) -> float:
        """Second of the source of the last key, the last range's end or a driver's end; inf if none moves."""
        ends = [p.end_seconds for p in self._performances]
        return max((end for end in ends if math.isfinite(end)), default=math.inf)

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the clips and captures it plays."""
        return tuple(dict.fromkeys(note for p in self._performances if p.driver for note in p.driver.notes))

    def target(self, seconds: NDArray[np.float64], face: int) -> Target:
        """See `Driver`."""
        performance = self.faces.get(face, self.everyone) or Performance(())
        return performance.target(np.asarray(seconds, np.float64), face)


# From the document to performances.


class _Compiler:
    """Turns what the file says into layers; every complaint carries its place in the document."""

    def __init__(self, path: Path, document: _Document, source_rate: Fraction, load_driver: LoadDriver) -> None:
        self._path = path
        self._document = document
        self._load_driver = load_driver
        self._full_scale = action_units.OPENFACE_SCALE if document.scale == "openface" else 1.0
        self._rate = source_rate
        if document.frame_rate is not None:
            try:
                self._rate = rate_of(document.frame_rate)
            except ValueError as error:
                raise _FaultError(("frame_rate",), str(error)) from error

    def driver(self, options: DriverOptions) -> CurveDriver:
        document = self._document
        if document.is_empty and not document.faces:
            raise _FaultError((), "nothing to perform; add 'curves:', 'expressions:' or 'driver:'")
        everyone = None if document.is_empty else self._performance(document, (), options)
        faces: dict[int, Performance] = {}
        for i, section in enumerate(document.faces):
            if section.face in faces:
                raise _FaultError(("faces", i, "face"), f"face {section.face} has two sections; keep one")
            faces[section.face] = self._performance(section, ("faces", i), options)
        return CurveDriver(everyone, faces=faces)

    def _performance(self, section: _Section, loc: _Loc, options: DriverOptions) -> Performance:
        if section.is_empty:
            raise _FaultError(loc, "nothing to perform; add 'curves:', 'expressions:' or 'driver:'")
        section = self._inherited(section)
        offset = self._time(section.offset or 0, (*loc, "offset"), may_be_negative=True) + options.offset_seconds
        release = self._time(0.5 if section.release is None else section.release, (*loc, "release"))
        performance = Performance(
            layers=(*self._expressions(section, loc), *self._curves(section, loc)),
            offset_seconds=offset,
            after=options.after or section.after or "hold",
            release_seconds=release,
            ranges=self._ranges(section.ranges or [], (*loc, "ranges")),
        )
        if performance.after == "loop" and performance.layers and performance.length_seconds <= 0:
            raise _FaultError((*loc, "after"), "'loop' needs a key or a range end later than 0")
        if section.driver is None:
            return performance
        # what the file says about the end holds for its driver too, unless that has a word of its own
        after = section.driver.after or options.after or section.after
        driver = self._file_driver(section.driver, (*loc, "driver"), performance, after)
        return replace(performance, driver=driver)

    def _inherited(self, section: _Section) -> _Section:
        """The section with the document's settings where it has none of its own."""
        settings = ("offset", "after", "release", "blend", "ease", "gain", "ranges")
        missing = {s: getattr(self._document, s) for s in settings if getattr(section, s) is None}
        return section.model_copy(update=missing)

    def _file_driver(
        self, wanted: _DriverFile, loc: _Loc, performance: Performance, after: After | None
    ) -> Driver:
        path = self._path.parent / wanted.file
        if path.suffix.lower() in (".yaml", ".yml"):
            raise _FaultError(loc, f"{wanted.file} is a curve file; a driver here is a clip or a capture CSV")
        fixed: Mapping[float | str, Neutral] = {"auto": "auto", "none": "none"}
        neutral = fixed.get(wanted.neutral)
        if neutral is None:
            neutral = self._time(wanted.neutral, (*loc, "neutral"))
        offset = self._time(wanted.offset, (*loc, "offset"), may_be_negative=True)
        release = performance.release_seconds
        if wanted.release is not None:
            release = self._time(wanted.release, (*loc, "release"))
        options = DriverOptions(
            mode=wanted.mode,
            offset_seconds=performance.offset_seconds + offset,
            after=after,
            release_seconds=release,
            neutral=neutral,
            face=wanted.face,
        )
        is_sequence = re.search(r"[%#]", path.name) is not None  # frames of a pattern: the opener looks for them
        if not (is_sequence or os.path.exists(path)):
            raise _FaultError(loc, f"no file {wanted.file} beside the curve file; correct the path")
        return self._load_driver(path, options)

    def _curves(self, section: _Section, loc: _Loc) -> list[Layer]:
        owner: dict[int, str] = {}
        layers = []
        for name, curve in section.curves.items():
            at = (*loc, "curves", name)
            indices = self._claim(name, at, owner)
            blend = curve.blend or section.blend or "set"
            times = self._times(curve.keys, (*at, "keys"))
            gain = (1.0 if section.gain is None else section.gain) * curve.gain
            column = [self._amount(key.value, (*at, "keys", t), name, blend) for t, key in curve.keys.items()]
            eases = [key.ease or curve.ease or section.ease or "smooth" for key in curve.keys.values()]
            values = np.repeat(np.array(column)[:, None] * gain, len(indices), axis=1)
            layers.append(
                _layer(indices, times, values, eases, blend, self._ranges(curve.ranges, (*at, "ranges")))
            )
        return layers

    def _expressions(self, section: _Section, loc: _Loc) -> list[Layer]:
        """At most one layer: all the action units that any of the expressions names."""
        if not section.expressions:
            return []
        at = (*loc, "expressions")
        blend = section.blend or "set"
        rows = [self._expression(e, (*at, time), blend) for time, e in section.expressions.items()]
        indices = tuple(sorted({index for row in rows for index in row}))
        gain = 1.0 if section.gain is None else section.gain
        values = np.array([[row.get(index, 0.0) for index in indices] for row in rows]) * gain
        eases = [e.ease or section.ease or "smooth" for e in section.expressions.values()]
        return [_layer(indices, self._times(section.expressions, at), values, eases, blend, ())]

    def _expression(self, expression: _Expression, loc: _Loc, blend: Blend) -> dict[int, float]:
        """Value per vector index: the named expression by its amount, then the units given beside it."""
        values: dict[int, float] = {}
        if expression.name is not None:
            try:
                named = named_expression(expression.name)
            except DriverError as error:
                raise _FaultError(loc, str(error)) from error
            values = {i: expression.amount * v for name, v in named.items() for i in action_units.resolve(name)}
        owner: dict[int, str] = {}
        for name, value in expression.action_units.items():
            amount = self._amount(value, (*loc, name), name, blend)
            if expression.name is None:
                amount *= expression.amount
            values.update(dict.fromkeys(self._claim(name, (*loc, name), owner), amount))
        return values

    def _claim(self, name: str, loc: _Loc, owner: dict[int, str]) -> tuple[int, ...]:
        """The vector indices of a name, which no other name of the block may have."""
        try:
            indices = action_units.resolve(name)
        except UnknownActionUnitError as error:
            raise _FaultError(loc, str(error)) from error
        for index in indices:
            if index in owner:
                other = owner[index]
                raise _FaultError(
                    loc, f"{name} and {other} are both {action_units.NAMES[index]}; keep one of them"
                )
            owner[index] = name
        return indices

    def _times(self, keys: Mapping[str, object], loc: _Loc) -> list[float]:
        times: dict[float, str] = {}
        for written in keys:
            seconds = self._time(written, (*loc, written))
            for other, other_written in times.items():
                if abs(other - seconds) < SAME_TIME_SECONDS:
                    raise _FaultError(
                        (*loc, written), f"{written} and {other_written} are the same time; keep one of them"
                    )
            times[seconds] = written
        return list(times)

    def _time(self, written: float | str, loc: _Loc, *, may_be_negative: bool = False) -> float:
        try:
            seconds = seconds_of(written, self._rate)
        except ValueError as error:
            raise _FaultError(loc, str(error)) from error
        if not math.isfinite(seconds) or (seconds < 0 and not may_be_negative):
            raise _FaultError(loc, f"{written} is before the start; times count from 0 (see 'offset')")
        return seconds

    def _amount(self, value: float, loc: _Loc, name: str, blend: Blend) -> float:
        """The value in unit range."""
        lowest = 0.0 if blend == "set" else -self._full_scale
        if not lowest <= value <= self._full_scale:
            hint = "correct the value"
            if -self._full_scale <= value < 0:
                hint = "to weaken what is there, use 'blend: add'"
            elif self._full_scale < value <= action_units.OPENFACE_SCALE:
                hint = "for values of 0..5 write 'scale: openface'"
            allowed = f"{lowest:g}..{self._full_scale:g} ({blend})"
            raise _FaultError(loc, f"{name}: {value:g} is outside {allowed}; {hint}")
        return value / self._full_scale

    def _ranges(self, ranges: Sequence[_Range], loc: _Loc) -> tuple[Range, ...]:
        return tuple(self._range(r, (*loc, i)) for i, r in enumerate(ranges))

    def _range(self, written: _Range, loc: _Loc) -> Range:
        start, end = self._time(written.start, (*loc, "in")), self._time(written.end, (*loc, "out"))
        ramp_in = self._time(written.ramp_in, (*loc, "ramp_in"))
        ramp_out = self._time(written.ramp_out, (*loc, "ramp_out"))
        if end <= start:
            raise _FaultError(loc, f"the range ends at {written.end}, not after its start {written.start}")
        if ramp_in + ramp_out > end - start + SAME_TIME_SECONDS:
            raise _FaultError(
                loc, f"ramps of {ramp_in + ramp_out:g} s do not fit into {end - start:g} s; shorten them"
            )
        return Range(start, end, ramp_in, ramp_out)


def _layer(
    indices: tuple[int, ...],
    times: Sequence[float],
    values: NDArray[np.float64],
    eases: Sequence[Ease],
    blend: Blend,
    ranges: tuple[Range, ...],
) -> Layer:
    """Keys in any order become a layer in order of time; gains may not lead out of the unit range."""
    order = np.argsort(times)
    return Layer(
        indices=indices,
        seconds=np.array(times, np.float64)[order],
        values=np.clip(values, 0.0 if blend == "set" else -1.0, 1.0)[order],
        eases=tuple(eases[i] for i in order),
        blend=blend,
        ranges=ranges,
    )
