"""Several processes on one batch: gradients averaged by hand, because the penalty's double backward and several
passes per step do not fit a wrapper that counts one backward pass."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Group:
    """This process among those that train together."""

    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this one writes files and talks."""
        return self.rank == 0


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """The group that torchrun started this process in; alone without torchrun."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Group()
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Group(dist.get_rank(), world)
    finally:
        dist.destroy_process_group()


def same_start(modules: Iterable[nn.Module], group: Group) -> None:
    """Gives every process the first one's parameters and buffers."""
    if group.world > 1:
        for module in modules:
            for tensor in module.state_dict().values():
                dist.broadcast(tensor, 0)


def average_gradients(module: nn.Module, group: Group) -> None:
    """Every gradient becomes its mean over the processes; one transfer for all of them.

    What one process has no use for may matter to another: its share of pictures may be without pairs.
    """
    if group.world == 1:
        return
    gradients = []
    for parameter in module.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            gradients.append(parameter.grad)
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= group.world
    for gradient, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def any_of(flag: bool, group: Group, device: torch.device) -> bool:
    """Whether the flag is set in any process: all stop together or none does."""
    if group.world == 1:
        return flag
    value = torch.tensor(float(flag), device=device)
    dist.all_reduce(value)
    return bool(value > 0)


def means_of(watched: Mapping[str, Tensor], others: Mapping[str, Tensor], group: Group) -> dict[str, float]:
    """Scalars by name, each the mean over the processes that have it; waits for the device once.

    `watched` are everybody's and may come each step; `others` cost a message and may be missing in some.
    """
    watch = torch.stack(list(watched.values())).float()
    if group.world > 1:
        dist.all_reduce(watch)
        watch /= group.world
    found = torch.cat([watch, *(value.detach().float().view(1) for value in others.values())]).tolist()
    values = dict(zip([*watched, *others], found, strict=True))
    if group.world > 1 and others:
        everybody: list[dict[str, float]] = [{}] * group.world
        dist.all_gather_object(everybody, {name: values[name] for name in others})
        for name in {name: None for one in everybody for name in one}:
            known = [one[name] for one in everybody if name in one]
            values[name] = sum(known) / len(known)
    return values
