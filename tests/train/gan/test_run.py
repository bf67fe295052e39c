"""What goes wrong in a run leaves the last good state, and one line."""

from __future__ import annotations

import contextlib
import json
import math
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from retarget.model.checkpoint import load_checkpoint
from retarget.model.errors import RetargetError
from retarget.train.data import DatasetError
from retarget.train.gan import run as run_module
from retarget.train.gan.fitted import FittedGeometry
from retarget.train.gan.layout import TrainingError
from retarget.train.gan.load import load_options
from retarget.train.gan.parallel import Group
from retarget.train.gan.run import Run

MORE = "schedule.steps=3"


@pytest.fixture
def full_disk() -> Iterator[Callable[[int], None]]:
    """`full_disk(n)`: no file gets longer than that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("room", "place"),
    [(100, r"run"), (3000, r"0000003\.png|log\.jsonl"), (250_000, r"state\.pt|best\.safetensors")],
)
def test_a_full_disk(
    room: int,
    place: str,
    make_dataset: Callable[..., Any],
    tiny_run: Callable[..., Any],
    full_disk: Callable[[int], None],
    tmp_path: Path,
) -> None:
    dataset = make_dataset()
    tiny_run(dataset, "run")
    names = ("state.pt", "checkpoint.safetensors", "best.safetensors", "options.yaml")
    before = {name: (tmp_path / "run" / name).read_bytes() for name in names}
    full_disk(room)
    with pytest.raises(TrainingError, match=rf"({place}).*: cannot be written \(.*\); the last good state"):
        tiny_run(dataset, "run", MORE, resume=True)
    full_disk(resource.RLIM_INFINITY)
    kept = {name: (tmp_path / "run" / name).read_bytes() for name in names if name != "options.yaml"}
    assert kept == {name: before[name] for name in kept}
    assert not list((tmp_path / "run").glob(".*part*"))
    assert tiny_run(dataset, "run", MORE, resume=True).step == 3


def test_a_damaged_crop_saves_what_was_learnt(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset()
    real, taken = Run.advance, []

    def advance(self: Run, step: int, batches: Any) -> Any:
        if step == 2:
            for file in dataset.files:
                taken.append((dataset.folder / file, (dataset.folder / file).read_bytes()))
                (dataset.folder / file).write_bytes(b"half")
        return real(self, step, batches)

    monkeypatch.setattr(Run, "advance", advance)
    with pytest.raises(DatasetError, match=r"\.png: the crop is damaged; remove its row"):
        tiny_run(dataset, "run", "schedule.steps=50", "run.loader_threads=1")
    done = torch.load(tmp_path / "run/state.pt", weights_only=True)["step"]
    assert 2 <= done < 50
    assert load_checkpoint(tmp_path / "run/checkpoint.safetensors").provenance["steps"] == done


def test_weights_that_are_not_finite_are_never_saved(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset()
    tiny_run(dataset, "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.*t*s*")}
    real = run_module.ema.update

    def spoiled(average: Any, module: Any, **options: Any) -> None:
        real(average, module, **options)
        with torch.no_grad():
            next(module.parameters()).fill_(math.inf)

    monkeypatch.setattr(run_module.ema, "update", spoiled)
    with pytest.raises(TrainingError, match="the editor is not finite after step 2; the last good state"):
        tiny_run(dataset, "run", "schedule.steps=2", resume=True)
    for name in ("state.pt", "checkpoint.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == before.get(name, (tmp_path / "run" / name).read_bytes())
    assert torch.load(tmp_path / "run/state.pt", weights_only=True)["step"] == 1


def test_a_gradient_that_is_not_finite_ends_the_run(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = run_module.average_gradients

    def poisoned(module: Any, group: Any) -> None:
        real(module, group)
        next(p for p in module.parameters() if p.grad is not None).grad.fill_(math.inf)

    monkeypatch.setattr(run_module, "average_gradients", poisoned)
    with pytest.raises(TrainingError, match="the critics' gradient is inf at step 0"):
        tiny_run(make_dataset(), "run")
    assert not (tmp_path / "run/state.pt").exists()


def test_a_state_of_another_size_is_told(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path
) -> None:
    dataset = make_dataset()
    tiny_run(dataset, "run")
    state = torch.load(tmp_path / "run/state.pt", weights_only=True)
    for part, value in (("editor", {}), ("critic_optimiser", {"state": {}, "param_groups": []}), ("average", 3)):
        torch.save({**state, part: value}, tmp_path / "run/state.pt")
        with pytest.raises(RetargetError, match=r"state\.pt is damaged \(.*\); start anew") as caught:
            tiny_run(dataset, "run", MORE, resume=True)
        assert "\n" not in str(caught.value)


def test_gradients_are_logged(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path
) -> None:
    tiny_run(make_dataset(), "run", "run.log_steps=1", "schedule.steps=2")
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    for step in (1, 2):
        (logged,) = [line for line in lines if line["step"] == step and "total" in line]
        assert logged["gradient_norm/generator"] > 0
        assert logged["gradient_norm/critics"] > 0


class Reads(TorchDispatchMode):
    """Counts what makes a processor wait for a device, but for whole tensors."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func._overloadpacket in (torch.ops.aten._local_scalar_dense, torch.ops.aten.nonzero)
        return func(*args, **(kwargs or {}))


def test_a_step_waits_for_the_device_once(
    make_dataset: Callable[..., Any],
    drawn_geometry: FittedGeometry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = load_options("paper", [
        "generator.width=2", "generator.crop_px=64", "critic.width=2", "critic.layers=4", "data.batch=2",
    ])  # fmt: skip
    run = Run.build(options, make_dataset(), tmp_path, drawn_geometry, torch.device("cpu"), Group())
    lists: list[Any] = []
    real = torch.Tensor.tolist
    with contextlib.closing(run.batches()) as batches:
        run.advance(0, batches)
        monkeypatch.setattr(torch.Tensor, "tolist", lambda self: lists.append(self) or real(self))
        with Reads() as reads:
            run.advance(1, batches)
    assert (reads.count, len(lists)) == (0, 1)
