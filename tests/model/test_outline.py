"""The outline that the ring hangs on: the mesh's edge from the front, what stands before it on a turned head."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from retarget.model.mesh import FACE_OVAL
from retarget.model.outline import OutlineChains, outline, outline_chains
from retarget.pipeline.faces import canonical_face

from .conftest import CENTER, SCALE, tensor


@pytest.fixture(scope="module")
def chains() -> OutlineChains:
    return outline_chains(tensor(canonical_face()))


def points_at(place_face: Any, yaw: float, pitch: float = 0) -> Tensor:
    return tensor(place_face(CENTER, SCALE, yaw=yaw, pitch=pitch))[None, :, :2]


def test_from_the_front_it_is_the_edge_of_the_mesh(place_face: Any, chains: OutlineChains) -> None:
    points = points_at(place_face, 0)
    where, motion = outline(points, torch.zeros_like(points), chains)
    assert (where - points[:, list(FACE_OVAL)]).norm(dim=-1).max() < 0.01 * SCALE
    assert motion.count_nonzero() == 0


@pytest.mark.parametrize("yaw", [-45, -25, 25, 45])
def test_on_a_turned_head_it_is_what_is_seen_furthest_out(
    place_face: Any, chains: OutlineChains, yaw: float
) -> None:
    points = points_at(place_face, yaw)
    where = outline(points, torch.zeros_like(points), chains)[0]
    for sign in (-1, 1):
        furthest, mesh_edge = (sign * p[0, :, 0] for p in (where, points[:, list(FACE_OVAL)]))
        assert furthest.max() > (sign * points[0, :, 0]).max() - 0.03 * SCALE
        assert furthest.max() > mesh_edge.max() - 0.01 * SCALE
    hidden = points[0, list(FACE_OVAL)]
    assert (where[0] - hidden).norm(dim=-1).max() > 0.05 * SCALE, "somewhere the mesh's edge is behind the cheek"


def test_it_moves_with_what_it_consists_of(place_face: Any, chains: OutlineChains) -> None:
    points = points_at(place_face, 35, 10)
    shift = torch.tensor([3.0, -2.0]).expand_as(points)
    motion = outline(points, shift, chains)[1]
    assert (motion - torch.tensor([3.0, -2.0])).abs().max() < 1e-4


def test_it_glides_as_the_head_turns(place_face: Any, chains: OutlineChains) -> None:
    yaws = np.arange(20, 50, 0.5)
    seen = torch.cat([points_at(place_face, yaw) for yaw in yaws])
    where = outline(seen, torch.zeros_like(seen), chains)[0]
    steps = (where[1:] - where[:-1]).norm(dim=-1)
    mesh = (seen[1:] - seen[:-1]).norm(dim=-1).amax()
    assert steps.max() < 8 * mesh, "no landmark hands over to another at once"
