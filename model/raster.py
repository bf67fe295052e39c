"""The moved mesh drawn into pixels: which triangle owns each, and the backward flow and openings that follow."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from .images import box_mean
from .insides import mouth_middle, opening_content, rims
from .mesh import FACE_OVAL, LANDMARKS, MOUTH, OPENINGS

RING_SCALE = 1.3
"""Size of the ring around the face, relative to the face's outline, beyond which nothing moves."""


@dataclass(frozen=True, eq=False)
class Layers:
    """The mesh's triangles, each (T, 3) int64, from the lowest layer to the topmost."""

    ring: Tensor
    """`ring_triangles()`"""
    strips: Tensor
    """`strip_triangles()`"""
    skin: Tensor
    """Over the 478 landmarks."""


class Raster:
    """The moved mesh drawn once: which triangle owns each pixel. Layers: ring < openings < skin."""

    def __init__(self, layers: Layers, points: Tensor, displacement: Tensor, size_px: int) -> None:
        """Landmarks `points` (B, 478, 2) and where they go, `displacement` (B, 478, 2), in pixels of a picture of
        size_px x size_px."""
        target = points + displacement
        ring = _ring(points)
        strips = [index for pair in OPENINGS for chain in pair for index in chain]
        self.batch, self.size_px = points.shape[0], size_px
        # Later triangles win where layers overlap.
        triangles = torch.cat([layers.ring, layers.strips, layers.skin])
        self.count = triangles.shape[0]
        self.strip_start = layers.ring.shape[0]
        self.skin_start = self.strip_start + layers.strips.shape[0]
        self.mouth_stop = self.strip_start + 4 * (len(MOUTH[0]) - 1)
        line, line_content = mouth_middle(points, displacement)
        positions = torch.cat([target, ring, target[:, strips], line], 1)
        content = torch.cat([opening_content(points, displacement), line_content], 1)
        flows = -torch.cat([displacement - rims(points, displacement), torch.zeros_like(ring), content], 1)
        self.corners = positions[:, triangles].flatten(0, 1)  # (B*T, 3, 2)
        self.values = flows[:, triangles].flatten(0, 1)
        self.planes = _barycentric_planes(self.corners)

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
        return _with_soft_edges(flow, inside)

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


def ring_triangles() -> Tensor:
    """(T, 3) between the face's outline and the ring around it, whose vertices follow on the mesh's."""
    count = len(FACE_OVAL)
    out = []
    for i in range(count):
        j = (i + 1) % count
        out += [(FACE_OVAL[i], LANDMARKS + i, LANDMARKS + j), (FACE_OVAL[i], LANDMARKS + j, FACE_OVAL[j])]
    return torch.tensor(out)


def strip_triangles() -> Tensor:
    """(T, 3) between the chains of each opening, over the vertices appended after mesh and ring; the mouth's
    have a line between them (`mouth_middle`), which comes last."""
    start = LANDMARKS + len(FACE_OVAL)
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
    """(T, 6): the second and third barycentric coordinates of triangles (T, 3, 2) as gx * x + gy * y + g0."""
    a, b, c = corners.unbind(1)
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    # A triangle without area covers nothing: NaN compares false.
    inverse = torch.where(area.abs() > 1e-6, 1 / area, torch.full_like(area, float("nan")))[:, None]
    second = torch.stack([c[:, 1] - a[:, 1], a[:, 0] - c[:, 0]], 1) * inverse
    third = torch.stack([a[:, 1] - b[:, 1], b[:, 0] - a[:, 0]], 1) * inverse
    offsets = [-(gradient * a).sum(1, keepdim=True) for gradient in (second, third)]
    return torch.cat([second, offsets[0], third, offsets[1]], 1)


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
