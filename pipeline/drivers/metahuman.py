"""Curves of a MetaHuman's face (`CTRL_expressions_...`) as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from .capture_file import CaptureFormat, FaceRows, SeriesFile, face_rows, in_unit_range, series_file
from .capture_table import CaptureSource

_PREFIX = "ctrl_expressions_"


def _both(name: str, *curves: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A unit with sides, from curves that end in L and R."""
    for side in "LR":
        yield f"{name}{side}", tuple(f"{curve}{side}".lower() for curve in curves)


def _around(*curves: str) -> tuple[str, ...]:
    """Curves of the lips: of the upper and the lower one, on both sides."""
    return tuple(f"{curve}{lip}{side}".lower() for curve in curves for lip in "UD" for side in "LR")


CURVES_OF: Mapping[str, tuple[str, ...]] = dict([
    *_both("AU01", "browRaiseIn"),
    *_both("AU02", "browRaiseOuter"),
    *_both("AU04", "browDown"),
    *_both("AU05", "eyeWiden"),
    *_both("AU06", "eyeCheekRaise"),
    *_both("AU07", "eyeSquintInner"),
    *_both("AU09", "noseWrinkle"),
    *_both("AU10", "mouthUpperLipRaise"),
    *_both("AU12", "mouthCornerPull"),
    *_both("AU14", "mouthDimple"),
    *_both("AU15", "mouthCornerDepress"),
    *_both("AU16", "mouthLowerLipDepress"),
    ("AU17", ("jawchinraisedl", "jawchinraisedr")),
    ("AU18", _around("mouthLipsPurse")),
    *_both("AU20", "mouthStretch"),
    ("AU22", _around("mouthFunnel")),
    ("AU23", _around("mouthLipsTighten")),
    *_both("AU24", "mouthLipsPress"),
    ("AU26", ("jawopen",)),
    ("AU28", ("mouthlowerlipbitel", "mouthlowerlipbiter", "mouthupperlipbitel", "mouthupperlipbiter")),
    ("AU29", ("jawfwd",)),
    ("AU30L", ("jawleft",)),
    ("AU30R", ("jawright",)),
    *_both("AU45", "eyeBlink"),
    ("AU61", ("eyelookleftl", "eyelookleftr")),
    ("AU62", ("eyelookrightl", "eyelookrightr")),
    ("AU63", ("eyelookupl", "eyelookupr")),
    ("AU64", ("eyelookdownl", "eyelookdownr")),
    ("MouthShiftL", ("mouthleft",)),
    ("MouthShiftR", ("mouthright",)),
])  # fmt: skip
"""Per entry, the curves whose mean stands for it, in lower case and without the prefix. The rig's names are FACS's
movements in other words. Left and right are the character's."""

_TOGETHER = tuple(f"mouthlipstogether{lip}{side}" for lip in "ud" for side in "lr")
_PARTING = tuple(f"mouth{which}{side}" for which in ("upperlipraise", "lowerlipdepress") for side in "lr")


def _is_metahuman(source: CaptureSource) -> bool:
    return any(_curve(name) in _KNOWN for name in source.header.names if _PREFIX in name)


def _curve(column: str) -> str:
    """The curve's name without what stands before it: a path, the prefix."""
    return column.rpartition(_PREFIX)[2].strip()


_KNOWN = frozenset({*(curve for curves in CURVES_OF.values() for curve in curves), *_TOGETHER})


def _read(source: CaptureSource) -> SeriesFile:
    """Curves of 0..1; an action unit is filled where any of its curves is there."""
    columns = [name for name in source.header.names if _PREFIX in name and _curve(name) in _KNOWN]
    rows = face_rows(source, columns)
    curves = {_curve(name): in_unit_range(rows, name, 1.0) for name in rows.columns}
    values = np.zeros((len(rows.table), action_units.COUNT))
    filled = np.zeros(action_units.COUNT, np.bool_)
    for entry, parts in CURVES_OF.items():
        found = [curves[part] for part in parts if part in curves]
        if found:
            at = action_units.NAMES.index(entry)
            values[:, at], filled[at] = np.mean(found, axis=0), True
    if "jawopen" in curves:
        at = action_units.NAMES.index("AU25")
        values[:, at], filled[at] = _lips_part(rows, curves), True
    return series_file(source, rows, "metahuman", values, filled)


def _lips_part(rows: FaceRows, curves: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """AU25 as of blendshapes: the jaw, as far as the lips do not stay together, and half of what parts them."""

    def mean(names: tuple[str, ...]) -> NDArray[np.float64]:
        found = [curves[name] for name in names if name in curves]
        return np.mean(found, axis=0) if found else np.zeros(len(rows.table))

    parted = curves["jawopen"] * (1 - mean(_TOGETHER)) + mean(_PARTING)
    return np.asarray(np.clip(parted, 0.0, 1.0), np.float64)


METAHUMAN = CaptureFormat("metahuman", "MetaHuman curves (CTRL_expressions_jawOpen)", _is_metahuman, _read)
