"""Records that go through a collector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from retarget.pipeline.faces.analysis import ClipAnalysis
from retarget.pipeline.faces.collect import Collector
from retarget.pipeline.records import TrackedFrame


@pytest.fixture
def tracked() -> Callable[..., TrackedFrame]:
    """`tracked(index, shot, *faces, start=seconds)`: a record at 25 frames a second."""

    def make(index: int, shot: int, *faces: Any, start: float = 0.0) -> TrackedFrame:
        return TrackedFrame(index, index, start + index / 25, shot, faces)

    return make


@pytest.fixture
def collected(make_info: Any) -> Callable[[list[TrackedFrame]], ClipAnalysis]:
    """A function that runs records through a collector."""

    def run(frames: list[TrackedFrame]) -> ClipAnalysis:
        collector = Collector(make_info())
        assert list(collector.collect(frames)) == frames
        return collector.analysis()

    return run
