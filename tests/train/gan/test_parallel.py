"""One process needs no group; several are tested through a whole run here and in test_loop."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from retarget.train.gan.parallel import Group, any_of, average_gradients, joined, means_of, same_start


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
        watched, others = {"a": torch.tensor(1.0), "b": torch.tensor(2.0)}, {"c": torch.tensor(3.0)}
        assert means_of(watched, others, group) == {"a": 1, "b": 2, "c": 3}
        assert means_of(watched, {}, group) == {"a": 1, "b": 2}
    assert all(torch.equal(a, b) for a, b in zip(before[0], module.parameters(), strict=True))
    assert all(torch.equal(a, p.grad) for a, p in zip(before[1], module.parameters(), strict=True))


def test_only_the_first_of_several_writes() -> None:
    assert Group(0, 2).is_first
    assert not Group(1, 2).is_first


def test_what_is_not_finite_in_one_process_stops_all(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tiny_options: list[str], tmp_path: Path
) -> None:
    """And a share of the pictures that has no pairs learns all the same."""
    dataset = make_dataset()
    program = tmp_path / "process.py"
    program.write_text(
        "import math, os, sys\n"
        "from pathlib import Path\n"
        "from retarget.pipeline.commands import run_command\n"
        "from retarget.train.data import open_dataset\n"
        "from retarget.train.gan import load_options, run, train\n"
        "real = run.generator_step\n"
        "def poisoned(*arguments, **options):\n"
        "    total, parts = real(*arguments, **options)\n"
        "    return total * (math.nan if os.environ['RANK'] == '1' and len(calls) > 1 else 1), parts\n"
        "calls = []\n"
        "def counted(*arguments, **options):\n"
        "    calls.append(0)\n"
        "    return poisoned(*arguments, **options)\n"
        "run.generator_step = counted\n"
        "def main():\n"
        "    options = load_options('default', sys.argv[3:])\n"
        "    train(options, open_dataset(sys.argv[1]), Path(sys.argv[2]), device='cpu', resume=True, quiet=True)\n"
        "    return 0\n"
        "status = run_command('process', main)\n"
        "said = f\"STATUS {os.environ['RANK']} {status} {len(calls)}\\n\"\n"
        "os.write(1, said.encode())  # at once: both write to one pipe\n"
    )
    few_pairs = ["data.pair_fraction=0.5", "schedule.adversarial_from_step=9"]
    tiny_run(dataset, "run", *few_pairs, geometry=None)
    changes = [*tiny_options, *few_pairs, "schedule.steps=9"]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29518"]
    done = subprocess.run(
        [*map(str, [*command, program, dataset.folder, tmp_path / "run", *changes])],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert "STATUS 0 1 2" in done.stdout, done.stderr[-2000:]
    assert "STATUS 1 1 2" in done.stdout
    assert done.stderr.count("the generator's loss is nan at step 2; the last good checkpoint is kept") == 2
    assert torch.load(tmp_path / "run/state.pt", weights_only=True)["step"] == 1
