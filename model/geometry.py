"""The model from relative action units to landmark motion, and the dense backward flow it implies.

`delta_landmarks = s R (W^T delta_au + N(delta_au, face))`: W is fitted in closed form in the *canonical* frame
(front-facing, unit = distance of the outer eye corners), R and s are the head's rotation and scale, found from the
landmarks themselves. So one W serves turned heads too. N is what depends on the face, and may be missing: see
`response`. The flow is piecewise linear over a fixed triangulation of the mesh, with a ring around the face where
motion dies out, and separate layers for what skin slides over: the eyeball stays where it is when a lid closes
over it (see `raster`, `openings` and `insides`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import insides
from .mesh import LANDMARKS, STABLE
from .openings import brought_together, followers, kept_shut, met
from .raster import Layers, Raster
from .response import FaceResponse, ResponseConfig


@dataclass(frozen=True)
class GeometryConfig:
    """What is needed besides the tensors to rebuild a GeometryModel."""

    au_count: int
    triangle_count: int
    response: ResponseConfig | None = None
    """None: the linear model alone."""


@dataclass(frozen=True)
class HeadPose:
    """Weak-perspective pose: landmarks = scale * rotation @ canonical + center."""

    scale: Tensor
    """(B,) pixels per canonical unit (the distance of the outer eye corners)."""
    rotation: Tensor
    """(B, 3, 3) canonical -> picture axes (x right, y down, z away)."""
    center: Tensor
    """(B, 3) where the canonical origin lies, in pixels."""

    def canonical(self, landmarks: Tensor) -> Tensor:
        """(B, 478, 3) in canonical units, of landmarks (B, 478, 3) pixels."""
        turned = torch.einsum("nki,nij->nkj", landmarks - self.center[:, None], self.rotation)
        return turned / self.scale[:, None, None]


class GeometryModel(nn.Module):
    """Relative action units -> landmark displacement -> dense flow. Nothing in it learns with a generator."""

    weight: Tensor
    mean_shape: Tensor
    triangles: Tensor

    def __init__(self, config: GeometryConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("weight", torch.zeros(config.au_count, LANDMARKS, 3))
        self.register_buffer("mean_shape", torch.zeros(LANDMARKS, 3))
        self.register_buffer("triangles", torch.zeros(config.triangle_count, 3, dtype=torch.int64))
        self.response = None if config.response is None else FaceResponse(config.response).requires_grad_(False)
        self._kept: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
        self._layers: dict[torch.device, Layers] = {}
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]

    @classmethod
    def from_fit(
        cls, weight: Tensor, mean_shape: Tensor, triangles: Tensor, response: FaceResponse | None = None
    ) -> GeometryModel:
        """From W (C, 478, 3), the mean shape (478, 3), both canonical, and the skin's triangles (T, 3)."""
        config = GeometryConfig(weight.shape[0], triangles.shape[0], response.config if response else None)
        model = cls(config)
        state = {"weight": weight, "mean_shape": mean_shape, "triangles": triangles}
        learnt = {f"response.{name}": tensor for name, tensor in response.state_dict().items()} if response else {}
        model.load_state_dict(state | learnt)
        return model

    @property
    def linear(self) -> GeometryModel:
        """The same without its response: what was fitted in closed form."""
        return self.from_fit(self.weight, self.mean_shape, self.triangles)

    @property
    def mirror(self) -> Tensor:
        """(478,) int64: for each landmark the one that is its mirror image."""
        return mirror_pairs(self.mean_shape)

    def pose(self, landmarks: Tensor) -> HeadPose:
        """Head pose of landmarks (B, 478, 3), by least squares over the stable ones (Umeyama 1991)."""
        return head_pose(landmarks, self.mean_shape)

    def displacement(
        self,
        delta_au: Tensor,
        landmarks: Tensor,
        *,
        may_reveal: bool = True,
        own_motion: Tensor | None = None,
        lips_together: Tensor | None = None,
    ) -> Tensor:
        """Where the landmarks go: (B, 478, 2) pixels, for delta_au (B, C) and landmarks (B, 478, 3) pixels.

        Lids and lips meet but never pass through each other, and what is shut does not come ajar by a hair.
        Without `may_reveal`, shut ones stay shut and parted ones part at most twice as far: for an edit that has
        nothing to show behind them.

        Args:
            own_motion: (B, 478, 3) canonical units that are added, for how a person is known to move.
            lips_together: (B,) in [0, 1], how far the lips are to touch, whatever else they do.
        """
        # In double precision, so that the result rounds alike however many faces share a batch.
        kept_dtype, precise = landmarks.dtype, torch.float32 if landmarks.device.type == "mps" else torch.float64
        landmarks, delta_au = landmarks.to(precise), delta_au.to(precise)
        pose = self.pose(landmarks)
        canonical = self.canonical_motion(delta_au, pose.canonical(landmarks))
        canonical = canonical if own_motion is None else canonical + own_motion.to(precise)
        moved = torch.einsum("bij,bkj->bki", pose.rotation, canonical) * pose.scale[:, None, None]
        down = nn.functional.normalize(pose.rotation[:, :2, 1], dim=1)
        points, planar = landmarks[..., :2], moved[..., :2]
        followers = self._followers(precise)
        planar = kept_shut(points, planar, down, followers, may_open=may_reveal)
        if lips_together is not None:
            planar = brought_together(points, planar, down, lips_together.to(precise), followers)
        return met(points, planar, down).to(kept_dtype)

    def canonical_motion(self, delta_au: Tensor, canonical: Tensor) -> Tensor:
        """(B, 478, 3) how a face with those canonical landmarks (B, 478, 3) moves, canonical, before lips and lids
        are kept from crossing. In the type of delta_au (B, C)."""
        motion = torch.einsum("bc,cki->bki", delta_au, self.weight.to(delta_au.dtype))
        return motion if self.response is None else motion + self.response(delta_au, canonical)

    def _followers(self, dtype: torch.dtype) -> list[Tensor]:
        """`openings.followers` of the mean shape; made once."""
        key = (self.mean_shape.device, dtype)
        if key not in self._kept:
            with torch.inference_mode(mode=False), torch.no_grad():  # so that training may use them as well
                self._kept[key] = followers(self.mean_shape.to(dtype))
        return self._kept[key]

    def flow(self, landmarks: Tensor, displacement: Tensor, size_px: int) -> Tensor:
        """(B, 2, S, S) float32 backward flow in pixels: output pixel p shows input pixel p + flow(p).

        Channel 0 is x, 1 is y. Zero outside the ring around the face.
        """
        return self.drawn(landmarks, displacement, size_px).flow

    def holes(self, landmarks: Tensor, displacement: Tensor, size_px: int) -> Tensor:
        """(B, 2, S, S) in {0, 1}: the mouth's (0) and the eyes' (1) openings after the move.

        What lies in there the warp can only stretch: a prior for where a network may paint.
        """
        return self.drawn(landmarks, displacement, size_px).holes

    def drawn(self, landmarks: Tensor, displacement: Tensor, size_px: int, *, carried: bool = False) -> Raster:
        """The mesh drawn once, for all that can be read off it.

        `carried`: the displacement leads from one picture of a face to another one of it, and what is seen in the
        mouth goes with its lips; else lips slide over teeth.
        """
        device = self.mean_shape.device
        if device not in self._layers:
            with torch.inference_mode(mode=False), torch.no_grad():
                self._layers[device] = Layers.of_mesh(self.mean_shape, self.triangles)
        return Raster(self._layers[device], landmarks, displacement, size_px, carried=carried)

    def reveal(self, landmarks: Tensor, displacement: Tensor) -> Tensor:
        """(B, 2) in [0, 1]: how much of what is seen through the mouth (0) and the eyes (1) after the move was not
        seen before, and has to be made up. What parts by less than a quarter shows what it showed, stretched.
        """
        return insides.revealed(landmarks[..., :2], displacement)


def head_pose(landmarks: Tensor, mean_shape: Tensor) -> HeadPose:
    """Pose of landmarks (B, 478, 3) pixels against the canonical mean shape (478, 3), by least squares over the
    stable ones (Umeyama 1991). Differentiable."""
    stable = list(STABLE)
    seen, canonical = landmarks[:, stable], mean_shape[stable].to(landmarks.dtype)
    seen_center, canonical_center = seen.mean(1, keepdim=True), canonical.mean(0)
    a, b = seen - seen_center, canonical - canonical_center
    u, singular, vt = torch.linalg.svd(torch.einsum("nki,kj->nij", a, b))
    sign = torch.ones_like(singular)
    sign[:, 2] = torch.sign(torch.linalg.det(u @ vt))  # a rotation, never a reflection
    rotation = u @ (sign[:, :, None] * vt)
    scale = (singular * sign).sum(1) / b.square().sum()
    center = seen_center[:, 0] - scale[:, None] * torch.einsum("nij,j->ni", rotation, canonical_center)
    return HeadPose(scale, rotation, center)


def mirror_pairs(mean_shape: Tensor) -> Tensor:
    """(478,) int64: for each landmark the one that is its mirror image in a symmetric mean shape (478, 3)."""
    return torch.cdist(mean_shape * mean_shape.new_tensor([-1, 1, 1]), mean_shape).argmin(1)


def _forget(model: GeometryModel, _: object) -> None:
    model._kept.clear()
    model._layers.clear()
