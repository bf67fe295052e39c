"""Devices by the names that people give them."""

from __future__ import annotations

import torch

from .errors import RetargetError


def device_named(name: str, *, error: type[RetargetError] = RetargetError) -> torch.device:
    """The device called "auto" (CUDA where there is one), "cpu", "cuda", "cuda:1", "mps"; tried with one number.

    Raises:
        RetargetError: it cannot be used here; of the caller's own type, `error`.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        raise error(f"device {name!r} cannot be used here; use cpu, or auto to take what there is") from problem
    return device
