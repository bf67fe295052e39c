"""The moved mesh drawn into pixels: which triangle owns each, and the backward flow and openings that follow.

What turns its back owns no pixel, nearer skin hides farther skin, and beside the face's visible outline the
background goes along with it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from .images import box_mean
from .insides import mouth_middle, opening_content, rims
from .lids import LASH_EDGES, LASH_POINTS, LASH_WINDING, lash_bands, lash_triangles
from .mesh import FACE_OVAL, LANDMARKS, MOUTH, OPENINGS
from .openings import shutting
from .outline import OutlineChains, outline, outline_chains

RING_SCALE = 1.3
"""Size of the ring around the face, relative to the face's outline, beyond which nothing moves."""

_LINING = 0.2
"""Of the way from the outline to the middle of the face: how far under the skin the ring's lining reaches, that is
seen where the outline is hollow or its skin turns its back."""

_NO_AREA = 1e-6
"""Square pixels, twice: a triangle with less covers nothing."""

_JOINT_SOFTNESS = 1 / 64
"""Of the picture's side: how far beyond lips and lids that shut their joint fades out."""

_LID_LIFT = 0.15
"""Of the width of the mouth: how much nearer than it is an upper lid or lip counts, so that it always covers the
lower one."""


@dataclass(frozen=True, eq=False)
class Layers:
    """The mesh's triangles, each (T, 3) int64, from the lowest layer to the topmost."""

    ring: Tensor
    """`ring_triangles()`"""
    strips: Tensor
    """`strip_triangles()`"""
    skin: Tensor
    """Over the 478 landmarks, and `lash_triangles()`."""
    winding: Tensor
    """(T,) the sign of each skin triangle's area in the picture where its face is seen."""
    lift: Tensor
    """(T,) how much nearer than it is each skin triangle counts, in widths of the mouth."""
    joint: Tensor
    """(T,) int64, for each skin triangle: the one of OPENINGS whose edge it lies at, or their number if at
    none."""
    chains: OutlineChains

    @classmethod
    def of_mesh(cls, mean_shape: Tensor, skin: Tensor) -> Layers:
        """Of the canonical mean shape (478, 3), seen from the front, and the triangles of its skin."""
        device = skin.device
        upper = torch.tensor([index for chain, _ in OPENINGS for index in chain[1:-1]], device=device)
        lashes = lash_triangles().to(device)
        lift = _LID_LIFT * torch.isin(skin, upper).any(1)
        winding = _areas(mean_shape[skin][..., :2]).sign()
        joint = torch.full((len(skin),), len(OPENINGS), device=device)
        for number, chains in enumerate(OPENINGS):
            joint[torch.isin(skin, torch.tensor(chains, device=device)).any(1)] = number
        return cls(
            ring_triangles().to(device),
            strip_triangles().to(device),
            torch.cat([skin, lashes]),
            torch.cat([winding, winding.new_full((len(lashes),), LASH_WINDING)]),
            torch.cat([lift, lift.new_full((len(lashes),), 2 * _LID_LIFT)]),
            torch.cat([joint, joint.new_tensor((1, 2)).repeat_interleave(len(lashes) // 2)]),
            outline_chains(mean_shape),
        )


class Raster:
    """The moved mesh drawn once: which triangle owns each pixel. Layers: ring < openings < skin."""

    def __init__(
        self, layers: Layers, landmarks: Tensor, displacement: Tensor, size_px: int, *, carried: bool = False
    ) -> None:
        """`landmarks` (B, 478, 3) and where they go, `displacement` (B, 478, 2), in pixels of a picture of
        size_px x size_px. `carried`: what is seen in the mouth goes with its lips."""
        points = landmarks[..., :2]
        target = points + displacement
        edge, edge_motion = outline(points, displacement, layers.chains)
        ring, lining = _around(edge)
        strips = [index for pair in OPENINGS for chain in pair for index in chain]
        self.batch, self.size_px = points.shape[0], size_px
        triangles = torch.cat([layers.ring, layers.strips, layers.skin])
        self.count = triangles.shape[0]
        self.strip_start = layers.ring.shape[0]
        self.skin_start = self.strip_start + layers.strips.shape[0]
        self.mouth_stop = self.strip_start + 4 * (len(MOUTH[0]) - 1)
        line, line_content = mouth_middle(points, displacement, carried=carried)
        lashes = lash_bands(points, displacement)
        surroundings = [edge + edge_motion, ring, lining + edge_motion]
        placed = [target, lashes.points + lashes.displacement, *surroundings, target[:, strips], line]
        content = [opening_content(points, displacement, carried=carried), line_content]
        rim = rims(points, displacement)
        band = lashes.displacement.clone()
        band[:, : LASH_POINTS // 2] -= rim[:, LASH_EDGES[: LASH_POINTS // 2]]
        moved = [
            displacement - rim - lashes.rims,
            band,
            edge_motion,
            torch.zeros_like(ring),
            edge_motion,
            *content,
        ]
        positions, flows = torch.cat(placed, 1), -torch.cat(moved, 1)
        self.corners = positions[:, triangles].flatten(0, 1)  # (B*T, 3, 2)
        self.values = flows[:, triangles].flatten(0, 1)
        self.planes = _barycentric_planes(self.corners)
        self._points, self._displacement, self._joint = points, displacement, layers.joint
        self._is_seen = self._seen(layers, torch.cat([points, lashes.points], 1))
        self._order = self._farthest_first(layers, landmarks)

    def _seen(self, layers: Layers, points: Tensor) -> Tensor:
        """(B*T,) bool: which triangles cover anything. Skin that turns its back after the move does not; nor does
        skin that did before: the picture has none of it to take."""
        areas = _areas(self.corners.detach()).view(self.batch, self.count)
        is_seen = areas.abs() > _NO_AREA
        after, before = areas[:, self.skin_start :], _areas(points.detach()[:, layers.skin])
        is_seen[:, self.skin_start :] &= torch.minimum(after * layers.winding, before * layers.winding) >= 0
        return is_seen.flatten()

    def _farthest_first(self, layers: Layers, landmarks: Tensor) -> Tensor:
        """(B, T) int32: the triangles of each face, such that later ones cover earlier ones. Below the skin that
        is their own order."""
        depth = landmarks[..., 2].detach()
        depth = torch.cat([depth, depth[:, LASH_EDGES]], 1)
        width = (landmarks[:, MOUTH[0][-1]] - landmarks[:, MOUTH[0][0]]).detach().norm(dim=-1, keepdim=True)
        skin = depth[:, layers.skin].mean(-1) - layers.lift * width
        order = skin.argsort(dim=1, descending=True, stable=True) + self.skin_start
        below = torch.arange(self.skin_start, device=order.device).expand(self.batch, -1)
        return torch.cat([below, order], 1).int()

    @functools.cached_property
    def flow(self) -> Tensor:
        """(B, 2, S, S) backward flow in pixels; see `GeometryModel.flow`."""
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
        _soften_edges(flow, inside)
        return flow

    @functools.cached_property
    def holes(self) -> Tensor:
        """(B, 2, S, S) in {0, 1}: the openings of the mouth (0) and the eyes (1)."""
        pixel, triangle = self._owners
        owner = pixel.new_full((self.batch * self.size_px**2,), -1)
        owner[pixel] = triangle % self.count
        mouth = (owner >= self.strip_start) & (owner < self.mouth_stop)
        eyes = (owner >= self.mouth_stop) & (owner < self.skin_start)
        planes = torch.stack([mouth, eyes]).float().view(2, self.batch, self.size_px, self.size_px)
        return planes.transpose(0, 1).contiguous()

    @functools.cached_property
    def face(self) -> Tensor:
        """(B, 1, S, S) in {0, 1}: what shows the face, seen before and after the move, not what is around."""
        pixel, triangle = self._owners
        out = self.values.new_zeros(self.batch * self.size_px**2)
        out[pixel] = (triangle % self.count >= self.strip_start).to(out.dtype)
        return out.view(self.batch, 1, self.size_px, self.size_px)

    @functools.cached_property
    def joints(self) -> Tensor:
        """(B, 1, S, S) in [0, 1]: where lips or lids meet that were apart, with a soft edge."""
        shut = shutting(self._points, self._displacement)
        if not shut.any():
            return shut.new_zeros(self.batch, 1, self.size_px, self.size_px)
        weight = torch.cat([shut, torch.zeros_like(shut[:, :1])], 1)[:, self._joint]
        weight = torch.cat([weight.new_zeros(self.batch, self.skin_start), weight], 1).flatten()
        out = weight.new_zeros(self.batch * self.size_px**2)
        pixel, triangle = self._owners
        out[pixel] = weight[triangle]
        radius_px = round(_JOINT_SOFTNESS * self.size_px)
        field = out.view(self.batch, 1, self.size_px, self.size_px)
        return (2 * box_mean(field, radius_px)).clamp(max=1)

    @functools.cached_property
    def _owners(self) -> tuple[Tensor, Tensor]:
        """Covered pixels (n,) flat over the batch, each once, and the triangle of (B*T) that owns it."""
        size = self.size_px
        row, left, right = self._spans()
        count = (right - left).clamp(min=0)
        which, offset = _counted(count)
        x = left.index_select(0, which) + offset
        triangle, y = row
        first = torch.arange(self.batch, device=y.device)[:, None] * self.count
        order = (self._order + first).flatten()
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order), device=order.device)
        start = (torch.div(triangle, self.count, rounding_mode="floor") * size + y) * size
        pixel = (start.index_select(0, which) + x).long()
        # The last one of the order wins each pixel: deterministic, also on a GPU.
        top = pixel.new_full((self.batch * size**2,), -1)
        top.scatter_reduce_(0, pixel, place.index_select(0, triangle).index_select(0, which), "amax")
        covered = (top >= 0).nonzero()[:, 0]
        return covered, order[top[covered]]

    def _spans(self) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
        """Each triangle's rows of pixels: ((triangle, y), left, right), int32 (R,) each; right is just outside."""
        size = self.size_px
        low = (self.corners[..., 1].amin(1) - 0.5).ceil().clamp(0, size).int()
        high = ((self.corners[..., 1].amax(1) - 0.5).floor().clamp(-1, size - 1).int() + 1).maximum(low)
        high = torch.where(self._is_seen, high, low)
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
        # A row beside its triangle has a level coordinate below 0.
        is_empty = ((slope == 0) & (rest < 0)).any(0)
        left = (left - 0.5).ceil().clamp(0, size).masked_fill(is_empty, 0).int()
        right = ((right - 0.5).floor() + 1).clamp(0, size).masked_fill(is_empty, 0).int()
        return (triangle, y), left, right


def ring_triangles() -> Tensor:
    """(T, 3) from the lining over the visible outline to the ring, whose vertices follow on the mesh's and the
    lashes': outline, ring, lining."""
    count, start = len(FACE_OVAL), LANDMARKS + LASH_POINTS
    outline_start, ring_start, lining_start = (start + i * count for i in range(3))
    out = []
    for inner, outer in ((lining_start, outline_start), (outline_start, ring_start)):
        for i in range(count):
            j = (i + 1) % count
            out += [(inner + i, outer + i, outer + j), (inner + i, outer + j, inner + j)]
    return torch.tensor(out)


def strip_triangles() -> Tensor:
    """(T, 3) between the chains of each opening, over the vertices appended after mesh and surroundings; the
    mouth's have a line between them (`mouth_middle`), which comes last."""
    start = LANDMARKS + LASH_POINTS + 3 * len(FACE_OVAL)
    middle, out = start + sum(len(chain) for opening in OPENINGS for chain in opening), []
    for number, (upper, lower) in enumerate(OPENINGS):
        top, bottom = start, start + len(upper)
        rows = [(top, middle), (middle, bottom)] if number == 0 else [(top, bottom)]
        for above, below in rows:
            for i in range(len(upper) - 1):
                out += [(above + i, above + i + 1, below + i), (above + i + 1, below + i + 1, below + i)]
        start += len(upper) + len(lower)
    return torch.tensor(out)


def _counted(count: Tensor) -> tuple[Tensor, Tensor]:
    """For counts (n,) int32: each index as often as its count says, and the running number within it."""
    index = torch.arange(count.shape[0], device=count.device, dtype=torch.int32)
    which = torch.repeat_interleave(index, count)
    start = (count.cumsum(0) - count).int()
    running = torch.arange(which.shape[0], device=count.device, dtype=torch.int32)
    return which, running - start.index_select(0, which)


def _barycentric_planes(corners: Tensor) -> Tensor:
    """(T, 6): the second and third barycentric coordinates of triangles (T, 3, 2) as gx * x + gy * y + g0; all
    zero for one without area."""
    a, b, c = corners.unbind(1)
    area = _areas(corners)
    has_area = area.abs() > _NO_AREA
    inverse = (has_area / torch.where(has_area, area, 1))[:, None]
    second = torch.stack([c[:, 1] - a[:, 1], a[:, 0] - c[:, 0]], 1) * inverse
    third = torch.stack([a[:, 1] - b[:, 1], b[:, 0] - a[:, 0]], 1) * inverse
    offsets = [-(gradient * a).sum(1, keepdim=True) for gradient in (second, third)]
    return torch.cat([second, offsets[0], third, offsets[1]], 1)


def _soften_edges(flow: Tensor, inside: Tensor) -> None:
    """Draws the flow's jump at the edge of openings (B, 1, S, S) out over three pixels, where that is small: what
    slides under a lip or a lid would else end in steps. Half way across a wide jump lies something else."""
    if not inside.any():
        return
    rows, columns = (_grown(inside.amax(axes).nonzero(), 2) for axes in ((0, 1, 3), (0, 1, 2)))
    near = flow[..., rows, columns]
    share, mean = box_mean(inside[..., rows, columns], 1), box_mean(near, 1)
    softness = (2 - (mean - near).abs().amax(1, keepdim=True)).clamp(0, 1) * ((share > 0) & (share < 1))
    near += softness * (mean - near)


def _grown(indices: Tensor, by: int) -> slice:
    """From the first to the last of indices (n, 1), and so many more on either side."""
    return slice(max(0, int(indices[0]) - by), int(indices[-1]) + by + 1)


def _around(edge: Tensor) -> tuple[Tensor, Tensor]:
    """((B, 36, 2), (B, 36, 2)) the outline (B, 36, 2) blown up around its middle, and shrunk."""
    middle = (edge.amin(1, keepdim=True) + edge.amax(1, keepdim=True)) / 2
    arm = edge - middle
    return middle + arm * RING_SCALE, middle + arm * (1 - _LINING)


def _areas(corners: Tensor) -> Tensor:
    """(...) twice the area of triangles (..., 3, 2), signed by the way they wind."""
    a, b, c = corners.unbind(-2)
    return (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (c[..., 0] - a[..., 0]) * (b[..., 1] - a[..., 1])
