"""A run that begins with another's weights: what it takes along, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from retarget.model.checkpoint import load_checkpoint
from retarget.model.errors import RetargetError
from retarget.train.data import file_mark, person_marks, set_aside_people, trained_people
from retarget.train.gan.checkpoints import export_checkpoint
from retarget.train.gan.warm_start import begun_with

STILL = ["schedule.learning_rate=1e-12", "schedule.final_learning_rate=1e-12"]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state = load_checkpoint(folder / "checkpoint.safetensors").state
    return {name: tensor for name, tensor in state.items() if not name.startswith("geometry.")}


def test_weights_are_taken_and_said_from_where(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path
) -> None:
    tiny_run(make_dataset(), "first", "schedule.steps=3", "schedule.learning_rate=0.01")
    path = tmp_path / "first/checkpoint.safetensors"
    new = make_dataset(name="new", identities=("gil", "hal", "ida", "jo"))
    tiny_run(new, "second", *STILL, "generator.residual_flow_fraction=0.01", start=begun_with(path))
    one, two = weights(tmp_path / "first"), weights(tmp_path / "second")
    assert all(torch.allclose(one[name], two[name], atol=1e-6) for name in one)
    state = torch.load(tmp_path / "second/state.pt", weights_only=True)
    assert state["step"] == 1  # its own; nothing of the optimisers' either
    assert all(value["step"] == 1 for value in state["generator_optimiser"]["state"].values())
    provenance = load_checkpoint(tmp_path / "second/checkpoint.safetensors").provenance
    assert provenance["from"]["file"] == file_mark(path)
    assert (provenance["from"]["steps"], provenance["from"]["critics"]) == (3, False)
    everybody = [*(f"person {i}" for i in range(4)), *new.identities]
    assert trained_people(provenance) == set(person_marks(everybody))


def test_a_folder_gives_its_critics_too(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path
) -> None:
    dataset = make_dataset()
    tiny_run(dataset, "first", "schedule.steps=2", "schedule.learning_rate=0.01")
    tiny_run(dataset, "second", *STILL, "seed=1", start=begun_with(tmp_path / "first"))
    one, two = (
        torch.load(tmp_path / name / "state.pt", weights_only=True)["critics"] for name in ("first", "second")
    )
    assert all(torch.allclose(one[name], two[name], atol=1e-6) for name in one)


def test_half_the_precision_is_enough(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path
) -> None:
    dataset = make_dataset()
    tiny_run(dataset, "first", "schedule.learning_rate=0.01")
    export_checkpoint(tmp_path / "first/checkpoint.safetensors", tmp_path / "half.safetensors")
    tiny_run(dataset, "second", *STILL, start=begun_with(tmp_path / "half.safetensors"))
    one, two = weights(tmp_path / "first"), weights(tmp_path / "second")
    assert all(torch.allclose(one[name], two[name], atol=1e-3) for name in one)


def test_those_who_were_only_looked_at_stay_so(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path
) -> None:
    dataset = make_dataset(people=6)
    tiny_run(dataset, "first", "data.validation_fraction=0.34")
    aside = set_aside_people(load_checkpoint(tmp_path / "first/checkpoint.safetensors").provenance)
    assert len(aside) == 2
    for seed in (1, 2):  # by chance it would be others
        start = begun_with(tmp_path / "first")
        tiny_run(dataset, f"next{seed}", "data.validation_fraction=0.34", f"seed={seed}", start=start)
        kept = load_checkpoint(tmp_path / f"next{seed}/checkpoint.safetensors").provenance
        assert set_aside_people(kept) == aside


def test_resuming_a_run_that_began_so(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path
) -> None:
    dataset = make_dataset()
    old = make_dataset(name="old", identities=("gil", "hal", "ida", "jo"))
    tiny_run(old, "first")
    start = begun_with(tmp_path / "first")
    tiny_run(dataset, "second", start=start)
    tiny_run(dataset, "second", "schedule.steps=2", resume=True)
    tiny_run(dataset, "second", "schedule.steps=3", resume=True, start=start)
    provenance = load_checkpoint(tmp_path / "second/checkpoint.safetensors").provenance
    assert provenance["steps"] == 3
    assert trained_people(provenance) == set(person_marks([*dataset.identities, *old.identities]))
    other = begun_with(tmp_path / "second")
    with pytest.raises(RetargetError, match=r"did not begin with .*; leave out --from, or --resume"):
        tiny_run(dataset, "second", "schedule.steps=4", resume=True, start=other)


def test_another_network_is_refused(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path
) -> None:
    dataset = make_dataset()
    tiny_run(dataset, "first")
    start = begun_with(tmp_path / "first/checkpoint.safetensors")
    with pytest.raises(RetargetError, match=r"holds another network \(width 4 instead of 8\); choose its size"):
        tiny_run(dataset, "second", "generator.width=8", start=start)
    assert not (tmp_path / "second").exists()
