"""The keys of a job sheet: what they are called, the types of their values, and what is said of a wrong one.

Those that are options come from the table of options (`option_table`); those about files and names stand here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from ..faces import FaceSelection
from ..files import as_number
from ..media import EncodeOptions
from ..option_table import Kind, Option, options_of
from ..options import RetargetOptions
from ..timecode import rate_of
from .cells import Mistakes, Row

EXCLUSIVE = (("trim_start", "frames"), ("trim_end", "frames"), ("driver", "drivers"))
"""Keys that say the same in other words."""


# Values


def _no_flag(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"needs {Kind.NUMBER.value}, not {str(value).lower()}")
    return value


def _as_number(value: Any) -> Any:
    """`012` and `1e3` are text until a number is wanted."""
    return as_number(_no_flag(value))


def _as_flag(value: Any) -> Any:
    words = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}
    key = str(value).strip().lower()
    if key not in words:
        raise ValueError(f"needs {Kind.SWITCH.value}, not {value!r}")
    return words[key]


def _as_names(value: Any) -> Any:
    """A list, or names with commas between them."""
    return [name.strip() for name in re.split(r"[,;]", value) if name.strip()] if isinstance(value, str) else value


def _as_files(value: Any) -> Any:
    """A list, or paths with bars between them (commas and semicolons occur in names and delimit cells)."""
    return [name.strip() for name in value.split("|") if name.strip()] if isinstance(value, str) else value


def _as_gains(value: Any) -> Any:
    """A mapping, or the command line's AU12=0.5,AU04=0."""
    if not isinstance(value, str):
        return value
    gains: dict[str, str] = {}
    for pair in _as_names(value):
        name, equals, number = pair.partition("=")
        if not equals:
            raise ValueError(f"{pair!r} is not {Kind.GAINS.value}")
        gains[name.strip()] = number.strip()
    return gains


def _as_face(value: Any) -> Any:
    return FaceSelection.parse(str(value))


def _as_rate(value: Any) -> Any:
    return rate_of(value)


def _as_time(value: Any) -> Any:
    if not isinstance(value, int | float | str):
        raise ValueError(f"needs {Kind.TIME.value}")
    return value


_Number = Annotated[float, BeforeValidator(_as_number), Field(allow_inf_nan=False)]
_Count = Annotated[int, BeforeValidator(_as_number)]
_Flag = Annotated[bool, BeforeValidator(_as_flag)]
_Time = Annotated[float | int | str, BeforeValidator(_no_flag), BeforeValidator(_as_time)]
_Text = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]
_Face = Annotated[FaceSelection, BeforeValidator(_as_face)]
_Rate = Annotated[Fraction, BeforeValidator(_as_rate)]


class JobSettings(BaseModel):
    """A job's values in their types; what is not said is None. Times wait for the source's rate.

    Its keys that are options are added by `settings_model`; `said` reads them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    source: _Text | None = None
    driver: _Text | None = None
    drivers: Annotated[list[_Text], BeforeValidator(_as_files), Field(min_length=1)] | None = None
    output: _Text | None = None
    name: _Text | None = None
    frames: _Text | None = None
    handles: Annotated[_Count, Field(ge=0)] | None = None
    media_start: _Text | None = None
    skip: _Flag | None = None

    def said(self, key: str) -> Any:
        """The value of an option's key; None if it is not said."""
        return getattr(self, key)


class BatchSettings(BaseModel):
    """What a sheet says about the batch as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    timeline: _Text | None = None
    media: _Text | None = None
    handles: Annotated[_Count, Field(ge=0)] = 0
    timeline_rate: _Rate | None = None
    media_start: _Text | None = None
    output_dir: _Text | None = None


# Options as keys


@dataclass(frozen=True)
class JobKeys:
    """The keys of a job: the model of its values, and the words that lead to them."""

    model: type[JobSettings]
    aliases: Mapping[str, str]
    """Other words for a key: the command line's and the options' own."""

    def canonical(self, key: str) -> str:
        """The key's one name: "Trim start", "--trim-start" and "start" are "trim_start"."""
        name = re.sub(r"[-\s]+", "_", key.strip().lower().lstrip("-"))
        return self.aliases.get(name, name)


def settings_model(owners: Sequence[type[Any]]) -> JobKeys:
    """The keys of a job with the options that those dataclasses declare."""
    options = [option for owner in owners for option in options_of(owner)]
    fields: dict[str, Any] = {option.key: (_type_of(option) | None, None) for option in options}
    model = create_model("JobSettings", __base__=JobSettings, __doc__=JobSettings.__doc__, **fields)
    aliases = {alias: option.key for option in options for alias in option.aliases}
    return JobKeys(model, {**aliases, "driving": "driver", "scenes": "timeline"})


def _type_of(option: Option) -> Any:
    if option.kind is Kind.CHOICE:
        return Literal[option.choices]
    if option.kind is Kind.COUNT and option.least is not None:
        return Annotated[_Count, AfterValidator(option.checked_count)]
    return _TYPES[option.kind]


_TYPES: Mapping[Kind, Any] = {
    Kind.NUMBER: _Number,
    Kind.COUNT: _Count,
    Kind.LENGTH: _Time,
    Kind.TIME: _Time,
    Kind.NEUTRAL: _Time,
    Kind.SWITCH: _Flag,
    Kind.NAMES: Annotated[list[_Text], BeforeValidator(_as_names)],
    Kind.GAINS: Annotated[dict[str, _Number], BeforeValidator(_as_gains)],
    Kind.FACES: _Face,
    Kind.RATE: _Rate,
    Kind.TEXT: _Text,
    Kind.FILE: _Text,
    Kind.FILES: Annotated[list[_Text], BeforeValidator(_as_files)],
}

KEYS = settings_model((RetargetOptions, EncodeOptions))
canonical = KEYS.canonical

BATCH_KEYS = frozenset(BatchSettings.model_fields)
JOB_KEYS = frozenset(KEYS.model.model_fields) - {"handles", "media_start", "skip"}
SHEET_KEYS = BATCH_KEYS | JOB_KEYS | {"defaults", "jobs", "shots"}
SHOT_KEYS = frozenset(KEYS.model.model_fields) - {"source", "trim_start", "trim_end", "frames"}


def spellings(known: frozenset[str]) -> list[str]:
    """The keys and the other words for them, in order."""
    return sorted({*known, *(alias for alias, name in KEYS.aliases.items() if name in known)})


# A row in its types


_Model = TypeVar("_Model", bound=BaseModel)


def checked(model: type[_Model], row: Row, mistakes: Mistakes) -> _Model:
    """The row in its types. What does not fit is told and left out, so that the rest is looked at, too."""
    values = {key: cell.value for key, cell in row.items() if key in model.model_fields}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for found in error.errors():
            cell = row[str(found["loc"][0])]
            inner = [str(part) for part in found["loc"][1:] if isinstance(cell.value, dict)]
            mistakes.add(cell.place, f"{': '.join([cell.key, *inner])}: {_in_words(found)}")
        wrong = {found["loc"][0] for found in error.errors()}
        return model.model_validate({key: value for key, value in values.items() if key not in wrong})


_WORDS: Mapping[str, str] = {
    "string_type": f"needs {Kind.TEXT.value}",
    "dict_type": "needs entries, AU12: 0.5",
    "list_type": "needs a list",
    "float_parsing": f"needs {Kind.NUMBER.value}",
    "float_type": f"needs {Kind.NUMBER.value}",
    "int_parsing": f"needs {Kind.COUNT.value}",
    "int_from_float": f"needs {Kind.COUNT.value}",
    "int_type": f"needs {Kind.COUNT.value}",
    "finite_number": f"needs {Kind.NUMBER.value}",
    "string_too_short": "is empty; say something or leave it out",
    "too_short": "is empty; say something or leave it out",
}
"""Pydantic's error types whose own words speak of Python."""


def _in_words(error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    said = _WORDS.get(error["type"]) or error["msg"].removeprefix("Input ")
    shown = str(error["input"])
    return (
        f"{said}, not {shown[:40]!r}" if shown and error["type"] not in ("string_too_short", "too_short") else said
    )
