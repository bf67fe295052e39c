"""Pixel formats: which planar one holds all that a format of FFmpeg holds."""

from __future__ import annotations

import re

from av.video.format import VideoFormat

from ..records import PixelFormat

_CHROMA_NAMES = {(0, 0): "444", (1, 0): "422", (1, 1): "420", (0, 1): "440", (2, 0): "411", (2, 2): "410"}


def planar_format(name: str) -> PixelFormat:
    """The planar little-endian pixel format that holds everything a format of FFmpeg holds.

    Raises:
        ValueError: floating point, Bayer, XYZ or hardware formats, which have no such counterpart here.
    """
    native = VideoFormat(name, 64, 64)
    components = native.components
    if not components or native.is_bayer or name.startswith("xyz") or re.search(r"f(16|32)(le|be)$", name):
        raise ValueError(f"pixel format {name} is not supported")
    depth_bits = max(8, *(component.bits for component in components))
    if depth_bits > 16:
        raise ValueError(f"pixel format {name} is not supported")
    has_alpha = native.has_palette or any(component.is_alpha for component in components)
    if native.is_rgb or native.has_palette or (has_alpha and len(components) == 2):
        # Gray with alpha (ya8) has no planar form of its own; three equal colours hold it exactly.
        return _rgb_format(depth_bits, has_alpha=has_alpha)
    if len(components) == 1:
        depth_bits = _rounded_depth(depth_bits, (8, 9, 10, 12, 14, 16))
        return PixelFormat(f"gray{_suffix_of_depth(depth_bits)}", "gray", depth_bits)
    return _yuv_format(native, depth_bits, has_alpha=has_alpha)


def is_supported(name: str) -> bool:
    """Whether a format of FFmpeg has a planar counterpart here."""
    try:
        planar_format(name)
    except ValueError:
        return False
    return True


def without_j(name: str) -> str:
    """The name without a range in it: yuvj420p is yuv420p with full range; all others keep theirs."""
    return name.replace("yuvj", "yuv") if name.startswith("yuvj") else name


def _rgb_format(depth_bits: int, *, has_alpha: bool) -> PixelFormat:
    depths = (8, 10, 12, 14, 16) if has_alpha else (8, 9, 10, 12, 14, 16)
    depth_bits = _rounded_depth(depth_bits, depths)
    name = f"{'gbrap' if has_alpha else 'gbrp'}{_suffix_of_depth(depth_bits)}"
    return PixelFormat(name, "rgb", depth_bits, has_alpha=has_alpha)


def _yuv_format(native: VideoFormat, depth_bits: int, *, has_alpha: bool) -> PixelFormat:
    shift_x = (64 // native.chroma_width(64)).bit_length() - 1
    shift_y = (64 // native.chroma_height(64)).bit_length() - 1
    name = f"{'yuva' if has_alpha else 'yuv'}{_CHROMA_NAMES[shift_x, shift_y]}p{_suffix_of_depth(depth_bits)}"
    VideoFormat(name)  # raises ValueError where FFmpeg has no such format
    return PixelFormat(name, "yuv", depth_bits, shift_x, shift_y, has_alpha)


def _suffix_of_depth(depth_bits: int) -> str:
    return "" if depth_bits == 8 else f"{depth_bits}le"


def _rounded_depth(depth_bits: int, available: tuple[int, ...]) -> int:
    return next(depth for depth in available if depth >= depth_bits)
