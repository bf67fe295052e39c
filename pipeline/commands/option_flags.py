"""Options as flags: the table of options on an argparse parser, and the options that were said."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from ..errors import OptionError
from ..faces import FaceSelection
from ..media import EncodeOptions
from ..option_table import Kind, Option, options_of
from ..options import RetargetOptions
from ..timecode import counts_frames, rate_of, seconds_of

T = TypeVar("T")


def add_options(
    flags: argparse.ArgumentParser,
    *groups: str,
    keys: Collection[str] = (),
    owners: tuple[type[Any], ...] = (RetargetOptions, EncodeOptions),
) -> None:
    """The flags of those groups of options, each group under its own heading, and single ones by their keys."""
    said = [option for owner in owners for option in options_of(owner)]
    for option in said:
        if option.key in keys:
            _add(flags, option)
    for name in groups:
        group = flags.add_argument_group(name)
        for option in said:
            if option.group == name:
                _add(group, option)


def _add(group: argparse._ActionsContainer, option: Option) -> None:
    how: dict[str, Any] = {"help": option.help_with_default.replace("%", "%%"), "dest": option.key}
    if option.kind is Kind.SWITCH:
        group.add_argument(*option.flags, action="store_true", **how)
        return
    if option.kind is Kind.CHOICE:
        how["choices"] = option.choices
    elif option.kind is Kind.COUNT:
        how["type"] = _count(option)
    elif option.kind is Kind.GAINS:
        how |= {"action": "append", "default": []}
    elif option.kind is Kind.FILES:
        how |= {"action": "extend", "nargs": "+"}
    group.add_argument(
        *option.flags, **{"type": _PARSERS.get(option.kind), "metavar": option.metavar, "default": None, **how}
    )


def options_said(
    arguments: argparse.Namespace,
    source: Path,
    owners: tuple[type[Any], type[Any]] = (RetargetOptions, EncodeOptions),
) -> RetargetOptions:
    """The options from whatever flags the command has; what was not said keeps its default.

    Raises:
        OptionError: a time that is none, or a value that makes no sense.
    """
    rate = getattr(arguments, "frame_rate", None) or RetargetOptions().sequence_rate
    clock = _Clock(source, rate)
    run, encode = ({o.field: v for o, v in _said(arguments, owner, clock)} for owner in owners)
    return owners[0](**run, encode=owners[1](**encode))


def _said(arguments: argparse.Namespace, owner: type[Any], clock: _Clock) -> list[tuple[Option, Any]]:
    """The options whose flags the command has and the user gave, with their values."""
    given: Mapping[str, Any] = vars(arguments)
    return [
        (option, _value(option, given[option.key], clock))
        for option in options_of(owner)
        if given.get(option.key) not in (None, [])
    ]


def _value(option: Option, written: Any, clock: _Clock) -> Any:
    """What was written, as the field takes it."""
    flag = option.flags[0]
    if option.kind in (Kind.TIME, Kind.LENGTH):
        return clock.seconds(written, flag)
    if option.kind is Kind.NEUTRAL:
        return clock.neutral(written, flag)
    if option.kind is Kind.GAINS:
        return {name: value for pairs in written for name, value in pairs.items()}
    if option.kind is Kind.FILES:
        return tuple(written)
    return written


class _Clock:
    """Turns times as people write them into seconds; frames and timecodes count at the source's rate."""

    def __init__(self, source: Path, sequence_rate: Fraction) -> None:
        self._source, self._sequence_rate = source, sequence_rate

    def seconds(self, text: str, flag: str) -> float:
        """Raises OptionError naming the flag."""
        try:
            return seconds_of(text, self._rate() if counts_frames(text) else Fraction(1))
        except ValueError as error:
            raise OptionError(f"{flag} {text!r}: {error}") from error

    def neutral(self, text: str, flag: str) -> float | str | Path:
        """auto, none, seconds, or a file."""
        if text in ("auto", "none"):
            return text
        if Path(text).exists():
            return Path(text)
        try:
            return self.seconds(text, flag)
        except OptionError as error:
            raise OptionError(f"{flag} {text!r} is neither auto, none, a time nor an existing picture") from error

    def _rate(self) -> Fraction:
        from ..media import open_video  # frames and timecode alone need the source's rate

        with open_video(self._source, sequence_rate=self._sequence_rate) as reader:
            return self._sequence_rate if reader.info.is_still else reader.info.frame_rate


# Text -> values


def checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A converter whose own words reach the user; argparse shows only those of its own error type."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def _count(option: Option) -> Callable[[str], int]:
    """A whole number in the option's range."""

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError as error:
            raise ValueError(f"{text!r} is not {Kind.COUNT.value}") from error
        return option.checked_count(number)

    return checked(convert)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not {Kind.NUMBER.value}") from error


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _gains(text: str) -> dict[str, float]:
    out: dict[str, float] = {}
    for pair in names(text):
        name, equals, value = pair.partition("=")
        try:
            out[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise argparse.ArgumentTypeError(f"{pair!r} is not {Kind.GAINS.value}")
    return out


_PARSERS: Mapping[Kind, Callable[[str], Any]] = {
    Kind.NUMBER: _number,
    Kind.NAMES: names,
    Kind.GAINS: _gains,
    Kind.FACES: checked(FaceSelection.parse),
    Kind.RATE: checked(rate_of),
    Kind.FILE: Path,
    Kind.FILES: Path,
}
"""TIME, LENGTH and NEUTRAL stay text until the source is known."""
