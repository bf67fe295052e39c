"""One process needs no group; several are tested through a whole run in test_loop."""

import torch
from torch import nn

from retarget.train.gan.parallel import Group, any_of, average_gradients, joined, mean_of, same_start


def test_a_process_alone_changes_nothing() -> None:
    module = nn.Linear(2, 1)
    module(torch.ones(1, 2)).sum().backward()
    before = [p.detach().clone() for p in module.parameters()], [p.grad.clone() for p in module.parameters()]
    with joined(torch.device("cpu")) as group:
        assert (group.rank, group.world, group.is_first) == (0, 1, True)
        same_start([module], group)
        average_gradients(module, group)
        assert any_of(True, group, torch.device("cpu"))
        assert not any_of(False, group, torch.device("cpu"))
        assert mean_of(torch.tensor([1.0, 2.0]), group).tolist() == [1, 2]
    assert all(torch.equal(a, b) for a, b in zip(before[0], module.parameters(), strict=True))
    assert all(torch.equal(a, p.grad) for a, p in zip(before[1], module.parameters(), strict=True))


def test_only_the_first_of_several_writes() -> None:
    assert Group(0, 2).is_first
    assert not Group(1, 2).is_first
