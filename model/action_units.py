"""The action-unit schema: which facial movements a vector describes, in which order and range.

This is the contract between checkpoint, pipeline and trainer. A vector has `len(NAMES)` entries, one per
movement and side, each in [0, 1] (0 = absent, 1 = maximal); relative vectors are in [-1, 1]. Left and right
are the *subject's*, as in FACS and ARKit. OpenFace intensities (0..5) are divided by 5.

Names follow the Facial Action Coding System (Ekman, Friesen & Hager 2002): the 17 units OpenFace reports,
plus what speech and gaze need. `MouthShiftL/R` (the mouth moved sideways as a whole) has no FACS number.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .errors import UnknownActionUnitError

Region = Literal["upper", "lower", "eyes", "mouth"]


@dataclass(frozen=True)
class ActionUnit:
    """One facial movement of FACS."""

    name: str
    """Canonical name without side: "AU12"."""
    meaning: str
    """The name in words, as FACS gives it."""
    sided: bool
    """Whether left and right are separate entries of the vector."""
    regions: frozenset[Region]
    """The parts of the face it belongs to, for choosing what an edit may touch."""

    @property
    def entries(self) -> tuple[str, ...]:
        """Its names in the vector: ("AU12L", "AU12R"), or ("AU17",)."""
        return (f"{self.name}L", f"{self.name}R") if self.sided else (self.name,)


def _unit(name: str, meaning: str, *regions: Region, sided: bool = False) -> ActionUnit:
    return ActionUnit(name, meaning, sided, frozenset(regions))


ACTION_UNITS: tuple[ActionUnit, ...] = (
    _unit("AU01", "inner brow raiser", "upper", sided=True),
    _unit("AU02", "outer brow raiser", "upper", sided=True),
    _unit("AU04", "brow lowerer", "upper", sided=True),
    _unit("AU05", "upper lid raiser", "upper", "eyes", sided=True),
    _unit("AU06", "cheek raiser", "upper", sided=True),
    _unit("AU07", "lid tightener", "upper", "eyes", sided=True),
    _unit("AU09", "nose wrinkler", "lower", sided=True),
    _unit("AU10", "upper lip raiser", "lower", "mouth", sided=True),
    _unit("AU12", "lip corner puller", "lower", "mouth", sided=True),
    _unit("AU14", "dimpler", "lower", "mouth", sided=True),
    _unit("AU15", "lip corner depressor", "lower", "mouth", sided=True),
    _unit("AU16", "lower lip depressor", "lower", "mouth", sided=True),
    _unit("AU17", "chin raiser", "lower", "mouth"),
    _unit("AU18", "lip pucker", "lower", "mouth"),
    _unit("AU20", "lip stretcher", "lower", "mouth", sided=True),
    _unit("AU22", "lip funneler", "lower", "mouth"),
    _unit("AU23", "lip tightener", "lower", "mouth"),
    _unit("AU24", "lip pressor", "lower", "mouth", sided=True),
    _unit("AU25", "lips part", "lower", "mouth"),
    _unit("AU26", "jaw drop", "lower", "mouth"),
    _unit("AU28", "lip suck", "lower", "mouth"),
    _unit("AU29", "jaw thrust", "lower", "mouth"),
    _unit("AU30", "jaw sideways", "lower", "mouth", sided=True),
    _unit("AU45", "blink", "upper", "eyes", sided=True),
    _unit("AU61", "eyes turn left", "upper", "eyes"),
    _unit("AU62", "eyes turn right", "upper", "eyes"),
    _unit("AU63", "eyes up", "upper", "eyes"),
    _unit("AU64", "eyes down", "upper", "eyes"),
    _unit("MouthShift", "mouth sideways", "lower", "mouth", sided=True),
)

NAMES: tuple[str, ...] = tuple(entry for unit in ACTION_UNITS for entry in unit.entries)
"""The names of a vector's entries, in order."""

COUNT: int = len(NAMES)

OPENFACE_NAMES: tuple[str, ...] = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10", "AU12",
    "AU14", "AU15", "AU17", "AU20", "AU23", "AU25", "AU26", "AU45",
)  # fmt: skip
"""The 17 units whose intensity OpenFace 2.x reports, in its column order; the paper's vector."""

OPENFACE_SCALE = 5.0
"""OpenFace intensity of a maximal movement (its scale is FACS's A..E as 1..5)."""

ALIASES: Mapping[str, str] = {
    "AU27": "AU26",  # mouth stretch: the far end of the jaw drop
    "AU43": "AU45",  # eyes closed: a blink that stays
    "AU46": "AU45",  # wink: a blink of one side
    "MOUTHSHIFT": "MouthShift",
}

EVERYDAY_WORDS: Mapping[str, tuple[str, ...]] = {
    "smile": ("AU12",), "grin": ("AU12",), "frown": ("AU04", "AU15"), "scowl": ("AU04",), "blink": ("AU45",),
    "wink": ("AU45",), "squint": ("AU07",), "pout": ("AU17", "AU18"), "kiss": ("AU18",), "pucker": ("AU18",),
    "sneer": ("AU09", "AU10"), "brow raise": ("AU01", "AU02"), "eyebrows": ("AU01", "AU02"),
    "brow": ("AU01", "AU04"),
    "wide eyes": ("AU05",), "eye widen": ("AU05",), "eyes open": ("AU05",), "eyes closed": ("AU45",),
    "open mouth": ("AU25", "AU26"), "mouth open": ("AU25", "AU26"), "jaw open": ("AU26",), "jaw": ("AU26",),
    "cheek": ("AU06",), "funnel": ("AU22",), "lip press": ("AU24",), "dimple": ("AU14",), "look left": ("AU61",),
    "look right": ("AU62",), "look up": ("AU63",), "look down": ("AU64",),
}  # fmt: skip
"""What people call movements, for suggestions: none of these is a name of a unit."""

BLENDSHAPES_OF: Mapping[str, tuple[str, ...]] = {
    "AU01L": ("browInnerUp",),
    "AU01R": ("browInnerUp",),
    "AU02L": ("browOuterUpLeft",),
    "AU02R": ("browOuterUpRight",),
    "AU04L": ("browDownLeft",),
    "AU04R": ("browDownRight",),
    "AU05L": ("eyeWideLeft",),
    "AU05R": ("eyeWideRight",),
    "AU06L": ("cheekSquintLeft",),
    "AU06R": ("cheekSquintRight",),
    "AU07L": ("eyeSquintLeft",),
    "AU07R": ("eyeSquintRight",),
    "AU09L": ("noseSneerLeft",),
    "AU09R": ("noseSneerRight",),
    "AU10L": ("mouthUpperUpLeft",),
    "AU10R": ("mouthUpperUpRight",),
    "AU12L": ("mouthSmileLeft",),
    "AU12R": ("mouthSmileRight",),
    "AU14L": ("mouthDimpleLeft",),
    "AU14R": ("mouthDimpleRight",),
    "AU15L": ("mouthFrownLeft",),
    "AU15R": ("mouthFrownRight",),
    "AU16L": ("mouthLowerDownLeft",),
    "AU16R": ("mouthLowerDownRight",),
    "AU17": ("mouthShrugLower",),
    "AU18": ("mouthPucker",),
    "AU20L": ("mouthStretchLeft",),
    "AU20R": ("mouthStretchRight",),
    "AU22": ("mouthFunnel",),
    "AU24L": ("mouthPressLeft",),
    "AU24R": ("mouthPressRight",),
    "AU26": ("jawOpen",),
    "AU28": ("mouthRollLower", "mouthRollUpper"),
    "AU29": ("jawForward",),
    "AU30L": ("jawLeft",),
    "AU30R": ("jawRight",),
    "AU45L": ("eyeBlinkLeft",),
    "AU45R": ("eyeBlinkRight",),
    "AU61": ("eyeLookOutLeft", "eyeLookInRight"),
    "AU62": ("eyeLookOutRight", "eyeLookInLeft"),
    "AU63": ("eyeLookUpLeft", "eyeLookUpRight"),
    "AU64": ("eyeLookDownLeft", "eyeLookDownRight"),
    "MouthShiftL": ("mouthLeft",),
    "MouthShiftR": ("mouthRight",),
}
"""Per entry, the ARKit blendshapes (MediaPipe's names are the same) whose mean stands for it.

Approximate, like every such table: it follows py-feat's action-unit reference, except that mouthPress is the
lip pressor alone (AU23 has no shape of its own) and that the gaze rows follow the shapes' definitions:
"look out" of the left eye and "look in" of the right one are a look to the subject's left. AU25 mixes several
shapes with weights and is not in the table.
"""

GAZE: tuple[int, ...] = tuple(NAMES.index(name) for name in ("AU61", "AU62", "AU63", "AU64"))
"""The eyes' direction. An actor's eyeline belongs to the scene, so it moves only where that is asked for."""

_INDEX: Mapping[str, int] = {name: i for i, name in enumerate(NAMES)}
_UNITS: Mapping[str, ActionUnit] = {unit.name: unit for unit in ACTION_UNITS}
_SPELLING = re.compile(r"^(?:AU|ACTION ?UNIT)?[ _]?0*(\d{1,2})(?:_R)?[ _]?(L|R|LEFT|RIGHT)?$")


def resolve(name: str) -> tuple[int, ...]:
    """The vector indices a user's name stands for.

    `AU12`, `au012`, `AU12_r` (OpenFace's suffix) and `12` mean both sides; `AU12L`, `AU12_left` and
    `AU12 R` mean one. `AU43` and `AU46` are `AU45`, `AU27` is `AU26`. FACS's words ("lip corner puller")
    work too. Case does not matter.

    Raises:
        UnknownActionUnitError: no such unit; the message names the nearest.
    """
    unit, side = _parse(name)
    if unit is None:
        raise UnknownActionUnitError(f"unknown action unit {name!r}; {_suggestion(name)}")
    if not unit.sided:
        if side is not None:
            raise UnknownActionUnitError(f"action unit {unit.name} ({unit.meaning}) has no side; use {unit.name}")
        return (_INDEX[unit.name],)
    return tuple(_INDEX[entry] for entry in unit.entries if side is None or entry.endswith(side))


def in_regions(regions: Sequence[Region]) -> tuple[int, ...]:
    """The vector indices that belong to any of the regions, in order."""
    wanted = set(regions)
    return tuple(_INDEX[e] for unit in ACTION_UNITS if unit.regions & wanted for e in unit.entries)


def mirrored() -> tuple[int, ...]:
    """For each vector index, the index of its mirror image: left and right swapped, the rest kept."""
    return tuple(_INDEX[_mirror_name(name)] for name in NAMES)


def _mirror_name(name: str) -> str:
    if name in ("AU61", "AU62"):  # gaze left and right are each other's mirror image
        return "AU62" if name == "AU61" else "AU61"
    swapped = {"L": "R", "R": "L"}.get(name[-1])
    return name[:-1] + swapped if swapped and name[:-1] in _UNITS else name


def _parse(name: str) -> tuple[ActionUnit | None, str | None]:
    text = name.strip().upper()
    for unit in ACTION_UNITS:
        if text == unit.meaning.upper():
            return unit, None
    if match := _SPELLING.match(text):
        key, side = f"AU{int(match[1]):02d}", (match[2] or "")[:1] or None
    else:
        shift = re.match(r"^(MOUTH[ _]?SHIFT)[ _]?(L|R|LEFT|RIGHT)?$", text)
        key, side = ("MOUTHSHIFT", (shift[2] or "")[:1] or None) if shift else (text, None)
    return _UNITS.get(ALIASES.get(key, key)), side


def _suggestion(name: str) -> str:
    """The units that were probably meant, where any are near, else all of them."""
    meant = _meant_by_number(name) if re.search(r"\d", name) else _meant_by_words(name)
    if meant:
        return f"did you mean {' or '.join(f'{unit} ({_UNITS[unit].meaning})' for unit in meant)}?"
    return f"known are {', '.join(_UNITS)}"


_NEAR_NUMBERS = 2
"""FACS numbers neighbouring movements alike; further away a number says nothing."""


def _meant_by_number(name: str) -> tuple[str, ...]:
    number = int(re.search(r"\d+", name)[0])  # type: ignore[index]
    units = [u.name for u in ACTION_UNITS if u.name.startswith("AU")]
    nearest = min(units, key=lambda known: abs(int(known[2:]) - number))
    return (nearest,) if abs(int(nearest[2:]) - number) <= _NEAR_NUMBERS else ()


def _meant_by_words(name: str) -> tuple[str, ...]:
    words = re.sub(r"[_ -]+", " ", name.strip().lower())
    if words in EVERYDAY_WORDS:
        return EVERYDAY_WORDS[words]
    shape = re.sub(r"[^a-z]", "", words)
    of_shape = [entry for entry, shapes in BLENDSHAPES_OF.items() if shape in map(str.lower, shapes)]
    if of_shape:
        return tuple(dict.fromkeys(unit.name for unit in ACTION_UNITS if {*unit.entries} & {*of_shape}))
    known = {**{u.meaning: (u.name,) for u in ACTION_UNITS}, **EVERYDAY_WORDS}
    close = difflib.get_close_matches(words, known, n=1, cutoff=0.75)
    return known[close[0]] if close else ()
