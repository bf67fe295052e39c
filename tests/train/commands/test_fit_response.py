"""A fitted response gets into a checkpoint, and whom it knows is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from retarget.model.checkpoint import default_checkpoint_path, load_checkpoint
from retarget.model.geometry import GeometryModel
from retarget.train.commands.entry import main
from retarget.train.data import person_marks, trained_people
from retarget.train.fit import save_geometry


def test_from_the_command_line_into_a_checkpoint(
    make_dataset: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = make_dataset(people=6, frames=9, size_px=256, evaluated=1)
    motion, merged = tmp_path / "motion.safetensors", tmp_path / "merged.safetensors"
    packaged = str(default_checkpoint_path())
    few = ["--steps", "3", "--edits", "0", "-q"]
    assert main(["fit-response", str(dataset.folder), packaged, "-o", str(motion), *few]) == 0
    assert "pairs_r2_linear" in capsys.readouterr().out
    assert main(["export", packaged, "--geometry", str(motion), "-o", str(merged)]) == 0
    ours, theirs = (load_checkpoint(path) for path in (merged, motion))
    assert ours.provenance["geometry"]["response"]["steps"] == 3
    drawn = set(person_marks(f"person {i}" for i in range(5)))
    known = trained_people(load_checkpoint(packaged).provenance)
    assert known
    # Whoever either was made from is known to both; the evaluated person is not.
    assert trained_people(theirs.provenance) == trained_people(ours.provenance) == known | drawn
    assert ours.build_editor().paints
    assert not theirs.build_editor().paints
    for name, tensor in theirs.state.items():
        assert torch.equal(ours.state[name], tensor)


def test_a_response_worse_than_none_is_left_out_aloud(
    make_dataset: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    dataset = make_dataset(people=6, frames=9, size_px=256, evaluated=1)
    linear, motion = tmp_path / "linear.safetensors", tmp_path / "motion.safetensors"
    assert main(["fit-geometry", str(dataset.folder), "-o", str(linear), "--rounds", "0"]) == 0
    monkeypatch.setattr("retarget.train.fit.is_worse", lambda _: True)
    few = ["--steps", "3", "--edits", "0", "-q"]
    assert main(["fit-response", str(dataset.folder), str(linear), "-o", str(motion), *few]) == 0
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "WARNING" in said[0]
    assert "without a response" in said[0]
    ours, theirs = (load_checkpoint(path) for path in (motion, linear))
    assert "response" not in ours.provenance
    assert ours.provenance["response_left_out"]["steps"] == 3
    assert ours.state.keys() == theirs.state.keys()
    assert all(torch.equal(tensor, theirs.state[name]) for name, tensor in ours.state.items())


def test_a_checkpoint_that_knows_those_set_aside_is_refused(
    make_dataset: Callable[..., Any],
    jaw_geometry: GeometryModel,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dataset = make_dataset(people=4, evaluated=1)
    everybody = make_dataset(people=4, name="everybody")
    geometry, output = tmp_path / "geometry.safetensors", tmp_path / "motion.safetensors"
    save_geometry(geometry, jaw_geometry, everybody, {"command": "fit-geometry"})
    assert main(["fit-response", str(dataset.folder), str(geometry), "-o", str(output), "--steps", "1", "-q"]) == 2
    error = capsys.readouterr().err
    assert "geometry.safetensors: was trained on person 3, one of 1 whom the dataset sets aside" in error
    assert error.count("\n") == 1
    assert not output.exists()
