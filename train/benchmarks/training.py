"""How fast training is on this machine, as JSON: `python -m retarget.train.benchmarks.training DATASET`.

For each recipe: steps and pictures per second, the share of a step spent waiting for data, how often an update
waits for the device to tell it a number, peak memory, and how much of the rate at which this machine multiplies
large matrices the step's arithmetic reaches.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from retarget.model.checkpoint import default_checkpoint_path
from retarget.model.errors import RetargetError

from ..data import Dataset, open_dataset
from ..gan import Group, Run, geometry_of, load_options

MATRIX = 2048
"""Side of the matrices whose product is the yardstick; 8192 on a GPU."""


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the measurements and returns the exit status."""
    flags = argparse.ArgumentParser(prog="python -m retarget.train.benchmarks.training", description=__doc__)
    flags.add_argument("dataset", type=Path)
    flags.add_argument("--recipes", nargs="+", default=["default", "paper"], metavar="CONFIG")
    flags.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all of them")
    flags.add_argument("--steps", type=int, default=5, help="timed, after one to warm up (default %(default)s)")
    flags.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = flags.parse_args(argv)
    try:
        dataset, device = open_dataset(arguments.dataset), torch.device(arguments.device)
        rate = matrix_rate(device)
        results = {
            name: measure(name, arguments.set, dataset, device, steps=arguments.steps, matrix_flops=rate)
            for name in arguments.recipes
        }
    except RetargetError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return error.exit_code
    machine = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "matrix_gflops": round(rate / 1e9, 1),
    }
    print(json.dumps({"machine": machine, "changes": arguments.set, "recipes": results}, indent=1))
    return 0


def measure(
    recipe: str, changes: Sequence[str], dataset: Dataset, device: torch.device, *, steps: int, matrix_flops: float
) -> dict[str, Any]:
    """One recipe's figures over `steps` generator steps (with their critics' steps)."""
    options = load_options(recipe, [*changes, "run.log_steps=1"])
    with tempfile.TemporaryDirectory() as folder:
        run = Run.build(options, dataset, Path(folder), geometry_of(default_checkpoint_path()), device, Group())
        batches = run.batches()
        with _FlopCounter() as counter:  # type: ignore[no-untyped-call]
            run.advance(0, batches)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        times, waits = [], []
        for step in range(1, steps + 1):
            started = time.perf_counter()
            scores = run.advance(step, batches)  # reading the losses waits for the device
            times.append(time.perf_counter() - started)
            waits.append(scores["waited_share"])
        batches.close()
    seconds = statistics.median(times)
    flops = counter.total
    pictures = options.data.batch * options.schedule.critic_steps
    return {
        "batch": options.data.batch,
        "crop_px": options.generator.crop_px,
        "width": options.generator.width,
        "critic_steps": options.schedule.critic_steps,
        "steps_per_second": round(1 / seconds, 4),
        "pictures_per_second": round(pictures / seconds, 2),
        "waiting_for_data_share": round(statistics.median(waits), 4),
        "waits_for_device_per_update": round(counter.waits / (options.schedule.critic_steps + 1), 2),
        "gflop_per_step": round(flops / 1e9, 1),
        "share_of_matrix_rate": round(flops / seconds / matrix_flops, 4),
        "peak_memory_mib": round(_peak_memory_bytes(device) / 2**20),
    }


def matrix_rate(device: torch.device) -> float:
    """FLOP per second of a large matrix product (bf16 on a GPU, fp32 on a CPU), the best of ten."""
    is_gpu = device.type == "cuda"
    side, kind = (4 * MATRIX, torch.bfloat16) if is_gpu else (MATRIX, torch.float32)
    a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        product = a @ b
        if is_gpu:
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - started)
    assert product.shape == (side, side)
    return 2 * side**3 / best


_WAITING = {torch.ops.aten._local_scalar_dense, torch.ops.aten.nonzero, torch.ops.aten.equal}


class _FlopCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts matrix products and convolutions as they run, 2 x multiply-adds.

    torch's own FlopCounterMode also follows modules, by hooks that a double backward does not pass.
    """

    total = 0
    waits = 1
    """Reads of the device's memory; one, of all losses at a step's end, goes past here."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.waits += func._overloadpacket in _WAITING
        out = func(*args, **(kwargs or {}))
        if (formula := flop_registry.get(func._overloadpacket)) is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=out)
        return out


def _peak_memory_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024  # of the process so far: later recipes include earlier ones
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    sys.exit(main())
