"""The tracking benchmark runs and counts what it should."""

from __future__ import annotations

from pathlib import Path

from retarget.pipeline.benchmarks.tracking import measured


def test_it_measures_every_tracker_that_is_there(samples: Path) -> None:
    found = measured(samples / "smile.mp4", rounds=1)
    assert found["frames"] == 72
    own = found["trackers"]["own"]
    assert own["backend"].startswith("LiteRT")
    assert 0 < own["call_ms"] < 1e3
    assert own["tracking_fps"] > 1
    if "mediapipe" in found["trackers"]:
        assert found["own_over_mediapipe"] > 0
        assert found["speed_up"] > 0
