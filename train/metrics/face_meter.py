"""The tracker's measure of faces in crops, in torch and with gradients: what `CropMeter` sees, batched."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retarget.model.face_networks import LANDMARKER_PX, FaceNetworks
from retarget.pipeline.faces import following

from .expression import Expression


@dataclass(frozen=True, eq=False)
class Seen:
    """What the tracker sees in a batch of crops."""

    action_units: Tensor
    """(B, C) absolute, in [0, 1]."""
    landmarks: Tensor
    """(B, 478, 3) crop px."""
    presence: Tensor
    """(B,) in [0, 1]: the tracker takes nothing below 0.5 for a face."""


class FaceMeter(nn.Module):
    """Crops and where their faces are -> what the tracker measures there. Frozen.

    In single precision under autocast too: in bfloat16 landmarks are 1 px of 256 off and action units up to 0.17
    (in float16 0.1 px and 0.006; measured on seven crops of three people).

    It looks once, at the region of the landmarks that it is given; the tracker looks again where they were more
    than 6 % of a face off. What flows back is the picture's part; the region is taken as it is.
    """

    def __init__(self) -> None:
        """
        Raises:
            FaceNetworksError: the networks of the package cannot be read.
        """
        super().__init__()
        networks = FaceNetworks.load()
        self.landmarker, self.expression = networks.landmarker, Expression(networks)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> FaceMeter:  # noqa: ARG002 - never leaves eval mode
        return super().train(False)

    def forward(self, picture: Tensor, landmarks: Tensor) -> Seen:
        """What stands in pictures (B, 3, S, S) in [-1, 1], S up to 512, at landmarks (B, 478, 3) crop px."""
        with torch.autocast(picture.device.type, enabled=False):
            region = Region.around(landmarks.detach().float())
            points, presence = self.landmarker((region.sampled(picture.float()) + 1) / 2)
            return Seen(self.expression(points), region.to_crop(points), presence)


@dataclass(frozen=True, eq=False)
class Region:
    """The upright squares that the landmark network looks at: `Window` of `place_of`, batched."""

    center: Tensor
    """(B, 2) crop px."""
    turn: Tensor
    """(B, 2, 2) upright -> crop."""
    scale: Tensor
    """(B,) region pixels per crop pixel."""

    @classmethod
    def around(cls, landmarks: Tensor) -> Region:
        """Where the tracker looks for a face with landmarks (B, 478, 3)."""
        points = landmarks[..., :2]
        left, right = following.OUTER_EYES
        c, s = F.normalize(points[:, right] - points[:, left], dim=1).unbind(1)
        turn = torch.stack([torch.stack([c, -s], 1), torch.stack([s, c], 1)], 1)
        upright = points @ turn
        low, high = upright.amin(1), upright.amax(1)
        side = (high - low).amax(1).clamp(min=1e-6)
        about = _proportions((upright - ((low + high) / 2)[:, None]) / side[:, None, None])
        below, size = (about @ about.new_tensor(fitted) for fitted in (following.BELOW, following.SIDE))
        middle = (low + high) / 2 + torch.stack([torch.zeros_like(side), side * below], 1)
        across = following.REGION_MARGIN * side * size
        return cls((turn @ middle[..., None])[..., 0], turn, LANDMARKER_PX / across.clamp(min=1e-3))

    def sampled(self, picture: Tensor) -> Tensor:
        """(B, 3, 256, 256) of pictures (B, 3, S, S); bilinear, beyond the edge the edge pixel repeats."""
        line = torch.arange(LANDMARKER_PX, device=picture.device) + 0.5
        y, x = torch.meshgrid(line, line, indexing="ij")
        pixels = torch.stack([x, y], -1).reshape(1, -1, 2)
        grid = self._to_crop(pixels) * (2 / picture.shape[-1]) - 1
        grid = grid.view(-1, LANDMARKER_PX, LANDMARKER_PX, 2)
        return F.grid_sample(picture, grid, padding_mode="border", align_corners=False)

    def to_crop(self, points: Tensor) -> Tensor:
        """Landmarks (B, 478, 3) in region pixels -> crop px."""
        return torch.cat([self._to_crop(points[..., :2]), points[..., 2:] / self.scale[:, None, None]], -1)

    def _to_crop(self, points: Tensor) -> Tensor:
        away = (points - LANDMARKER_PX / 2) / self.scale[:, None, None]
        return away @ self.turn.transpose(1, 2) + self.center[:, None]


def _proportions(mesh: Tensor) -> Tensor:
    """(B, 9) how upright meshes are made, relative to their longer side."""
    pairs = mesh[:, torch.tensor(following.PAIRS, device=mesh.device), 1].mean(2)
    eyes, lips, brows, ears = pairs.unbind(1)
    width, height = (mesh.amax(1) - mesh.amin(1)).unbind(1)
    nose = mesh[:, following.NOSE]
    one = torch.ones_like(eyes)
    return torch.stack([eyes, nose[:, 1], lips, brows, width, height, nose[:, 0].abs(), ears, one], 1)
