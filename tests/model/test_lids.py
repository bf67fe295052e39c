"""The band of skin along an upper lid: placed, not stretched, and meeting the rest of the lid."""

from typing import Any

import pytest
import torch
from torch import Tensor

from retarget.model.lids import LASH_EDGES, LASH_POINTS, LASH_WINDING, lash_bands, lash_triangles
from retarget.model.mesh import LANDMARKS, LEFT_EYE, RIGHT_EYE
from retarget.model.raster import Layers
from retarget.pipeline.faces import canonical_face

from .conftest import SIZE, Make, tensor

HALF = LASH_POINTS // 2


def shut(face: Tensor, share: float = 1.0) -> Tensor:
    """(1, 478, 2): the edges of the upper lids down to the lower ones, or part of the way."""
    out = torch.zeros(1, LANDMARKS, 2)
    for upper, lower in (RIGHT_EYE, LEFT_EYE):
        out[:, list(upper)] = share * (face[:, list(lower), :2] - face[:, list(upper), :2])
    return out


def test_it_keeps_its_height_when_the_lid_shuts(face: Tensor) -> None:
    bands = lash_bands(face[..., :2], shut(face))
    before = bands.points[:, HALF:] - bands.points[:, :HALF]
    moved = bands.points + bands.displacement
    after = moved[:, HALF:] - moved[:, :HALF]
    middle = [3, 4, 5, 12, 13, 14]
    height = before.norm(dim=-1)[0, middle]
    assert height.min() > 1
    assert (after.norm(dim=-1)[0, middle] / height).max() < 1.15
    lid = (shut(face)[:, LASH_EDGES[:HALF]].norm(dim=-1))[0, middle]
    assert lid.min() > 2, "while the lid comes down by more than that"


def test_the_skin_above_meets_it_where_it_ends(make_geometry: Make, face: Tensor) -> None:
    # Down the middle of the lid the flow goes on without a jump, from the fold to the edge.
    for share in (0.3, 0.6, 0.95):
        shift = shut(face, share)
        flow = make_geometry().flow(face, shift, SIZE)[0, 1]
        fold, edge = face[0, 27, :2], (face[..., :2] + shift)[0, 159]
        rows = torch.arange(int(fold[1]) - 3, int(edge[1]) - 1)
        column = flow[rows, int(edge[0])]
        growth = float((edge[1] - fold[1]) / (face[0, 159, 1] - fold[1]))
        assert (column[1:] - column[:-1]).abs().max() < max(1.0, 0.8 * growth)


def test_nothing_moves_where_nothing_is_asked(face: Tensor) -> None:
    bands = lash_bands(face[..., :2], torch.zeros(1, LANDMARKS, 2))
    assert bands.displacement.count_nonzero() == 0
    assert bands.rims.count_nonzero() == 0


@pytest.mark.parametrize("yaw", [0, 20])
def test_its_triangles_wind_as_they_say(place_face: Any, yaw: float) -> None:
    points = tensor(place_face((64, 55), 50, yaw=yaw))[None, :, :2]
    bands = lash_bands(points, torch.zeros(1, LANDMARKS, 2))
    corners = torch.cat([points, bands.points], 1)[0, lash_triangles()]
    a, b, c = corners.unbind(1)
    areas = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    assert (areas.sign() == LASH_WINDING).all()


def test_every_layer_knows_where_it_lies(make_geometry: Make) -> None:
    model = make_geometry()
    layers = Layers.of_mesh(tensor(canonical_face()), model.triangles)
    count = len(model.triangles) + len(lash_triangles())
    assert [len(t) for t in (layers.skin, layers.winding, layers.lift, layers.joint)] == 4 * [count]
    assert layers.skin.max() == LANDMARKS + LASH_POINTS - 1
    assert set(layers.joint[-len(lash_triangles()) :].tolist()) == {1, 2}
