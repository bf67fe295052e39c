"""IS is measured with the one network whose scores can be compared, or not at all."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from retarget.train.metrics.inception import (
    NO_WEIGHTS,
    NOT_INSTALLED,
    WEIGHTS_NAME,
    find_inception_network,
    inception_score,
)

MODULE = "torch_fidelity.feature_extractor_inceptionv3"


class Extractor:
    """What torch-fidelity's class takes and gives, with logits that are the mean colour."""

    def __init__(self, _name: str, features: list[str], *, feature_extractor_weights_path: str) -> None:
        assert features == ["logits_unbiased"]
        self.weights = feature_extractor_weights_path

    def __call__(self, batch: torch.Tensor) -> tuple[torch.Tensor]:
        assert batch.dtype == torch.uint8
        assert batch.shape[1] == 3
        return (batch.float().mean((2, 3)),)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """torch-fidelity as if installed; the folder for torch.hub's checkpoints."""
    real: Any = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: object() if n == "torch_fidelity" else real(n))
    module = types.ModuleType(MODULE)
    module.FeatureExtractorInceptionV3 = Extractor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, MODULE, module)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert find_inception_network() == NOT_INSTALLED == "not measured: install torch-fidelity"


def test_without_weights_it_says_so_and_downloads_nothing(installed: Path) -> None:
    found = find_inception_network()
    assert found == NO_WEIGHTS
    assert isinstance(found, str)
    assert "weights not found" in found


def test_probabilities_are_the_softmax_of_unbiased_logits(installed: Path) -> None:
    (installed / WEIGHTS_NAME).write_bytes(b"weights")
    network = find_inception_network()
    assert not isinstance(network, str)
    pictures = [np.full((8, 8, 3), (2, 0, 0), np.uint8), np.full((8, 8, 3), (1, 1, 1), np.uint8)]
    found = network.probabilities(pictures)
    e = np.exp(2)
    np.testing.assert_allclose(found, [[e / (e + 2), 1 / (e + 2), 1 / (e + 2)], [1 / 3] * 3], rtol=1e-6)


def test_inception_score_is_one_for_one_answer_and_the_class_count_for_sure_and_varied_ones() -> None:
    assert inception_score(np.full((8, 4), 0.25), splits=2) == (pytest.approx(1), pytest.approx(0))
    assert inception_score(np.tile(np.eye(4), (2, 1)), splits=2)[0] == pytest.approx(4)
    mean, deviation = inception_score(np.repeat(np.eye(2), 2, axis=0)[[0, 1, 0, 2]], splits=2)
    assert (mean, deviation) == (pytest.approx(1.5), pytest.approx(0.5))  # 1 for the first half, 2 for the second
