"""Whole expressions by name, as published combinations of action units.

The combinations are the prototypes of EMFACS and of the FACS Investigator's Guide (Ekman, Friesen & Hager,
2002), except where a line names another source. Those sources say *which* units make an expression, and with
a letter here and there how strongly; the other intensities are chosen here: a clear, natural expression, not
a maximal one. FACS's letters A..E are 0.2, 0.4, 0.6, 0.8 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from retarget.model import action_units
from retarget.model.suggestions import suggestion

from ..errors import DriverError, UnknownActionUnitError

EXPRESSIVE_UNITS: tuple[str, ...] = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10", "AU12", "AU14", "AU15", "AU17", "AU20",
    "AU23", "AU24",
)  # fmt: skip
"""What `neutral` relaxes. Blinks, gaze, jaw and the shapes of speech stay the performance's own."""

EXPRESSIONS: Mapping[str, Mapping[str, float]] = {
    "neutral": dict.fromkeys(EXPRESSIVE_UNITS, 0.0),
    "happiness": {"AU06": 0.6, "AU12": 0.7},
    "sadness": {"AU01": 0.6, "AU04": 0.4, "AU15": 0.6},
    "surprise": {"AU01": 0.6, "AU02": 0.6, "AU05": 0.4, "AU26": 0.5},  # AU05 at B, as published
    "fear": {"AU01": 0.6, "AU02": 0.4, "AU04": 0.4, "AU05": 0.6, "AU07": 0.3, "AU20": 0.5, "AU26": 0.3},
    "anger": {"AU04": 0.7, "AU05": 0.4, "AU07": 0.5, "AU23": 0.5},
    "disgust": {"AU09": 0.6, "AU15": 0.4, "AU16": 0.4},
    "contempt": {"AU12R": 0.2, "AU14R": 0.2},  # R12A + R14A: one side of the mouth, faint, as published
    # the smile without the eyes (Ekman, Davidson & Friesen, 1990)
    "polite_smile": {"AU12": 0.5},
    # the core of the pain face (Prkachin & Solomon, 2008), eyes narrowed rather than shut
    "pain": {"AU04": 0.6, "AU06": 0.5, "AU07": 0.5, "AU09": 0.3, "AU10": 0.3},
}
"""Per name, action units (a name without side is both) and their intensity in [0, 1]."""

ALIASES: Mapping[str, str] = {
    "happy": "happiness",
    "joy": "happiness",
    "smile": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
    "afraid": "fear",
    "angry": "anger",
    "disgusted": "disgust",
}


def named_expression(name: str) -> Mapping[str, float]:
    """The action units of a named expression; case does not matter, and "polite smile" may have its space.

    Raises:
        DriverError: no such expression; the message names the nearest.
    """
    known = expression_called(name)
    if known is None:
        raise DriverError(f"unknown expression {name!r}; {_suggestion(name)}")
    return EXPRESSIONS[known]


def expression_called(name: str) -> str | None:
    """The name of the expression that is meant, None if it is none."""
    key = _key(name)
    key = ALIASES.get(key, key)
    return key if key in EXPRESSIONS else None


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _suggestion(name: str) -> str:
    try:
        action_units.resolve(name)
    except UnknownActionUnitError:
        return suggestion(_key(name), [*EXPRESSIONS, *ALIASES], f"known are {', '.join(EXPRESSIONS)}", cutoff=0.7)
    return f"it is an action unit: write {{{name.strip()}: 0.5}}"
