"""Drivers and analyses whose every number is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.mesh import MOUTH
from retarget.pipeline.edit.render import Renderer
from retarget.pipeline.faces import ClipAnalysis, Collector
from retarget.pipeline.records import Target, TrackedFrame

C = action_units.COUNT


class FixedDriver:
    """Asks the same of every face at every moment, or per face in turn; remembers what it was asked."""

    duration_seconds = 10.0
    notes: tuple[str, ...] = ()

    def __init__(self, *wishes: dict[str, float], additive: bool = False, weight: float = 1.0) -> None:
        self.wishes, self.additive, self.weight = wishes, additive, weight
        self.asked: list[tuple[Any, int]] = []

    def target(self, seconds: Any, face: int) -> Target:
        self.asked.append((seconds, face))
        values, weight = np.zeros((2, len(seconds), C), np.float32)
        for name, value in self.wishes[face % len(self.wishes)].items():
            columns = list(action_units.resolve(name))
            values[:, columns], weight[:, columns] = value, self.weight
        return Target(values, weight, np.full(values.shape, self.additive))


@pytest.fixture
def fixed_driver() -> type[FixedDriver]:
    return FixedDriver


@pytest.fixture
def analysed(make_info: Any) -> Callable[..., ClipAnalysis]:
    """A function from a list of frames' faces, one for each shot, to an analysis."""

    def run(*shots: list[tuple[Any, ...]]) -> ClipAnalysis:
        collector = Collector(make_info(640, 480))
        frames = [(number, faces) for number, shot in enumerate(shots) for faces in shot]
        records = (TrackedFrame(i, i, i / 25, number, faces) for i, (number, faces) in enumerate(frames))
        assert sum(1 for _ in collector.collect(records)) == len(frames)
        return collector.analysis()

    return run


LOWER_LIP = MOUTH[1][1:-1]


@pytest.fixture
def open_mouth(make_face: Any) -> Callable[..., Any]:
    """`open_mouth(gap)`: a face whose lower lip's edge is `gap` canonical units further down than at rest."""

    def make(gap: float, center: tuple[float, float] = (128, 100), scale_px: float = 80, **how: Any) -> Any:
        face = make_face(0, center, scale_px, **how)
        landmarks = face.landmarks.copy()
        landmarks[list(LOWER_LIP), 1] += np.float32(gap * scale_px)
        return replace(face, landmarks=landmarks)

    return make


@pytest.fixture
def jaw_renderer(make_checkpoint: Any, make_info: Any) -> Callable[..., Renderer]:
    """`jaw_renderer(drop)`: its AU26 brings the lower lip's edge down by `drop` canonical units."""

    def make(drop: float, width: int = 2) -> Renderer:
        def opens(points: Any) -> Any:
            rows = np.zeros_like(points)
            rows[list(LOWER_LIP), 1] = drop
            return rows

        return Renderer(make_checkpoint({"AU26": opens}, width=width), make_info(256, 200), device="cpu")

    return make
