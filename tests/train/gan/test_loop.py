"""A run from end to end on a few drawn faces: every recipe, resuming, stopping, and what goes wrong."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from retarget.model import action_units
from retarget.model.checkpoint import load_checkpoint
from retarget.model.errors import RetargetError
from retarget.model.generator import EditInput, compose
from retarget.model.geometry import GeometryModel
from retarget.model.response import FaceResponse, ResponseConfig
from retarget.pipeline.faces import AU_SOURCE
from retarget.train.data import person_marks
from retarget.train.gan import loop
from retarget.train.gan import run as run_module
from retarget.train.gan.configs import recipes
from retarget.train.gan.fitted import FittedGeometry
from retarget.train.gan.layout import TrainingError
from retarget.train.gan.load import load_options
from retarget.train.gan.loop import train
from retarget.train.gan.parallel import Group
from retarget.train.gan.schedule import learning_rate

SMALL = {
    "default": [
        "generator.width=4", "generator.crop_px=64", "generator.levels=2", "generator.k_msf=1",
        "region_critic.width=4", "region_critic.layers=2", "region_critic.view_px=16",
        "losses.pair_perceptual=0", "data.batch=4", "schedule.adversarial_from_step=1",
    ],
    "paper": [
        "generator.width=2", "generator.crop_px=64", "critic.width=2", "critic.layers=4", "data.batch=2",
        "schedule.critic_steps=2",
    ],
}  # fmt: skip
STEPS = ["schedule.steps=2", "schedule.decay_steps=0"]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small(name: str, *changes: str) -> Any:
    kind = "default" if name == "default" else "paper"
    return load_options(name, [*SMALL[kind], *STEPS, *changes])


def weights(path: Path) -> Mapping[str, torch.Tensor]:
    return load_checkpoint(path).state


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", list(recipes()))
def test_every_recipe_runs(
    name: str, make_dataset: Callable[..., Any], drawn_geometry: FittedGeometry, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    result = train(small(name), make_dataset(), run, geometry=drawn_geometry, device="cpu", quiet=True)
    assert (result.end, result.step) == ("finished", 2)
    checkpoint = load_checkpoint(run / "checkpoint.safetensors")
    assert checkpoint.condition == ("absolute" if name in ("paper-absolute", "ganimation") else "relative")
    assert len(checkpoint.action_units) == (46 if name == "default" else 17)
    assert checkpoint.provenance["steps"] == 2
    assert checkpoint.provenance["data"]["people"] == person_marks(f"person {i}" for i in range(4))
    assert checkpoint.provenance["config_hash"] == small(name).learning_hash
    assert (run / "samples" / "0000002.png").stat().st_size > 1000
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert all(math.isfinite(value) for line in lines for value in line.values())
    image, au = torch.rand(1, 3, 64, 64), torch.zeros(1, action_units.COUNT)
    editor = checkpoint.build_editor()
    assert compose(image, editor(EditInput(image, au, au + 0.2, torch.rand(1, 478, 3) * 64))).shape == image.shape


def test_a_geometry_s_response_is_used_and_never_trained(
    make_dataset: Callable[..., Any], drawn_geometry: FittedGeometry, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    response = FaceResponse(ResponseConfig(au_count=action_units.COUNT, width=8))
    for tensor in (*response.parameters(), response.motion_basis):
        torch.nn.init.normal_(tensor, std=0.01)
    plain = drawn_geometry.model
    geometry = GeometryModel.from_fit(plain.weight, plain.mean_shape, plain.triangles, response)
    options, dataset = small("default"), make_dataset()
    for name, given in (("with", FittedGeometry(geometry, people=())), ("without", drawn_geometry)):
        train(options, dataset, tmp_path / name, geometry=given, device="cpu", quiet=True)
    one, other = (weights(tmp_path / name / "checkpoint.safetensors") for name in ("with", "without"))
    kept = {name: tensor for name, tensor in one.items() if name.startswith("geometry.response.")}
    assert same(kept, {f"geometry.response.{name}": tensor for name, tensor in response.state_dict().items()})
    learnt = [name for name in other if name.startswith("network.")]
    assert any(not torch.equal(one[name], other[name]) for name in learnt)


@pytest.mark.parametrize("name", ["default", "paper"])
def test_resuming_is_exact(
    name: str, make_dataset: Callable[..., Any], drawn_geometry: FittedGeometry, tmp_path: Path
) -> None:
    dataset = make_dataset()

    def run(folder: str, steps: int, *, resume: bool = False) -> Any:
        options = small(name, f"schedule.steps={steps}")
        return train(
            options, dataset, tmp_path / folder, geometry=drawn_geometry, device="cpu", resume=resume, quiet=True
        )

    assert run("whole", 4).step == 4
    run("parts", 2)
    before = dict(weights(tmp_path / "parts/checkpoint.safetensors"))
    assert run("parts", 4, resume=True).step == 4
    after = weights(tmp_path / "parts/checkpoint.safetensors")
    assert same(after, weights(tmp_path / "whole/checkpoint.safetensors"))
    assert not same(after, before)


def test_a_meter_is_listened_to_and_refuses_what_it_does_not_measure(
    make_dataset: Callable[..., Any], drawn_geometry: FittedGeometry, tmp_path: Path
) -> None:
    options = small("default", "losses.condition_meter=2", "run.log_steps=1", "run.precision=bf16")
    dataset = make_dataset(au_source=AU_SOURCE)
    train(options, dataset, tmp_path / "run", geometry=drawn_geometry, device="cpu", quiet=True)
    logged = json.loads((tmp_path / "run/log.jsonl").read_text().splitlines()[0])
    assert 0 < logged["condition_meter"] < 1
    kept = load_checkpoint(tmp_path / "run/checkpoint.safetensors")
    assert not [name for name in kept.state if "landmarker" in name or "mixers" in name]
    other = make_dataset(name="other", au_source="openface-2")
    with pytest.raises(RetargetError, match=r"are of openface-2, .*; prepare it with this retarget"):
        train(options, other, tmp_path / "other", geometry=drawn_geometry, device="cpu", quiet=True)


def test_two_processes_learn_what_one_does(
    make_dataset: Callable[..., Any], drawn_geometry: FittedGeometry, tmp_path: Path
) -> None:
    dataset = make_dataset()
    torch.save(drawn_geometry.model.state_dict(), tmp_path / "geometry.pt")
    changes = ["data.pair_fraction=0.5"]
    train(small("default", *changes), dataset, tmp_path / "one", geometry=drawn_geometry, device="cpu", quiet=True)
    program = tmp_path / "process.py"
    program.write_text(
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from retarget.model.geometry import GeometryModel\n"
        "from retarget.train.data import open_dataset\n"
        "from retarget.train.gan.fitted import FittedGeometry\n"
        "from retarget.train.gan.loop import train\n"
        "from retarget.train.gan.load import load_options\n"
        "torch.set_num_threads(1)\n"
        "state = torch.load(sys.argv[2], weights_only=True)\n"
        "geometry = GeometryModel.from_fit(state['weight'], state['mean_shape'], state['triangles'])\n"
        "train(load_options('default', sys.argv[4:]), open_dataset(sys.argv[1]), Path(sys.argv[3]),\n"
        "      geometry=FittedGeometry(geometry, people=()), device='cpu', quiet=True)\n"
    )
    arguments = [dataset.folder, tmp_path / "geometry.pt", tmp_path / "two", *SMALL["default"], *STEPS, *changes]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29517", program]
    done = subprocess.run(
        [*map(str, [*command, *arguments])],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    still = ["schedule.learning_rate=1e-12", "schedule.final_learning_rate=1e-12"]
    options = small("default", *changes, *still)
    train(options, dataset, tmp_path / "start", geometry=drawn_geometry, device="cpu", quiet=True)
    start, one, two = (
        torch.cat(
            [v.flatten() for k, v in weights(tmp_path / name / "checkpoint.safetensors").items() if "_head" in k]
        )
        for name in ("start", "one", "two")
    )
    # Adam's first steps have the rate's size however small a gradient is, so rounding shows where it is about 0.
    assert torch.cosine_similarity(one - start, two - start, dim=0) > 0.99
    assert (two - start).norm() == pytest.approx(float((one - start).norm()), rel=0.01)
    assert load_checkpoint(tmp_path / "two/checkpoint.safetensors").provenance["processes"] == 2


def test_a_few_pairs_are_learnt_by_heart(
    make_dataset: Callable[..., Any], drawn_geometry: FittedGeometry, tmp_path: Path
) -> None:
    changes = [
        "losses.adversarial=0", "losses.condition=0", "losses.pair_features=0", "data.pair_fraction=1",
        "data.flip=false", "data.color=0", "data.soften=0", "data.real_noise=0", "data.batch=8",
        "schedule.steps=60", "schedule.learning_rate=0.01", "run.log_steps=1", "schedule.ema_decay=0",
    ]  # fmt: skip
    dataset = make_dataset(people=2, frames=3)
    train(small("default", *changes), dataset, tmp_path / "run", geometry=drawn_geometry, device="cpu", quiet=True)
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    pixel = [line["pair_pixel"] for line in lines if "pair_pixel" in line]
    assert sum(pixel[-5:]) < 0.6 * sum(pixel[:5])


def test_running_out_of_time_and_being_terminated_save(
    make_dataset: Callable[..., Any], drawn_geometry: FittedGeometry, tmp_path: Path
) -> None:
    options = small("default", "schedule.steps=100000")
    dataset = make_dataset()
    short = train(
        options, dataset, tmp_path / "a", geometry=drawn_geometry, device="cpu", max_minutes=0.02, quiet=True
    )
    assert short.end == "out of time"
    assert 0 < short.step < 1000
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    told = train(
        options, dataset, tmp_path / "b", geometry=drawn_geometry, device="cpu", max_minutes=1, quiet=True
    )
    timer.join()
    assert told.end == "terminated"
    for name, result in (("a", short), ("b", told)):
        state = torch.load(tmp_path / name / "state.pt", weights_only=True)
        assert state["step"] == result.step
        assert load_checkpoint(tmp_path / name / "checkpoint.safetensors").provenance["steps"] == result.step


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_checkpoint(
    make_dataset: Callable[..., Any],
    drawn_geometry: FittedGeometry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset, run = make_dataset(), tmp_path / "run"
    train(small("default"), dataset, run, geometry=drawn_geometry, device="cpu", quiet=True)
    before = (run / "checkpoint.safetensors").read_bytes()
    real = run_module.generator_step

    def poisoned(*arguments: Any, **options: Any) -> Any:
        total, parts = real(*arguments, **options)
        return total * math.nan, parts

    monkeypatch.setattr(run_module, "generator_step", poisoned)
    options = small("default", "schedule.steps=9")
    with pytest.raises(
        TrainingError, match=r"generator's loss is nan at step 2; the last good checkpoint is kept"
    ):
        train(options, dataset, run, geometry=drawn_geometry, device="cpu", resume=True, quiet=True)
    assert (run / "checkpoint.safetensors").read_bytes() == before


def test_half_precision_learns_and_keeps_the_penalty_exact(
    make_dataset: Callable[..., Any], drawn_geometry: FittedGeometry, tmp_path: Path
) -> None:
    dataset = make_dataset()
    logs = {}
    for precision in ("fp32", "bf16"):
        options = small("default", f"run.precision={precision}", "run.log_steps=1")
        train(options, dataset, tmp_path / precision, geometry=drawn_geometry, device="cpu", quiet=True)
        logs[precision] = json.loads((tmp_path / precision / "log.jsonl").read_text().splitlines()[0])
    assert all(v.dtype != torch.bfloat16 for v in weights(tmp_path / "bf16/checkpoint.safetensors").values())
    for name in ("mouth/penalty", "eyes/penalty"):  # of pictures that differ by bf16's rounding alone
        assert logs["bf16"][name] == pytest.approx(logs["fp32"][name], rel=0.02)
    assert logs["bf16"]["total"] == pytest.approx(logs["fp32"]["total"], rel=0.1)


def test_the_rate_is_steady_and_then_falls() -> None:
    options = load_options("paper", ["data.batch=5", "schedule.critic_steps=2"])  # an epoch of 100 rows: 10 steps
    rates = [learning_rate(options, step, 100) for step in (0, 300, 400, 500, 900)]
    assert rates == pytest.approx([1e-4, 1e-4, 5.5e-5, 1e-5, 1e-5])


def test_refusals(make_dataset: Callable[..., Any], drawn_geometry: FittedGeometry, tmp_path: Path) -> None:
    def run(dataset: Any, *changes: str, resume: bool = False, device: str = "cpu") -> None:
        options = small("default", *changes)
        train(
            options, dataset, tmp_path / "run", geometry=drawn_geometry, device=device, resume=resume, quiet=True
        )

    dataset = make_dataset()
    with pytest.raises(RetargetError, match="there is nothing to resume, leave out --resume"):
        run(dataset, resume=True)
    with pytest.raises(RetargetError, match="device 'cuda:99' cannot be used here"):
        run(dataset, device="cuda:99")
    run(dataset)
    with pytest.raises(RetargetError, match="holds a run already; go on with --resume"):
        run(dataset)
    with pytest.raises(RetargetError, match="was made with other options"):
        run(dataset, "losses.adversarial=2", resume=True)
    (tmp_path / "run/state.pt").write_bytes(b"half")
    with pytest.raises(RetargetError, match=r"state\.pt is damaged"):
        run(dataset, resume=True)
    with pytest.raises(RetargetError, match=r"1 usable person to train on; .*add people"):
        train(small("default"), make_dataset(people=1, name="one"), tmp_path / "x", geometry=drawn_geometry)
    with pytest.raises(RetargetError, match="no clip has two usable frames to pair"):
        train(small("default"), make_dataset(frames=1, name="still"), tmp_path / "x", geometry=drawn_geometry)
    known = [name in ("AU12L", "AU12R") for name in action_units.NAMES]
    some = make_dataset(name="some", known=torch.tensor(known).numpy())
    with pytest.raises(RetargetError, match=r"has no values of AU01L, .*set action_units=openface"):
        train(small("default"), some, tmp_path / "x", geometry=drawn_geometry)


def test_a_full_disk_keeps_the_state_before(
    make_dataset: Callable[..., Any],
    drawn_geometry: FittedGeometry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset, run = make_dataset(), tmp_path / "run"
    train(small("default"), dataset, run, geometry=drawn_geometry, device="cpu", quiet=True)
    before = (run / "state.pt").read_bytes()

    def full(_: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0: No space left")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(
        TrainingError, match=r"state\.pt: cannot be written \(.*No space left\); the last good state"
    ):
        train(
            small("default", "schedule.steps=3"),
            dataset,
            run,
            geometry=drawn_geometry,
            device="cpu",
            resume=True,
            quiet=True,
        )
    assert (run / "state.pt").read_bytes() == before
    assert not (run / "state.part").exists()


def test_more_processes_than_pictures(
    make_dataset: Callable[..., Any],
    drawn_geometry: FittedGeometry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "joined", lambda _: contextlib.nullcontext(Group(rank=1, world=5)))
    with pytest.raises(
        RetargetError, match=r"5 processes cannot share 4 pictures; raise data\.batch, or start fewer"
    ):
        train(
            small("default"), make_dataset(), tmp_path / "run", geometry=drawn_geometry, device="cpu", quiet=True
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(
    make_dataset: Callable[..., Any], drawn_geometry: FittedGeometry, tmp_path: Path
) -> None:
    dataset = make_dataset()
    for name in ("on", "off"):
        options = small("paper", f"run.compile={name}")
        train(options, dataset, tmp_path / name, geometry=drawn_geometry, device="cpu", quiet=True)
    one, other = (weights(tmp_path / name / "checkpoint.safetensors") for name in ("on", "off"))
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[name], other[name], atol=1e-3) for name in one)
