"""Whom a geometry was fitted to goes wherever it goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from retarget.model import action_units
from retarget.model.checkpoint import load_checkpoint
from retarget.model.errors import RetargetError
from retarget.model.geometry import GeometryModel
from retarget.model.response import FaceResponse, ResponseConfig
from retarget.train.data import file_mark, person_marks, trained_people
from retarget.train.fit import save_geometry
from retarget.train.gan.fitted import FittedGeometry, geometry_of
from retarget.train.gan.load import load_options
from retarget.train.gan.loop import train


@pytest.fixture
def fitted_file(make_dataset: Callable[..., Any], jaw_geometry: GeometryModel, tmp_path: Path) -> Path:
    """A geometry that was fitted to Gil and Hal."""
    path = tmp_path / "geometry.safetensors"
    others = make_dataset(people=2, name="others", identities=("gil", "hal"))
    save_geometry(path, jaw_geometry, others, {"command": "fit-geometry", "clips": 2})
    return path


def test_people_of_a_geometry_are_in_the_checkpoint_of_a_run(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], fitted_file: Path, tmp_path: Path
) -> None:
    tiny_run(make_dataset(people=3), "run", geometry=geometry_of(fitted_file))
    provenance = load_checkpoint(tmp_path / "run/checkpoint.safetensors").provenance
    own = [f"person {i}" for i in range(3)]
    assert trained_people(provenance) == set(person_marks([*own, "gil", "hal"]))
    assert provenance["geometry"] == {"command": "fit-geometry", "clips": 2, "file": file_mark(fitted_file)}


def test_a_geometry_of_nobody_knows_whom_makes_a_run_say_nothing_of_people(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], jaw_geometry: GeometryModel, tmp_path: Path
) -> None:
    tiny_run(make_dataset(people=3), "run", geometry=FittedGeometry(jaw_geometry, people=None))
    assert trained_people(load_checkpoint(tmp_path / "run/checkpoint.safetensors").provenance) is None


def test_a_network_without_geometry_does_not_know_its_people(
    make_dataset: Callable[..., Any], fitted_file: Path, tmp_path: Path
) -> None:
    paper = [
        "generator.width=2", "generator.crop_px=64", "critic.width=2", "critic.layers=4", "data.batch=2",
        "schedule.critic_steps=1", "schedule.steps=1", "schedule.decay_steps=0",
    ]  # fmt: skip
    options, geometry = load_options("paper", paper), geometry_of(fitted_file)
    train(options, make_dataset(people=2), tmp_path / "run", geometry=geometry, device="cpu", quiet=True)
    provenance = load_checkpoint(tmp_path / "run/checkpoint.safetensors").provenance
    assert trained_people(provenance) == set(person_marks(["person 0", "person 1"]))


def test_a_state_gives_it_back(jaw_geometry: GeometryModel) -> None:
    response = FaceResponse(ResponseConfig(au_count=action_units.COUNT, width=8))
    for tensor in response.parameters():
        torch.nn.init.normal_(tensor)
    model = GeometryModel.from_fit(jaw_geometry.weight, jaw_geometry.mean_shape, jaw_geometry.triangles, response)
    given = FittedGeometry(model, people={"b", "a"}, provenance={"clips": 2})
    again = FittedGeometry.from_state(given.as_state())
    assert again.is_same(given)
    assert not again.is_same(FittedGeometry(jaw_geometry, people=()))
    assert (again.people, again.provenance) == (["a", "b"], {"clips": 2})


def test_a_checkpoint_without_a_geometry_is_refused(
    make_dataset: Callable[..., Any], drawn_geometry: FittedGeometry, tmp_path: Path
) -> None:
    paper = ["generator.width=2", "generator.crop_px=64", "critic.width=2", "critic.layers=4", "data.batch=2",
             "schedule.critic_steps=1", "schedule.steps=1", "schedule.decay_steps=0"]  # fmt: skip
    options = load_options("paper", paper)
    train(options, make_dataset(people=2), tmp_path / "run", geometry=drawn_geometry, device="cpu", quiet=True)
    with pytest.raises(
        RetargetError, match="has no geometry model; name a checkpoint of `retarget-train fit-geom"
    ):
        geometry_of(tmp_path / "run/checkpoint.safetensors")
