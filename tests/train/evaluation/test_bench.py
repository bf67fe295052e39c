"""What is not installed is named."""

from __future__ import annotations

import numpy as np
import pytest

from retarget.train.evaluation import bench
from retarget.train.evaluation.bench import open_tools


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "find_identity_network", lambda: None)
    monkeypatch.setattr(bench, "find_inception_network", lambda: "not measured: no weights")
    with open_tools() as tools:
        assert tools.identity is None
        assert tools.packaged is not None
        assert tools.inception is None
        assert tools.missing["ACD"] == "not measured: install retarget[evaluate]"
        assert tools.missing["IS"] == "not measured: no weights"
        assert tools.meter.measure(np.zeros((64, 64, 3), np.uint8), np.full((478, 3), 32, np.float32)) is None
