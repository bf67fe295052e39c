"""The way of the README's training page, on the samples: footage in, a checkpoint that does the main job out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from retarget.model.checkpoint import default_checkpoint_path, load_checkpoint
from retarget.train.commands.entry import main
from retarget.train.data import open_dataset
from retarget.train.gan import recipes

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
SMALL = [
    "generator.width=4", "generator.crop_px=64", "generator.levels=2", "generator.k_msf=1", "data.batch=2",
    "region_critic.width=4", "region_critic.layers=2", "region_critic.view_px=16", "losses.pair_perceptual=0",
    "data.pair_change=0.01", "data.validation_fraction=0", "schedule.steps=2", "schedule.decay_steps=0",
]  # fmt: skip


def run(*arguments: object, module: str = "retarget.train.commands.entry") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)


def changed(values: list[str]) -> list[str]:
    return [part for value in values for part in ("--set", value)]


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of the samples with three people to train on and one to evaluate on."""
    file = tmp_path_factory.mktemp("footage") / "list.csv"
    rows = [
        ("actress.mp4", "actress", "train"),
        ("smile.mp4", "actor", "eval"),
        ("astronaut.png", "astronaut", "train"),
    ]
    file.write_text(
        "file,identity,split\n" + "".join(f"{SAMPLES / name},{who},{split}\n" for name, who, split in rows)
    )
    return file


@pytest.fixture(scope="module")
def dataset(footage: Path) -> Path:
    folder = footage.parent / "data"
    done = run("prepare", footage, "-o", folder, "--frames-per-clip", 8, "--crop-px", 64, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert "crops of 2 people to train on and 1 to evaluate on (1 and 1 of them in clips)" in done.stdout
    return folder


@pytest.fixture(scope="module")
def trained(dataset: Path) -> Path:
    folder = dataset.parent / "runs/mine"
    done = run("run", "default", "--data", dataset, "-o", folder, "--device", "cpu", *changed(SMALL))
    assert done.returncode == 0, done.stderr
    assert "finished after 2 steps" in done.stdout
    return folder / "checkpoint.safetensors"


def test_the_dataset_opens_and_can_be_looked_at(dataset: Path) -> None:
    opened = open_dataset(dataset)
    assert set(opened.identities) == {"actress", "actor", "astronaut"}
    assert len(opened) == 8 + 8 + 1
    assert (dataset / "sheet.png").stat().st_size > 1000


@pytest.mark.parametrize("name", list(recipes()))
def test_every_recipe_runs_on_it(name: str, dataset: Path, tmp_path: Path) -> None:
    paper = [
        "generator.width=2", "generator.crop_px=64", "critic.width=2", "critic.layers=4", "data.batch=2",
        "data.validation_fraction=0", "schedule.critic_steps=2", "schedule.steps=2", "schedule.decay_steps=0",
    ]  # fmt: skip
    options = changed(SMALL if name == "default" else paper)
    assert main(["run", name, "--data", str(dataset), "-o", str(tmp_path), "--device", "cpu", "-q", *options]) == 0
    assert load_checkpoint(tmp_path / "checkpoint.safetensors").provenance["steps"] == 2


def test_a_trained_checkpoint_does_the_main_job(trained: Path, tmp_path: Path) -> None:
    slim = tmp_path / "slim.safetensors"
    assert run("export", trained, "-o", slim).returncode == 0
    assert slim.stat().st_size < trained.stat().st_size
    assert load_checkpoint(slim).provenance == load_checkpoint(trained).provenance
    job = ["--source", SAMPLES / "actress.mp4", "--driver", SAMPLES / "smile.yaml", "--trim-end", 0.3]
    report = tmp_path / "run.json"
    done = run(
        *job,
        "--checkpoint",
        slim,
        "-o",
        tmp_path / "out.mp4",
        "--report",
        report,
        module="retarget.pipeline.commands.main",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(report.read_text())["frames_edited"] > 0


def test_evaluation_stands_it_beside_the_packages_own(trained: Path, dataset: Path, tmp_path: Path) -> None:
    few = ["--faces", 2, "--targets", 1, "--pairs", 2, "--sweep-faces", 0]
    done = run("evaluate", trained, dataset, "-o", tmp_path / "report", *few)
    assert done.returncode == 0, done.stderr
    assert "| mine |" in done.stdout
    assert "do nothing" in done.stdout
    results = json.loads((tmp_path / "report/evaluation.json").read_text())
    assert "mine" in json.dumps(results)
    refused = run("evaluate", trained, dataset, "-o", tmp_path / "report", *few)
    assert refused.returncode == 2
    assert "overwrite" in refused.stderr


def test_geometry_from_a_dataset(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit-geometry", str(dataset), "-o", str(tmp_path / "g.safetensors"), "--rounds", "0"]) == 2
    assert "at least two people" in capsys.readouterr().err  # the astronaut is a picture


def test_a_response_needs_more_faces_than_that(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "m.safetensors"
    packaged = str(default_checkpoint_path())
    assert main(["fit-response", str(dataset), packaged, "-o", str(output), "--steps", "1", "-q"]) == 2
    assert "9 usable, frontal faces to learn from, and a response needs 40 at least" in capsys.readouterr().err
    assert not output.exists()


def test_options_are_shown_with_their_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "paper", "--set", "generator.width=7", "--print"]) == 0
    shown = YAML(typ="safe").load(capsys.readouterr().out)
    assert (shown["generator"]["width"], shown["losses"]["condition"]) == (7, 150)


def test_help_names_the_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["run", "--help"])
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(name in text for name in recipes())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "papper", "--data", "x"], "did you mean paper?"),
        (["run", "paper"], "run needs --data DATASET; make one with `retarget-train prepare`"),
        (["run", "paper", "--data", "nowhere"], "nowhere"),
        (
            ["run", "default", "--data", "DATA", "--geometry", "nowhere.safetensors"],
            "nowhere.safetensors does not exist",
        ),
        (["prepare", "nowhere.mp4", "-o", "OUT"], "nowhere.mp4"),
        (["evaluate", "a=default", "a=default", "DATA", "-o", "OUT"], "a is named twice"),
        (["export", "nowhere.safetensors", "-o", "OUT"], "nowhere.safetensors does not exist"),
        (["fit-response", "DATA", "nowhere.safetensors", "-o", "OUT"], "nowhere.safetensors does not exist"),
        (["fit-response", "DATA", "x.safetensors", "-o", "OUT", "--steps", "0"], "needs --steps from 1"),
        (["evaluate", "default", "nowhere", "-o", "OUT"], "nowhere"),
        (
            ["evaluate", "default", "DATA", "-o", "OUT", "--openface", "nowhere"],
            "nowhere: no such folder; give the",
        ),
        (["evaluate", "default", "DATA", "-o", "OUT", "--films", "1"], "films is 1; use a whole number from 2"),
    ],
)
def test_mistakes_get_one_line(
    arguments: list[str], message: str, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"DATA": str(dataset), "OUT": str(tmp_path / "out")}
    assert main([places.get(argument, argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert error.startswith("retarget-train: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments", [["--help"], *([name, "--help"] for name in ("prepare", "run", "evaluate")), []]
)
def test_help_and_usage_load_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from retarget.train.commands.entry import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit as end:\n"
        "    status = end.code\n"
        "heavy = {'torch', 'numpy', 'cv2', 'av', 'mediapipe', 'pydantic', 'kornia'} & set(sys.modules)\n"
        "print(status, heavy, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.splitlines()[-1] == f"{0 if arguments else 2} set()"
