"""Curve files: YAML that an editor can read, write and version, made into performances."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from retarget.model import action_units

from ..errors import DriverError, UnknownActionUnitError
from ..files import Location, YamlError, lines_of, parse_pattern, plain, read_text, read_yaml, suffixes
from ..timecode import rate_of, seconds_of
from .capture import load_capture
from .curve_schema import Document, DriverEntry, ExpressionEntry, RangeEntry, Section
from .curves import LIPS_TOGETHER, SAME_TIME_SECONDS, Blend, CurveDriver, Ease, Layer, Performance, Range
from .driver import After, Driver, DriverOptions, Neutral
from .expressions import named_expression

LIPS_TOGETHER_NAME = "lips_together"

LoadDriver = Callable[[Path, DriverOptions], Driver]


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
    lines: dict[Location, int] = {}
    try:
        node = read_yaml(read_text(path, DriverError, advice="save the curves as UTF-8"), kind="a curve file")
        if node is None:
            raise DriverError(f"{path}: the file is empty; add 'curves:' or 'expressions:'")
        lines = lines_of(node)
        document = Document.model_validate(plain(node))
        return _Compiler(path, document, frame_rate, load_driver).driver(options or DriverOptions())
    except YamlError as error:
        raise DriverError(f"{path}{_shown(error.line)}: {error}") from error
    except _FaultError as fault:
        raise DriverError(f"{path}{_at_line(fault.loc, lines)}: {fault}") from fault
    except ValidationError as error:
        first = error.errors()[0]
        loc = (*first["loc"], *([first["ctx"]["key"]] if "key" in first.get("ctx", {}) else []))
        raise DriverError(f"{path}{_at_line(loc, lines)}: {_in_words(first)}") from error


class _FaultError(Exception):
    """A mistake at a place of the document; becomes the user's DriverError."""

    def __init__(self, loc: Location, message: str) -> None:
        super().__init__(message)
        self.loc = loc


def _at_line(loc: Location, lines: Mapping[Location, int]) -> str:
    """ ", line 12" of the innermost part of the location that the file has."""
    at: Location = ()
    for part in loc:  # forms that were filled in (a bare number for a key) are not in the file
        at = (*at, part) if (*at, part) in lines else at
    return _shown(lines.get(at))


def _shown(line: int | None) -> str:
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


class _Compiler:
    """Turns what the file says into layers; every complaint carries its place in the document."""

    def __init__(self, path: Path, document: Document, source_rate: Fraction, load_driver: LoadDriver) -> None:
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

    def _performance(self, section: Section, loc: Location, options: DriverOptions) -> Performance:
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

    def _inherited(self, section: Section) -> Section:
        """The section with the document's settings where it has none of its own."""
        settings = ("offset", "after", "release", "blend", "ease", "gain", "ranges")
        missing = {s: getattr(self._document, s) for s in settings if getattr(section, s) is None}
        return section.model_copy(update=missing)

    def _file_driver(
        self, wanted: DriverEntry, loc: Location, performance: Performance, after: After | None
    ) -> Driver:
        path = self._path.parent / wanted.file
        if path.suffix.lower() in suffixes.CURVES:
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
        if parse_pattern(path) is None and not os.path.exists(path):  # the opener looks for pictures of a pattern
            raise _FaultError(loc, f"no file {wanted.file} beside the curve file; correct the path")
        return self._load_driver(path, options)

    def _curves(self, section: Section, loc: Location) -> list[Layer]:
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

    def _expressions(self, section: Section, loc: Location) -> list[Layer]:
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

    def _expression(self, expression: ExpressionEntry, loc: Location, blend: Blend) -> dict[int, float]:
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

    def _claim(self, name: str, loc: Location, owner: dict[int, str]) -> tuple[int, ...]:
        """The vector indices of a name, which no other name of the block may have."""
        try:
            indices = _indices_of(name)
        except UnknownActionUnitError as error:
            raise _FaultError(loc, str(error)) from error
        for index in indices:
            if index in owner:
                entry = LIPS_TOGETHER_NAME if index == LIPS_TOGETHER else action_units.NAMES[index]
                raise _FaultError(loc, f"{name} and {owner[index]} are both {entry}; keep one of them")
            owner[index] = name
        return indices

    def _times(self, keys: Mapping[str, object], loc: Location) -> list[float]:
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

    def _time(self, written: float | str, loc: Location, *, may_be_negative: bool = False) -> float:
        try:
            seconds = seconds_of(written, self._rate)
        except ValueError as error:
            raise _FaultError(loc, str(error)) from error
        if not math.isfinite(seconds) or (seconds < 0 and not may_be_negative):
            raise _FaultError(loc, f"{written} is before the start; times count from 0 (see 'offset')")
        return seconds

    def _amount(self, value: float, loc: Location, name: str, blend: Blend) -> float:
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

    def _ranges(self, ranges: Sequence[RangeEntry], loc: Location) -> tuple[Range, ...]:
        return tuple(self._range(r, (*loc, i)) for i, r in enumerate(ranges))

    def _range(self, written: RangeEntry, loc: Location) -> Range:
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


def _indices_of(name: str) -> tuple[int, ...]:
    """Entries of a layer that a name of the file stands for; raises UnknownActionUnitError."""
    if name.lower().replace(" ", "_") == LIPS_TOGETHER_NAME:
        return (LIPS_TOGETHER,)
    return action_units.resolve(name)


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
