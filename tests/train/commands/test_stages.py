"""A recipe of stages runs through with one command, and goes on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from retarget.model.checkpoint import default_checkpoint_path, load_checkpoint
from retarget.train.commands.entry import main
from retarget.train.commands.stages import DONE_FILE, stages_of
from retarget.train.data import file_mark, person_marks, trained_people
from retarget.train.gan import ConfigError, load_options

TOY = [
    "generator.width=4", "generator.crop_px=64", "generator.levels=2", "generator.k_msf=1", "data.batch=2",
    "region_critic.width=4", "region_critic.layers=2", "region_critic.view_px=16", "losses.pair_perceptual=0",
    "stages.geometry.rounds=0", "stages.motion.steps=3", "stages.motion.edits=0",
    "stages.paint.schedule.steps=2", "stages.paint.schedule.decay_steps=0",
    "stages.finish.schedule.decay_steps=1",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def command(data: Path, folder: Path, *more: str, toy: list[str] = TOY) -> list[str]:
    small = [part for change in toy for part in ("--set", change)]
    return ["run", "packaged", "--data", str(data), "-o", str(folder), "--device", "cpu", "-q", *small, *more]


def test_the_packaged_network_s_recipe_runs_through(
    make_dataset: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_dataset(people=6, frames=9, size_px=256, evaluated=1)
    folder = tmp_path / "run"
    assert main(command(data.folder, folder)) == 0
    paint, finish = (load_checkpoint(folder / name / "checkpoint.safetensors") for name in ("paint", "finish"))
    assert paint.geometry_config is not None
    assert paint.geometry_config.response is None
    assert finish.geometry_config is not None
    assert finish.geometry_config.response is not None
    assert (paint.provenance["steps"], finish.provenance["steps"]) == (2, 2)
    assert finish.provenance["from"]["file"] == file_mark(folder / "paint/checkpoint.safetensors")
    assert finish.provenance["from"]["critics"]
    assert finish.provenance["geometry"]["file"] == file_mark(folder / "motion.safetensors")
    assert trained_people(finish.provenance) == set(person_marks(f"person {i}" for i in range(5)))
    output = tmp_path / "mine.safetensors"  # the second command
    assert main(["export", str(folder / "finish/checkpoint.safetensors"), "-o", str(output)]) == 0
    assert load_checkpoint(output).build_editor().paints
    # What is done is not done again; what is missing is.
    capsys.readouterr()
    assert main(command(data.folder, folder)) == 2
    assert "holds a run already; go on with --resume" in capsys.readouterr().err
    before = (folder / "paint/checkpoint.safetensors").read_bytes()
    (folder / "finish/checkpoint.safetensors").unlink()
    (folder / "finish/state.pt").unlink()
    assert main(command(data.folder, folder, "--resume")) == 0
    assert (folder / "finish/checkpoint.safetensors").exists()
    assert (folder / "paint/checkpoint.safetensors").read_bytes() == before
    assert main(command(data.folder, folder, "--resume", "--set", "stages.paint.schedule.steps=3")) == 2
    assert "paint/checkpoint.safetensors: was made with other options" in capsys.readouterr().err
    other = make_dataset(people=5, name="other")
    assert main(command(other.folder, folder, "--resume")) == 2
    assert "was made from other data" in capsys.readouterr().err


def test_a_stage_that_was_stopped_goes_on(
    make_dataset: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, folder = make_dataset(people=4), tmp_path / "run"
    file = tmp_path / "two.yaml"
    file.write_text(
        "base: default\nstages:\n  one: {command: run, schedule: {steps: 400}}\n"
        "  two: {command: run, from: one, schedule: {steps: 1}}\n"
    )
    toy = [*(change for change in TOY if "stages." not in change), "schedule.decay_steps=0"]
    given = command(data.folder, folder, toy=toy)
    given[1] = str(file)
    assert main([*given, "--max-minutes", "0.02"]) == 0
    stopped = torch.load(folder / "one/state.pt", weights_only=True)["step"]
    assert 0 < stopped < 400
    assert not (folder / "two").exists()
    shorter = [*given, "--resume", "--set", f"stages.one.schedule.steps={stopped + 2}"]
    assert main(shorter) == 0
    assert torch.load(folder / "one/state.pt", weights_only=True)["step"] == stopped + 2
    assert set(json.loads((folder / DONE_FILE).read_text())["done"]) == {"one", "two"}
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(shorter) == 2


def test_the_packaged_recipe_is_what_the_packaged_network_says_of_itself() -> None:
    stages = {stage.name: stage for stage in stages_of("packaged", []) or ()}
    assert list(stages) == ["geometry", "paint", "motion", "finish"]
    kept = load_checkpoint(default_checkpoint_path()).provenance
    finish, response = stages["finish"].options, kept["geometry"]["response"]
    assert finish is not None
    config = finish.model_dump(mode="json")
    for group in ("generator", "losses", "region_critic", "data"):
        known = kept["config"][group]
        assert {key: config[group][key] for key in known} == known
    for name in ("learning_rate", "final_learning_rate", "beta1", "beta2", "critic_steps", "ema_decay"):
        assert config["schedule"][name] == kept["config"]["schedule"][name]
    assert stages["motion"].numbers == {"steps": response["steps"], "edits": response["edits"]}
    assert len(kept["geometry"]["calibration"]) == stages["geometry"].numbers["rounds"] + 1
    lengths = [s.options.schedule for s in stages.values() if s.options]
    assert sum((s.steps or 0) + (s.decay_steps or 0) for s in lengths) == kept["steps"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages: 3\n", "stages is 3; write them as name"),
        ("stages: {a: {command: bake}}\n", "line 2: stage a needs a command: fit-geometry, fit-response, run"),
        ("stages: {a: {command: run, from: b}}\n", "from of stage a is 'b'; name a stage before it"),
        ("stages: {a: {command: fit-response}}\n", "stage a needs checkpoint"),
        (
            "stages: {a: {command: fit-geometry, round: 2}}\n",
            "unknown option round of stage a; fit-geometry has",
        ),
        ("stages: {a: {command: fit-geometry, rounds: x}}\n", "rounds of stage a is 'x'; write a whole number"),
        ("stages:\n  a:\n    command: run\n    generator: {widht: 2}\n", "line 5: unknown option generator.widht"),
        ("stages:\n  a: {command: run, schedule: {steps: x}}\n", "line 3: schedule.steps is 'x'"),
    ],
)
def test_refusals(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("base: default\n" + text)
    with pytest.raises(ConfigError) as caught:
        stages_of(str(file), [])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_stages_are_no_options() -> None:
    with pytest.raises(ConfigError, match="packaged: is a recipe of stages, which `retarget-train run` does"):
        load_options("packaged")
    assert stages_of("default", []) is None
