import pytest
import torch
from torch import nn

from retarget.train.gan import ema


def test_the_average_follows_with_a_warm_start() -> None:
    module = nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(0.0)
    average = ema.averaged(module)
    module.weight.data.fill_(1.0)
    ema.update(average, module, decay=0.999, step=0)
    assert average.weight.item() == pytest.approx(0.9)  # keeps (1 + 0) / (10 + 0) of the start
    ema.update(average, module, decay=0.5, step=1000)
    assert average.weight.item() == pytest.approx(0.95)


def test_it_is_a_copy_that_is_never_trained() -> None:
    module = nn.BatchNorm1d(2)
    average = ema.averaged(module)
    module(torch.randn(8, 2))  # moves the running mean
    assert not average.training
    assert not any(p.requires_grad for p in average.parameters())
    ema.update(average, module, decay=0.9, step=5)
    assert torch.equal(average.running_mean, module.running_mean)  # type: ignore[arg-type]
