"""The model from relative action units to landmark motion, and the dense backward flow it implies.

`delta_landmarks = s R (W^T delta_au + N(delta_au, face))`: W is fitted in closed form in the *canonical* frame
(front-facing, unit = distance of the outer eye corners), R and s are the head's rotation and scale, found from the
landmarks themselves. So one W serves turned heads too. N is what depends on the face, and may be missing: see
`response`. The flow is piecewise linear over a fixed triangulation of the
mesh, with a ring around the face where motion dies out, and separate layers for what skin slides over: the
eyeball stays where it is when a lid closes over it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .images import box_mean
from .response import LANDMARKS as LANDMARKS
from .response import FaceResponse, ResponseConfig

STABLE = (33, 133, 362, 263, 168, 6, 197, 195, 127, 356, 234, 454)
"""Landmarks that no expression moves much: eye corners, nose bridge, temples. They carry the head's pose."""

# The openings of the face as (upper, lower) chains of landmarks from corner to corner, by MediaPipe's numbering.
MOUTH = (
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
)
RIGHT_EYE = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133))
LEFT_EYE = ((263, 466, 388, 387, 386, 385, 384, 398, 362), (263, 249, 390, 373, 374, 380, 381, 382, 362))
RIGHT_IRIS = (468, 469, 470, 471, 472)
LEFT_IRIS = (473, 474, 475, 476, 477)
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

RING_SCALE = 1.3
"""Size of the ring around the face, relative to the face's outline, beyond which nothing moves."""

_OPENINGS = (MOUTH, RIGHT_EYE, LEFT_EYE)

_RIM = 0.02
"""Relative to an opening's width: how far into lips and lids, as the mesh has them, teeth and eyeball may show."""

_SLIT, _OVERLAP = 0.08, 0.02
"""Relative to an opening's width: a gap that closes below the first is shut, with the second as overlap."""

_SURELY_OPEN = 0.125
"""Gap between the lips over the mouth's width: landmarks of the inner lips lie a little inside the red, and from
this on it is surely a gap."""

_SLIDING = 0.8
"""Of a gap between the lips: how far a lip may slide over what is seen in it."""

_TEETH = 0.95
"""Share of the height of a smile that the upper teeth take up; below them the mouth parts first."""

_SMILE, _GAPE = 0.3, 0.5
"""Gap over the mouth's width: up to the first it is a smile full of teeth, from the second on it gapes."""

_GIVE_WAY = (0.12, 0.08, 0.08)
_SHUT, _PARTED = 0.04, 0.14
"""Gap of an opening over its width: below the first nothing of the inside is seen, from the second on enough."""

_STRETCHED, _NEW = 1.25, 2.0
"""Growth of an opening's gap up to which its inside is only stretched, and from which on it counts as new."""

_AJAR, _OPEN = 0.05, 0.12
"""Gap, after the move, over the width: what is shut and would part by less than the first stays shut (the linear
model is not that exact, and such a slit is read as an open mouth); by the second or more it parts as it should."""


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
    strip_triangles: Tensor
    ring_triangles: Tensor

    def __init__(self, config: GeometryConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("weight", torch.zeros(config.au_count, LANDMARKS, 3))
        self.register_buffer("mean_shape", torch.zeros(LANDMARKS, 3))
        self.register_buffer("triangles", torch.zeros(config.triangle_count, 3, dtype=torch.int64))
        self.response = None if config.response is None else FaceResponse(config.response).requires_grad_(False)
        self.register_buffer("strip_triangles", _strip_triangles(), persistent=False)
        self.register_buffer("ring_triangles", _ring_triangles(), persistent=False)
        self._spreads: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
        self.register_load_state_dict_post_hook(_forget_spreads)  # type: ignore[no-untyped-call]

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
        stable = list(STABLE)
        seen, canonical = landmarks[:, stable], self.mean_shape[stable].to(landmarks.dtype)
        seen_center, canonical_center = seen.mean(1, keepdim=True), canonical.mean(0)
        a, b = seen - seen_center, canonical - canonical_center
        u, singular, vt = torch.linalg.svd(torch.einsum("nki,kj->nij", a, b))
        sign = torch.ones_like(singular)
        sign[:, 2] = torch.sign(torch.linalg.det(u @ vt))  # a rotation, never a reflection
        rotation = u @ (sign[:, :, None] * vt)
        scale = (singular * sign).sum(1) / b.square().sum()
        center = seen_center[:, 0] - scale[:, None] * torch.einsum("nij,j->ni", rotation, canonical_center)
        return HeadPose(scale, rotation, center)

    def displacement(self, delta_au: Tensor, landmarks: Tensor, *, may_reveal: bool = True) -> Tensor:
        """Where the landmarks go: (B, 478, 2) pixels, for delta_au (B, C) and landmarks (B, 478, 3) pixels.

        Lids and lips meet but never pass through each other, and what is shut does not come ajar by a hair.
        Without `may_reveal`, shut ones stay shut and parted ones part at most twice as far: for an edit that has
        nothing to show behind them.
        """
        # In double precision, so that the result rounds alike however many faces share a batch.
        kept_dtype, precise = landmarks.dtype, torch.float32 if landmarks.device.type == "mps" else torch.float64
        landmarks, delta_au = landmarks.to(precise), delta_au.to(precise)
        pose = self.pose(landmarks)
        canonical = self.canonical_motion(delta_au, pose.canonical(landmarks))
        moved = torch.einsum("bij,bkj->bki", pose.rotation, canonical) * pose.scale[:, None, None]
        down = nn.functional.normalize(pose.rotation[:, :2, 1], dim=1)
        points, planar = landmarks[..., :2], moved[..., :2]
        planar = _kept_shut(points, planar, down, self._spread(precise), may_open=may_reveal)
        return _meet(points, planar, down).to(kept_dtype)

    def canonical_motion(self, delta_au: Tensor, canonical: Tensor) -> Tensor:
        """(B, 478, 3) how a face with those canonical landmarks (B, 478, 3) moves, canonical, before lips and lids
        are kept from crossing. In the type of delta_au (B, C)."""
        motion = torch.einsum("bc,cki->bki", delta_au, self.weight.to(delta_au.dtype))
        return motion if self.response is None else motion + self.response(delta_au, canonical)

    def _spread(self, dtype: torch.dtype) -> list[Tensor]:
        """How each chain's skin follows it, in the order of the openings; made once, for it takes its time."""
        key = (self.mean_shape.device, dtype)
        if key not in self._spreads:
            with torch.inference_mode(mode=False), torch.no_grad():  # so that training may use them as well
                shape = self.mean_shape.to(dtype)
                self._spreads[key] = [
                    _spread(shape, list(chain), [*upper, *lower], reach)
                    for (upper, lower), reach in zip(_OPENINGS, _GIVE_WAY, strict=True)
                    for chain in (upper, lower)
                ]
        return self._spreads[key]

    def flow(self, landmarks: Tensor, displacement: Tensor, size_px: int) -> Tensor:
        """(B, 2, S, S) float32 backward flow in pixels: output pixel p shows input pixel p + flow(p).

        Channel 0 is x, 1 is y. Zero outside the ring around the face.
        """
        return _Raster(self, landmarks, displacement, size_px).flow()

    def holes(self, landmarks: Tensor, displacement: Tensor, size_px: int) -> Tensor:
        """(B, 2, S, S) in {0, 1}: the mouth's (0) and the eyes' (1) openings after the move.

        What lies in there the warp can only stretch: a prior for where a network may paint.
        """
        return _Raster(self, landmarks, displacement, size_px).holes()

    def flow_and_holes(self, landmarks: Tensor, displacement: Tensor, size_px: int) -> tuple[Tensor, Tensor]:
        """Both, with the mesh drawn once."""
        raster = _Raster(self, landmarks, displacement, size_px)
        return raster.flow(), raster.holes()

    def reveal(self, landmarks: Tensor, displacement: Tensor) -> Tensor:
        """(B, 2) in [0, 1]: how much of what is seen through the mouth (0) and the eyes (1) after the move was not
        seen before, and has to be made up. What parts by less than a quarter shows what it showed, stretched.
        """
        points = landmarks[..., :2]
        target = points + displacement
        per_opening = []
        for upper, lower in _OPENINGS:
            width = (points[:, upper[-1]] - points[:, upper[0]]).norm(dim=-1).clamp(min=1e-6)
            before, after = ((p[:, lower] - p[:, upper]).norm(dim=-1).amax(1) for p in (points, target))
            growth = after / before.maximum(_SHUT * width)
            per_opening.append(((growth - _STRETCHED) / (_NEW - _STRETCHED)).clamp(0, 1))
        mouth, right, left = per_opening
        return torch.stack([mouth, right.maximum(left)], 1)


def mirror_pairs(mean_shape: Tensor) -> Tensor:
    """(478,) int64: for each landmark the one that is its mirror image in a symmetric mean shape (478, 3)."""
    return torch.cdist(mean_shape * mean_shape.new_tensor([-1, 1, 1]), mean_shape).argmin(1)


def _forget_spreads(model: GeometryModel, _: object) -> None:
    model._spreads.clear()


class _Raster:
    """The moved mesh drawn once: which triangle owns each pixel. Layers: ring < openings < skin."""

    def __init__(self, model: GeometryModel, landmarks: Tensor, displacement: Tensor, size_px: int) -> None:
        points = landmarks[..., :2]
        target = points + displacement
        ring = _ring(points)
        strips = [index for pair in _OPENINGS for chain in pair for index in chain]
        self.batch, self.size_px = landmarks.shape[0], size_px
        # Later triangles win where layers overlap.
        triangles = torch.cat([model.ring_triangles, model.strip_triangles, model.triangles])
        self.count = triangles.shape[0]
        self.strip_start = model.ring_triangles.shape[0]
        self.skin_start = self.strip_start + model.strip_triangles.shape[0]
        self.mouth_stop = self.strip_start + 4 * (len(MOUTH[0]) - 1)
        line, line_content = _mouth_middle(points, displacement)
        positions = torch.cat([target, ring, target[:, strips], line], 1)
        content = torch.cat([_opening_content(points, displacement), line_content], 1)
        flows = -torch.cat([displacement - _rims(points, displacement), torch.zeros_like(ring), content], 1)
        self.corners = positions[:, triangles].flatten(0, 1)  # (B*T, 3, 2)
        self.values = flows[:, triangles].flatten(0, 1)
        self.planes = _barycentric_planes(self.corners)

    def flow(self) -> Tensor:
        pixel, triangle = self._owners
        x, y = (pixel % self.size_px) + 0.5, (pixel // self.size_px % self.size_px) + 0.5
        # A value linear over a triangle is affine in (x, y), like its barycentric coordinates.
        a, b, c = self.values.unbind(1)
        affine = self.planes[:, :3, None] * (b - a)[:, None] + self.planes[:, 3:, None] * (c - a)[:, None]
        affine[:, 2] += a
        gx, gy, g0 = affine.index_select(0, triangle).unbind(1)
        out = self.values.new_zeros(self.batch * self.size_px**2, 2)
        out.index_copy_(0, pixel, gx * x[:, None] + gy * y[:, None] + g0)
        flow = out.view(self.batch, self.size_px, self.size_px, 2).permute(0, 3, 1, 2).contiguous()
        kind = triangle % self.count
        inside = torch.zeros_like(flow[:, :1])
        inside.view(-1)[pixel] = ((kind >= self.strip_start) & (kind < self.skin_start)).to(flow.dtype)
        return _with_soft_edges(flow, inside)

    def holes(self) -> Tensor:
        pixel, triangle = self._owners
        owner = pixel.new_full((self.batch * self.size_px**2,), -1)
        owner[pixel] = triangle % self.count
        mouth = (owner >= self.strip_start) & (owner < self.mouth_stop)
        eyes = (owner >= self.mouth_stop) & (owner < self.skin_start)
        planes = torch.stack([mouth, eyes]).float().view(2, self.batch, self.size_px, self.size_px)
        return planes.transpose(0, 1).contiguous()

    @functools.cached_property
    def _owners(self) -> tuple[Tensor, Tensor]:
        """Covered pixels (n,) flat over the batch, each once, and the triangle of (B*T) that owns it."""
        size = self.size_px
        row, left, right = self._spans()
        count = (right - left).clamp(min=0)
        which, offset = _counted(count)
        x = left.index_select(0, which) + offset
        triangle, y = (t.index_select(0, which) for t in row)
        pixel = ((torch.div(triangle, self.count, rounding_mode="floor") * size + y) * size + x).long()
        # The last triangle of the list wins each pixel: deterministic, also on a GPU.
        top = pixel.new_full((self.batch * size**2,), -1)
        top.scatter_reduce_(0, pixel, triangle.long(), "amax")
        covered = (top >= 0).nonzero()[:, 0]
        return covered, top[covered]

    def _spans(self) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
        """Each triangle's rows of pixels: ((triangle, y), left, right), int32 (R,) each; right is just outside."""
        size = self.size_px
        low = (self.corners[..., 1].amin(1) - 0.5).ceil().clamp(0, size).int()
        high = ((self.corners[..., 1].amax(1) - 0.5).floor().clamp(-1, size - 1).int() + 1).maximum(low)
        triangle, offset = _counted(high - low)
        y = low.index_select(0, triangle) + offset
        w1x, w1y, w10, w2x, w2y, w20 = self.planes.t().contiguous().index_select(1, triangle).unbind(0)
        middle = y + 0.5
        # Each barycentric coordinate is slope * x + rest on the row; inside, all three are at least 0.
        slope = torch.stack([w1x, w2x, -w1x - w2x])
        first, second = w1y * middle + w10, w2y * middle + w20
        rest = torch.stack([first, second, 1 - first - second]) + 1e-4
        crossing = -rest / slope
        left = torch.where(slope > 0, crossing, float("-inf")).amax(0)
        right = torch.where(slope < 0, crossing, float("inf")).amin(0)
        # A flat triangle's planes are NaN, and a row beside its triangle has a level coordinate below 0.
        is_empty = slope.isnan().any(0) | ((slope == 0) & (rest < 0)).any(0)
        left = (left - 0.5).ceil().clamp(0, size).masked_fill(is_empty, 0).int()
        right = ((right - 0.5).floor() + 1).clamp(0, size).masked_fill(is_empty, 0).int()
        return (triangle, y), left, right


def _counted(count: Tensor) -> tuple[Tensor, Tensor]:
    """For counts (n,) int32: each index as often as its count says, and the running number within it."""
    index = torch.arange(count.shape[0], device=count.device, dtype=torch.int32)
    which = torch.repeat_interleave(index, count)
    start = (count.cumsum(0) - count).int()
    running = torch.arange(which.shape[0], device=count.device, dtype=torch.int32)
    return which, running - start.index_select(0, which)


def _barycentric_planes(corners: Tensor) -> Tensor:
    """(T, 6): the second and third barycentric coordinates of triangles (T, 3, 2) as gx * x + gy * y + g0."""
    a, b, c = corners.unbind(1)
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    # A triangle without area covers nothing: NaN compares false.
    inverse = torch.where(area.abs() > 1e-6, 1 / area, torch.full_like(area, float("nan")))[:, None]
    second = torch.stack([c[:, 1] - a[:, 1], a[:, 0] - c[:, 0]], 1) * inverse
    third = torch.stack([a[:, 1] - b[:, 1], b[:, 0] - a[:, 0]], 1) * inverse
    offsets = [-(gradient * a).sum(1, keepdim=True) for gradient in (second, third)]
    return torch.cat([second, offsets[0], third, offsets[1]], 1)


def _meet(points: Tensor, displacement: Tensor, down: Tensor) -> Tensor:
    """Displacement with every opening's upper chain kept above its lower one, along `down` (B, 2).

    What all but closes is closed, and skin then overlaps skin a little: a slit of squeezed teeth or eyeball, a
    pixel high, is worse than none.
    """
    out = displacement.clone()
    # The lower lid hardly moves.
    for opening, lower_gives in ((MOUTH, 0.5), (RIGHT_EYE, 0.0), (LEFT_EYE, 0.0)):
        upper, lower = list(opening[0][1:-1]), list(opening[1][1:-1])
        corners = points[:, [opening[0][0], opening[0][-1]]]
        width = (corners[:, 1] - corners[:, 0]).norm(dim=-1)[:, None, None]
        slit, overlap = _SLIT * width, _OVERLAP * width
        target = points + out
        gap = ((target[:, lower] - target[:, upper]) * down[:, None]).sum(-1, keepdim=True)
        before = ((points[:, lower] - points[:, upper]) * down[:, None]).sum(-1, keepdim=True)
        closing = ((before - gap) / (0.5 * before.clamp(min=0) + 1e-3)).clamp(0, 1)
        squeezed = torch.where(gap < slit, gap * (slit + overlap) / slit - overlap, gap)
        wanted = gap + closing * (squeezed - gap)
        # Landmarks of a closed mouth already overlap a little; that much is left as it is.
        wanted = wanted.maximum(before.clamp(max=0) - closing * overlap * (before > 0))
        change = (wanted - gap) * down[:, None]
        out[:, upper] -= change * (1 - lower_gives)
        out[:, lower] += change * lower_gives
    return out


def _kept_shut(
    points: Tensor, displacement: Tensor, down: Tensor, spreads: list[Tensor], *, may_open: bool
) -> Tensor:
    """Displacement with every opening parted no further than what can be seen through it allows; if it `may_open`,
    that is so only where it would be left ajar.

    The lips and lids give way as a whole: what is taken from their edge is taken from the skin around it too,
    falling off over `_GIVE_WAY` canonical units.
    """
    out = displacement.clone()
    for opening, spread_pair in zip(_OPENINGS, zip(spreads[::2], spreads[1::2], strict=True), strict=True):
        upper, lower = (list(chain) for chain in opening)
        width = (points[:, upper[-1]] - points[:, upper[0]]).norm(dim=-1)[:, None].clamp(min=1e-6)
        rise = -(displacement[:, upper] * down[:, None]).sum(-1)
        fall = (displacement[:, lower] * down[:, None]).sum(-1)
        gap = ((points[:, lower] - points[:, upper]) * down[:, None]).sum(-1).clamp(min=0)
        seen = ((gap.amax(1, keepdim=True) / width - _SHUT) / (_PARTED - _SHUT)).clamp(0, 1)
        excess = (rise + fall - gap * seen).clamp(min=0)  # parts by at most `gap` more, by nothing if shut
        if may_open:
            wanted = (gap + rise + fall).amax(1, keepdim=True) / width
            excess = excess * (1 - ((wanted - _AJAR) / (_OPEN - _AJAR)).clamp(0, 1))
        share = rise.clamp(min=0) / (rise.clamp(min=0) + fall.clamp(min=0)).clamp(min=1e-6)
        for spread, back in zip(spread_pair, (excess * share, -excess * (1 - share)), strict=True):
            out += torch.einsum("kj,bj->bk", spread, back)[..., None] * down[:, None]
    return out


def _spread(mean_shape: Tensor, chain: list[int], opening: list[int], reach: float) -> Tensor:
    """(478, len(chain)) weights that carry a value on a chain to the skin on its side of the opening."""
    distance = torch.cdist(mean_shape[:, :2], mean_shape[opening, :2])
    nearest = distance.argmin(1)
    mine = torch.tensor([index in chain for index in opening], device=mean_shape.device)[nearest]
    near = torch.cdist(mean_shape[:, :2], mean_shape[chain, :2])
    kernel = torch.exp(-near.square() / (2 * (0.3 * reach) ** 2)) + 1e-12
    kernel = kernel / kernel.sum(1, keepdim=True)
    falloff = torch.exp(-near.amin(1).square() / (2 * reach**2)) * mine
    return kernel * falloff[:, None]


def _opening_content(points: Tensor, displacement: Tensor) -> Tensor:
    """(B, K, 2) how what is seen *through* each opening's outline moves, chain by chain.

    Lips slide over teeth (`_mouth_content`); if the mouth was shut, only the seam between them is stretched, so
    that an opening is filled with the seam's dark and not with lip. An eye that opens stretches with the lids for
    lack of anything better; otherwise the lids slide over an eyeball that moves with the gaze alone.
    """
    parts = _mouth_content(points, displacement)
    for eye, iris in ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)):
        upper, lower = list(eye[0]), list(eye[1])
        height = (points[:, lower] - points[:, upper]).norm(dim=-1).mean(1)
        target = points + displacement
        target_height = (target[:, lower] - target[:, upper]).norm(dim=-1).mean(1)
        opening = ((target_height - height) / (0.1 * height + 1e-3)).clamp(0, 1)[:, None, None]
        gaze = displacement[:, list(iris)].mean(1, keepdim=True)
        parts += [gaze.lerp(displacement[:, list(chain)], opening) for chain in eye]
    return torch.cat(parts, 1)


def _rims(points: Tensor, displacement: Tensor) -> Tensor:
    """(B, 478, 2) how much further out than their own the edges of lips and lids take their pixels as they shut.

    The mesh's edge lies a little inside teeth or eyeball; shut, that would be a bright line between the lips.
    """
    out = torch.zeros_like(points)
    for opening in _OPENINGS:
        upper, lower = (list(chain[1:-1]) for chain in opening)
        across = points[:, opening[0][-1]] - points[:, opening[0][0]]
        width = across.norm(dim=-1)[:, None, None]
        apart = points[:, lower] - points[:, upper]
        before = apart.norm(dim=-1, keepdim=True)
        # From the displacement itself: exactly nothing where nothing moves.
        parted = displacement[:, lower] - displacement[:, upper]
        closed_by = -(parted * apart).sum(-1, keepdim=True) / (before + 1e-3)
        closing = (2.5 * closed_by / (before + 1e-3) - 0.5).clamp(0, 1)  # from a fifth to three fifths closed
        gap = before - closed_by
        nearly = (2 - gap / (_SLIT * width)).clamp(0, 1)
        rim = _RIM * width * closing * nearly * apart / (before + 1e-3)
        out[:, upper] -= rim
        out[:, lower] += rim
    return out


def _mouth_content(points: Tensor, displacement: Tensor) -> list[Tensor]:
    """(B, K, 2) per chain, such that target - content is the source point shown at that lip's edge.

    Lips slide over the teeth: a lip that moves inwards uncovers nothing and pulls nothing along, one that moves
    outwards takes what is at its edge with it.
    """
    upper, lower = (points[:, list(chain)] for chain in MOUTH)
    moved_upper, moved_lower = (displacement[:, list(chain)] for chain in MOUTH)
    width = (upper[:, -1] - upper[:, 0]).norm(dim=-1)
    gap = (lower - upper).norm(dim=-1, keepdim=True)
    height = gap.amax(1)[:, 0]
    target_height = ((lower + moved_lower) - (upper + moved_upper)).norm(dim=-1).amax(1)
    doubt = 1 - (height / (_SURELY_OPEN * width + 1e-3)).clamp(0, 1)
    # Only a mouth that opens needs its seam: one that keeps still, or shuts, shows what it showed.
    opening = ((target_height - height) / (0.03 * width + 1e-3)).clamp(0, 1)
    to_seam = (doubt * opening)[:, None, None]
    seam = (upper + lower) / 2
    down, most = _downwards(points), _SLIDING * (1 - doubt[:, None, None]) * gap
    out = []
    for at, moved, side in ((upper, moved_upper, 1), (lower, moved_lower, -1)):
        inwards = side * ((moved - _still(points, displacement, at)) * down).sum(-1, keepdim=True)
        shown = at + side * down * inwards.clamp(min=0).minimum(most)
        out.append(at + moved - shown.lerp(seam, to_seam))
    return out


def _mouth_middle(points: Tensor, displacement: Tensor) -> tuple[Tensor, Tensor]:
    """((B, n, 2), (B, n, 2)) a line across the open mouth: where it goes, and how what is seen there moves.

    Above it hangs what belongs to the skull (the upper teeth), which keeps its place and size; below it a jaw that
    drops stretches what was between the teeth and the lower lip. In a mouth that is wide open the line is in the
    dark in the middle.
    """
    upper, lower = (points[:, list(chain)] for chain in MOUTH)
    moved_upper, moved_lower = (displacement[:, list(chain)] for chain in MOUTH)
    gap = (lower - upper).norm(dim=-1, keepdim=True)
    widest = gap.amax(1, keepdim=True)
    share = widest / ((upper[:, -1:] - upper[:, :1]).norm(dim=-1, keepdim=True) + 1e-6)
    # In a mouth that is hardly open it is the seam; see `_mouth_content`.
    central = ((share - _SMILE) / (_GAPE - _SMILE)).maximum(1 - share / _SURELY_OPEN).clamp(0, 1)
    line = upper.lerp(lower, _TEETH + (0.5 - _TEETH) * central)
    # Towards the corners there is nothing inside: it goes with the lips.
    inside = (2 * gap / (widest + 1e-3)).clamp(0, 1)
    content = ((moved_upper + moved_lower) / 2).lerp(_still(points, displacement, line), inside)
    top, column = upper + moved_upper, lower + moved_lower - upper - moved_upper
    along = ((line + content - top) * column).sum(-1, keepdim=True) / (
        column.square().sum(-1, keepdim=True) + 1e-6
    )
    return top + along.clamp(0.02, 0.98) * column, content


def _downwards(points: Tensor) -> Tensor:
    """(B, 1, 2) from the forehead to the chin, square to the mouth; unit length."""
    across = points[:, MOUTH[0][-1]] - points[:, MOUTH[0][0]]
    return nn.functional.normalize(torch.stack([-across[:, 1], across[:, 0]], -1), dim=-1)[:, None]


def _still(points: Tensor, displacement: Tensor, at: Tensor) -> Tensor:
    """(B, n, 2) how points `at` (B, n, 2) would move if they were fixed to the skull: shift, turn and growth of
    the landmarks that no expression moves, by least squares. Exactly nothing where those keep still."""
    stable, moved = points[:, list(STABLE)], displacement[:, list(STABLE)]
    middle, shift = stable.mean(1, keepdim=True), moved.mean(1, keepdim=True)
    arm, swing = stable - middle, moved - shift
    power = arm.square().sum((1, 2))[:, None, None] + 1e-6
    growth = (arm * swing).sum((1, 2))[:, None, None] / power
    turn = (arm[..., 0] * swing[..., 1] - arm[..., 1] * swing[..., 0]).sum(1)[:, None, None] / power
    reach = at - middle
    return shift + growth * reach + turn * torch.stack([-reach[..., 1], reach[..., 0]], -1)


def _with_soft_edges(flow: Tensor, inside: Tensor) -> Tensor:
    """The flow with its jump at the edge of openings (B, 1, S, S) drawn out over three pixels: what slides under a
    lip or a lid would else end in steps."""
    share = box_mean(inside, 1)
    return torch.where((share > 0) & (share < 1), box_mean(flow, 1), flow)


def _ring(points: Tensor) -> Tensor:
    """(B, 36, 2) the face's outline blown up around its middle."""
    oval = points[:, list(FACE_OVAL)]
    middle = (oval.amin(1, keepdim=True) + oval.amax(1, keepdim=True)) / 2
    return middle + (oval - middle) * RING_SCALE


def _ring_triangles() -> Tensor:
    count = len(FACE_OVAL)
    out = []
    for i in range(count):
        j = (i + 1) % count
        out += [(FACE_OVAL[i], LANDMARKS + i, LANDMARKS + j), (FACE_OVAL[i], LANDMARKS + j, FACE_OVAL[j])]
    return torch.tensor(out)


def _strip_triangles() -> Tensor:
    """Triangles between the chains of each opening, over the vertices appended after mesh and ring; the mouth's
    have a line between them (`_mouth_middle`), which comes last."""
    start = LANDMARKS + len(FACE_OVAL)
    middle, out = start + sum(len(chain) for opening in _OPENINGS for chain in opening), []
    for number, (upper, lower) in enumerate(_OPENINGS):
        top, bottom = start, start + len(upper)
        rows = [(top, middle), (middle, bottom)] if number == 0 else [(top, bottom)]
        for above, below in rows:
            for i in range(len(upper) - 1):
                out += [(above + i, above + i + 1, below + i), (above + i + 1, below + i + 1, below + i)]
        start += len(upper) + len(lower)
    return torch.tensor(out)
