"""A run goes on as what it was, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from retarget.model.checkpoint import load_checkpoint
from retarget.model.errors import RetargetError
from retarget.model.geometry import GeometryModel
from retarget.train.data import person_marks, trained_people
from retarget.train.gan.fitted import FittedGeometry

MORE = "schedule.steps=2"


def without(folder: Path, *keys: str) -> None:
    """The state as an earlier version wrote it."""
    state = torch.load(folder / "state.pt", weights_only=True)
    torch.save({key: value for key, value in state.items() if key not in keys}, folder / "state.pt")


def test_another_dataset_is_refused(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path
) -> None:
    tiny_run(make_dataset(), "run")
    before = (tmp_path / "run/state.pt").read_bytes()
    other = make_dataset(name="other", identities=("gil", "hal", "ida", "jo"))
    longer = make_dataset(name="longer", frames=6)
    for dataset in (other, longer):
        with pytest.raises(RetargetError, match=r"was trained on other data; resume on that, or .* with --from"):
            tiny_run(dataset, "run", MORE, resume=True)
    assert (tmp_path / "run/state.pt").read_bytes() == before


def test_the_same_data_in_another_place_is_not_another(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any]
) -> None:
    tiny_run(make_dataset(), "run")
    assert tiny_run(make_dataset(name="moved"), "run", MORE, resume=True).step == 2


def test_other_people_are_refused_by_a_state_that_names_no_data(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path
) -> None:
    tiny_run(make_dataset(), "run")
    without(tmp_path / "run", "data", "geometry", "origin")
    with pytest.raises(RetargetError, match="was trained on other data"):
        tiny_run(make_dataset(name="other", identities=("gil", "hal", "ida", "jo")), "run", MORE, resume=True)
    assert tiny_run(make_dataset(name="same"), "run", MORE, resume=True).step == 2


def test_the_geometry_is_remembered_with_its_people(
    make_dataset: Callable[..., Any],
    tiny_run: Callable[..., Any],
    drawn_geometry: FittedGeometry,
    make_geometry: Callable[..., GeometryModel],
    tmp_path: Path,
) -> None:
    dataset, known = make_dataset(), FittedGeometry(drawn_geometry.model, people=person_marks(["gil"]))
    tiny_run(dataset, "run", geometry=known)
    tiny_run(dataset, "run", MORE, geometry=None, resume=True)
    checkpoint = load_checkpoint(tmp_path / "run/checkpoint.safetensors")
    assert checkpoint.provenance["steps"] == 2
    assert trained_people(checkpoint.provenance) == set(person_marks(["gil", *dataset.identities]))
    assert torch.equal(checkpoint.state["geometry.weight"], known.model.weight)
    other = FittedGeometry(make_geometry({"AU12": lambda p: 0.1 * p}), people=())
    with pytest.raises(RetargetError, match="was made with another geometry; leave out --geometry"):
        tiny_run(dataset, "run", "schedule.steps=3", geometry=other, resume=True)


def test_a_state_that_names_no_geometry_goes_on_with_that_of_its_checkpoint(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], drawn_geometry: FittedGeometry, tmp_path: Path
) -> None:
    dataset = make_dataset()
    tiny_run(dataset, "run")
    without(tmp_path / "run", "geometry")
    tiny_run(dataset, "run", MORE, geometry=None, resume=True)
    checkpoint = load_checkpoint(tmp_path / "run/checkpoint.safetensors")
    assert torch.equal(checkpoint.state["geometry.weight"], drawn_geometry.model.weight)
    assert trained_people(checkpoint.provenance) is None  # whom it was fitted to was lost then


def test_options_may_be_gained(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path
) -> None:
    """A state of before some option there is now, for which its sum over all options is another."""
    dataset = make_dataset()
    tiny_run(dataset, "run")
    state = torch.load(tmp_path / "run/state.pt", weights_only=True)
    del state["options"]["losses"]["restraint"]  # the recipe has 0.1
    del state["options"]["data"]["soften"], state["options"]["generator"]["shade_limit"]
    state["learning_hash"] = "of other options"
    torch.save(state, tmp_path / "run/state.pt")
    changes = ["losses.restraint=0", "data.soften=0"]  # the defaults: what was done before there was such a thing
    assert tiny_run(dataset, "run", MORE, *changes, resume=True).step == 2
    torch.save(state, tmp_path / "run/state.pt")
    with pytest.raises(RetargetError, match="was made with other options"):
        tiny_run(dataset, "run", MORE, resume=True)
