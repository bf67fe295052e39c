"""Pictures as the network sees them: the one place for range conversion, and the one warp.

A coordinate (0, 0) is the corner of the first pixel, so its centre is (0.5, 0.5).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

_HALF_RANGE = 127.5


def to_model(pixels: NDArray[np.uint8] | Tensor) -> Tensor:
    """(..., 3, H, W) float32 RGB in [-1, 1] from (..., H, W, 3) uint8 RGB; on the device of its input.

    Raises:
        ValueError: not uint8, or the last axis is not RGB.
    """
    tensor = pixels if isinstance(pixels, Tensor) else _from_numpy(pixels)
    if tensor.dtype != torch.uint8 or tensor.ndim < 3 or tensor.shape[-1] != 3:
        raise ValueError(f"expected (..., H, W, 3) uint8 pixels, got {tuple(tensor.shape)} {tensor.dtype}")
    return tensor.movedim(-1, -3).float() / _HALF_RANGE - 1


def from_model(image: Tensor) -> Tensor:
    """(..., H, W, 3) uint8 RGB from (..., 3, H, W) floats in [-1, 1]; rounded, and clipped to the range.

    Raises:
        ValueError: not floating point, or the third axis from the end is not RGB.
    """
    if not image.is_floating_point() or image.ndim < 3 or image.shape[-3] != 3:
        raise ValueError(f"expected a (..., 3, H, W) float image, got {tuple(image.shape)} {image.dtype}")
    levels = ((image.detach().float() + 1) * _HALF_RANGE).round().clamp(0, 255)
    return levels.to(torch.uint8).movedim(-3, -1).contiguous()


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """(B, C, H, W): at each pixel p what `image` (B, C, H, W) shows at p + flow(p).

    `flow` (B, 2, H, W) is in pixels, channel 0 x (right) and 1 y (down). Bilinear; beyond the edge the edge
    pixel repeats. Coordinates are computed in float32 at least, whatever the image's type: a half-precision
    grid would be off by a quarter pixel at 512. With sides that are powers of two, whole-pixel moves (and no
    move) are exact; with others they are right to about 1e-5 of the range.

    Raises:
        ValueError: the flow's shape does not fit the image's.
    """
    batch, _, height, width = image.shape
    if flow.shape != (batch, 2, height, width):
        wanted = (batch, 2, height, width)
        raise ValueError(f"a {tuple(image.shape)} image needs a {wanted} flow, got {tuple(flow.shape)}")
    precise = torch.promote_types(image.dtype, torch.float32)
    grid = torch.stack(
        [
            _normalised(flow[:, 0].to(precise), torch.arange(width, device=flow.device)),
            _normalised(flow[:, 1].to(precise), torch.arange(height, device=flow.device)[:, None]),
        ],
        dim=-1,
    )
    moved = F.grid_sample(image.to(precise), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return moved.to(image.dtype)


def box_mean(maps: Tensor, radius_px: int) -> Tensor:
    """The mean over the square of side 2 * radius_px + 1 around each pixel of (..., H, W), as far as it is inside.

    What `avg_pool2d` does with stride 1, eight times as fast on a CPU; what is 0 all around stays exactly 0.
    """
    for axis in (-2, -1):
        size = maps.shape[axis]
        padded = F.pad(maps, (0, 0, radius_px, radius_px) if axis == -2 else (radius_px, radius_px))
        total = padded.narrow(axis, 0, size)
        for shift in range(1, 2 * radius_px + 1):
            total = total + padded.narrow(axis, shift, size)
        at = torch.arange(size, device=maps.device)
        inside = (at + radius_px).clamp(max=size - 1) - (at - radius_px).clamp(min=0) + 1
        maps = total / (inside[:, None] if axis == -2 else inside)
    return maps


def _normalised(offset_px: Tensor, index: Tensor) -> Tensor:
    """grid_sample's coordinates: -1 and 1 are the outer edges of the first and the last pixel."""
    return (2 * (index + 0.5 + offset_px)) / index.numel() - 1


def _from_numpy(pixels: NDArray[Any]) -> Tensor:
    # torch shares memory only with arrays that are writable and run forwards; decoders give other ones.
    shareable = pixels.flags.writeable and all(stride >= 0 for stride in pixels.strides)
    return torch.from_numpy(pixels if shareable else pixels.copy())
