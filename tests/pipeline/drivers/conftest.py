"""Series, capture files and curve files made of a few values, and what a driver says of one action unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.drivers.capture import read_series
from retarget.pipeline.drivers.curve_file import LoadDriver, load_curves
from retarget.pipeline.drivers.curves import CurveDriver
from retarget.pipeline.drivers.driver import Driver, DriverOptions
from retarget.pipeline.drivers.series import SeriesDriver
from retarget.pipeline.faces import blendshapes
from retarget.pipeline.records import ExpressionSeries, Target

COUNT = action_units.COUNT

Columns = dict[str, Sequence[object]]


@pytest.fixture
def series_of() -> Callable[..., ExpressionSeries]:
    return _series_of


def _series_of(
    seconds: Sequence[float], smile: Sequence[float], *, confidence: Sequence[float] | None = None
) -> ExpressionSeries:
    """A series in which AU12L follows `smile`; everything is filled but AU23."""
    values = np.zeros((len(seconds), COUNT), np.float32)
    values[:, action_units.NAMES.index("AU12L")] = smile
    filled = np.ones(COUNT, np.bool_)
    filled[action_units.NAMES.index("AU23")] = False
    sure = np.ones(len(seconds)) if confidence is None else np.array(confidence)
    return ExpressionSeries(np.array(seconds, np.float64), values, filled, sure.astype(np.float32))


@pytest.fixture
def write() -> Callable[..., Path]:
    return _write


def _write(path: Path, columns: Mapping[str, Sequence[object]], *, separator: str = ",") -> Path:
    rows = zip(*columns.values(), strict=True)
    lines = [separator.join(columns), *(separator.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def openface() -> Callable[..., Columns]:
    return _openface


def _openface(n: int = 4, **changes: Sequence[object]) -> Columns:
    """OpenFace's columns in its order, AU12_r rising by 0.5 a frame."""
    units = {f"{name}_r": [0.0] * n for name in action_units.OPENFACE_NAMES}
    return {
        "frame": range(1, n + 1),
        "face_id": [0] * n,
        "timestamp": [f"{i / 25:.3f}" for i in range(n)],
        "confidence": [0.98] * n,
        "success": [1] * n,
        "x_0": [312.4] * n,
        "X_0": [-55.1] * n,
        **units,
        "AU12_r": [f"{0.5 * i:.2f}" for i in range(n)],
        "AU12_c": [0] * n,
        "AU28_c": [1] * n,
        **changes,
    }


@pytest.fixture
def fex() -> Callable[..., Columns]:
    return _fex


def _fex(n: int = 3, **changes: Sequence[object]) -> Columns:
    """A py-feat Fex with its marks; frames 0, 2, 4."""
    units = "AU01 AU02 AU04 AU05 AU06 AU07 AU09 AU10 AU11 AU12 AU14 AU15 AU17 AU20 AU23 AU24 AU25 AU26 AU28 AU43"
    return {
        "FaceRectX": [10.0] * n,
        "FaceScore": [0.9] * n,
        **{name: [0.0] * n for name in units.split()},
        "AU12": [0.1 * i for i in range(n)],
        "AU43": [0.3] * n,
        "input": ["a.mp4"] * n,
        "frame": [2 * i for i in range(n)],
        "approx_time": ["00:00"] * n,
        **changes,
    }


@pytest.fixture
def live_link() -> Callable[..., Columns]:
    return _live_link


def _live_link(timecodes: Sequence[str], **changes: Sequence[object]) -> Columns:
    n = len(timecodes)
    shapes = {name[0].upper() + name[1:]: [0.0] * n for name in blendshapes.NAMES}
    return {"Timecode": timecodes, "BlendShapeCount": [61] * n, **shapes, "HeadYaw": [-0.3] * n, **changes}


@pytest.fixture
def mediapipe() -> Callable[..., Columns]:
    return _mediapipe


def _mediapipe(n: int = 3, **changes: Sequence[object]) -> Columns:
    shapes = {name: [0.5] * n for name in ("_neutral", *blendshapes.NAMES) if name != "tongueOut"}
    return {"timestamp_ms": [40 * i for i in range(n)], **shapes, **changes}


@pytest.fixture
def without() -> Callable[..., Columns]:
    return _without


def _without(columns: Mapping[str, Sequence[object]], *names: str) -> Columns:
    return {name: cells for name, cells in columns.items() if name not in names}


@pytest.fixture
def column_of() -> Callable[..., list[float]]:
    return _column_of


def _column_of(path: Path, name: str, **options: object) -> list[float]:
    return read_series(path, **options).series.values[:, action_units.NAMES.index(name)].tolist()  # type: ignore[arg-type]


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., CurveDriver]:
    """`load(text, **options of load_curves)`: edit.yaml in the test's folder, at 24 frames a second."""

    def load(text: str, **options: object) -> CurveDriver:
        path = tmp_path / "edit.yaml"
        path.write_text(dedent(text), encoding="utf-8")
        return load_curves(path, **{"frame_rate": Fraction(24), **options})  # type: ignore[arg-type]

    return load


@pytest.fixture
def at() -> Callable[..., tuple[list[float], list[float]]]:
    return _at


def _at(driver: Driver, name: str, *seconds: float, face: int = 0) -> tuple[list[float], list[float]]:
    """(values, weights) of one action unit; both sides must agree."""
    target = driver.target(np.array(seconds, np.float64), face)
    first, *others = action_units.resolve(name)
    for other in others:
        np.testing.assert_array_equal(target.values[:, other], target.values[:, first])
    return target.values[:, first].tolist(), target.weight[:, first].tolist()


@pytest.fixture
def moved() -> Callable[..., np.ndarray]:
    return _moved


def _moved(target: Target, own: float = 0.0) -> np.ndarray:  # type: ignore[type-arg]
    """What the trajectory stage makes of a target: (N, C) change of a performance that shows `own`."""
    return np.asarray(target.weight * (target.values - np.where(target.additive, 0.0, own)))


def _still(smile: float, options: DriverOptions) -> SeriesDriver:
    """A driver that shows one AU12 for ever."""
    values = np.zeros((1, COUNT), np.float32)
    values[:, list(action_units.resolve("AU12"))] = smile
    series = ExpressionSeries(np.zeros(1), values, np.ones(COUNT, np.bool_), np.ones(1, np.float32))
    return SeriesDriver(series, np.zeros(COUNT, np.float32), options=options, notes=("a still",))


@pytest.fixture
def opener() -> Callable[..., LoadDriver]:
    return _opener


def _opener(seen: list[tuple[Path, DriverOptions]], smile: float = 0.5) -> LoadDriver:
    def load_driver(path: Path, options: DriverOptions) -> Driver:
        seen.append((path, options))
        return _still(smile, options)

    return load_driver
