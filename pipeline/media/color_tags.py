"""Colour tags (code points of ITU-T H.273): what those of a source mean, and which ones an output gets."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from av.video.frame import VideoFrame

from ..records import Color, PixelFormat

RANGE_LIMITED = 1
"""AVCOL_RANGE_MPEG."""
RANGE_FULL = 2
"""AVCOL_RANGE_JPEG."""

_MATRIX_BY_TAG: dict[int, Literal["bt601", "bt709", "bt2020"]] = {
    1: "bt709",
    4: "bt601",
    5: "bt601",
    6: "bt601",
    7: "bt709",  # SMPTE 240M: its coefficients are within 0.002 of these
    9: "bt2020",
    10: "bt2020",
}


def resolve_color(native: VideoFrame, pixel_format: PixelFormat, *, is_still: bool, codec: str) -> Color:
    """How a decoded picture's samples mean colour: by its tags, or guessed as players do where it has none.

    Args:
        pixel_format: the planar one of its frames.
        codec: FFmpeg's name; photographs (JPEG, WebP) are BT.601 whatever their size.
    """
    tag_matrix = int(native.colorspace)
    is_photo = is_still and codec in ("mjpeg", "webp")
    is_large = native.height >= 720 or native.width >= 1280
    if pixel_format.family == "rgb":
        matrix: Literal["bt601", "bt709", "bt2020", "rgb"] = "rgb"
    else:
        guess: Literal["bt601", "bt709"] = "bt709" if is_large and not is_photo else "bt601"
        matrix = _MATRIX_BY_TAG.get(tag_matrix, guess)
    tag_range = int(native.color_range)
    untagged_full = native.format.name.startswith("yuvj") or (pixel_format.family == "gray" and is_still)
    full_range = tag_range == RANGE_FULL or pixel_format.family == "rgb" or (tag_range == 0 and untagged_full)
    return Color(matrix, full_range, tag_range, tag_matrix, int(native.color_primaries), int(native.color_trc))


def film_color(color: Color, source: PixelFormat, target: PixelFormat) -> Color:
    """Of a film in `target`: the source's where its family stays, otherwise what the conversion makes of it."""
    if target.family == "rgb":
        return replace(color, matrix="rgb", full_range=True, tag_range=RANGE_FULL, tag_matrix=0)
    if source.family == "rgb":
        return replace(color, matrix="bt709", full_range=False, tag_range=RANGE_LIMITED, tag_matrix=1)
    if color.full_range and color.tag_range == 0:
        return replace(color, tag_range=RANGE_FULL)  # known from the format (yuvj) only, which is not written
    return color


def picture_color(color: Color, source: PixelFormat, target: PixelFormat) -> Color:
    """Of a picture in `target`, which is RGB or gray: always full range."""
    matrix: Literal["bt601", "bt709", "bt2020", "rgb"] = color.matrix if target.family == "gray" else "rgb"
    return replace(film_color(color, source, target), matrix=matrix, full_range=True, tag_range=RANGE_FULL)
