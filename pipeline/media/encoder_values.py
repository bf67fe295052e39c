"""What an encoder's own settings may be: refused with the range before anything is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from retarget.model.suggestions import suggestion

from ..errors import OptionError

X26X_PRESETS: tuple[str, ...] = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
_PRESETS = {"libx264": X26X_PRESETS, "libx265": X26X_PRESETS}
_PROFILES = {"libx264": ("baseline", "main", "high", "high10", "high422", "high444")}
"""Words of encoders that FFmpeg lists none for."""
_CRF_RANGES = {"libx264": (0, 51), "libx265": (0, 51)}
"""Of encoders that FFmpeg gives no end for."""


class Setting(Protocol):
    """An encoder's option, as PyAV describes it."""

    @property
    def name(self) -> str: ...
    @property
    def min(self) -> float: ...
    @property
    def max(self) -> float: ...
    @property
    def choices(self) -> Sequence[Choice]: ...


class Choice(Protocol):
    """One of the words an option takes."""

    @property
    def name(self) -> str: ...


def check_quality(path: Path, encoder: str, setting: Setting, quality: int) -> None:
    """Raises OptionError if the encoder has no such quality."""
    least, most = _CRF_RANGES.get(encoder, (max(0, round(setting.min)), round(setting.max)))
    if not least <= quality <= most:
        raise OptionError(f"{path}: crf {quality} is no quality of {encoder}; use {least} (best) to {most}")


def check_word(path: Path, encoder: str, setting: Setting, word: str) -> None:
    """Raises OptionError if a preset or profile is none of the encoder's."""
    listed = _PRESETS if setting.name == "preset" else _PROFILES
    known = listed.get(encoder, ()) or tuple(choice.name for choice in setting.choices)
    if word in known:
        return
    has_range = setting.max > setting.min
    if has_range and (not known or word.lstrip("-").isdigit()):
        if not word.lstrip("-").isdigit() or not setting.min <= int(word) <= setting.max:
            words = f"{', '.join(known)}, or " if known else ""
            span = f"{words}{setting.min:g} to {setting.max:g}"
            raise OptionError(f"{path}: {setting.name} {word!r} is none of {encoder}; use {span}")
    elif known:
        hint = suggestion(word, known, "")
        there = f"{hint} There are" if hint else "there are"
        raise OptionError(f"{path}: {setting.name} {word!r} is none of {encoder}; {there} {', '.join(known)}")
