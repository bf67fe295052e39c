"""The entries of a curve file and their types; times stay as written until the frame rate is known."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from retarget.model.suggestions import suggestion

from ..files import as_number
from ..timecode import TIME_FORMS
from .curves import Blend, Ease
from .driver import After, Mode


def _as_written(data: Any) -> float | str:
    if isinstance(data, bool) or not isinstance(data, int | float | str):
        raise PydanticCustomError("custom", "no time; {forms}", {"forms": TIME_FORMS})
    return data


_Time = Annotated[float | str, PlainValidator(_as_written)]
_Finite = Annotated[float, BeforeValidator(as_number), Field(strict=True, allow_inf_nan=False)]
_Gain = Annotated[float, BeforeValidator(as_number), Field(strict=True, ge=0, le=10, allow_inf_nan=False)]
_FaceNumber = Annotated[int, BeforeValidator(as_number), Field(strict=True, ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _only_known_keys(cls, data: Any) -> Any:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        unknown = [key for key in data if key not in known] if isinstance(data, dict) else []
        if unknown:
            hint = suggestion(unknown[0], known, f"known are {', '.join(known)}", quoted="{!r}")
            raise PydanticCustomError("custom", "unknown key '{key}'; {hint}", {"key": unknown[0], "hint": hint})
        return data


class RangeEntry(_Strict):
    """Where something applies: `{in: 1s, out: 3s, ramp_in: 6f}`."""

    start: _Time = Field(alias="in")
    end: _Time = Field(alias="out")
    ramp_in: _Time = 0
    ramp_out: _Time = 0


class KeyEntry(_Strict):
    """A value at a time: `0.6`, `[0.6, hold]` or `{value: 0.6, ease: hold}`."""

    value: _Finite
    ease: Ease | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        """`0.6` and `[0.6, hold]`."""
        if isinstance(data, list) and len(data) == 2:
            return {"value": data[0], "ease": data[1]}
        return data if isinstance(data, dict) else {"value": data}


class CurveEntry(_Strict):
    """The keys of one action unit and how they are played."""

    keys: dict[str, KeyEntry] = Field(min_length=1)
    blend: Blend | None = None
    ease: Ease | None = None
    gain: _Gain = 1.0
    ranges: list[RangeEntry] = []

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        """A number for all time, or the keys alone."""
        if isinstance(data, dict):
            return data if set(data) & set(cls.model_fields) else {"keys": data}
        return {"keys": {"0": data}}


class ExpressionEntry(_Strict):
    """A whole expression at a time, by name, by action units or both."""

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


class DriverEntry(_Strict):
    """A clip or capture file under the curves, and how it is played."""

    file: str = Field(min_length=1)
    mode: Mode = "match"
    offset: _Time = 0
    after: After | None = None
    release: _Time | None = None
    neutral: _Time = "auto"
    """"auto", "none" or a time in the driver."""
    face: _FaceNumber = 0
    frame_rate: _Time | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        return data if isinstance(data, dict) else {"file": data}


class Section(_Strict):
    """One performance: for every face, or in `faces` for one. None is inherited from the document."""

    offset: _Time | None = None
    after: After | None = None
    release: _Time | None = None
    blend: Blend | None = None
    ease: Ease | None = None
    gain: _Gain | None = None
    ranges: list[RangeEntry] | None = None
    driver: DriverEntry | None = None
    expressions: dict[str, ExpressionEntry] = {}
    curves: dict[str, CurveEntry] = {}

    @property
    def is_empty(self) -> bool:
        return not (self.driver or self.expressions or self.curves)


class FaceSection(Section):
    """The performance of one face."""

    face: _FaceNumber


class Document(Section):
    """The whole file: the performance of every face that has no section of its own, and those sections."""

    version: Annotated[Literal[1], BeforeValidator(as_number)] = 1
    frame_rate: _Time | None = None
    scale: Literal["unit", "openface"] = "unit"
    faces: list[FaceSection] = []

    @model_validator(mode="before")
    @classmethod
    def _a_mapping(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise PydanticCustomError("custom", "not a curve file; it needs 'curves:' or 'expressions:'", {})
        return data
