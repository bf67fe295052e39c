"""Alpha: which decoder gives it, and whether the colours are multiplied with it."""

from __future__ import annotations

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from ..records import PixelFormat, Plane

_DECODERS_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""WebM keeps alpha as a second stream inside each packet, which FFmpeg's own decoders leave out."""

_LEAST_PIXELS = 16
"""Transparent ones, and ones brighter than alpha lets through, that tell something."""
_TOLERANCE = 0.04
"""Of white: what compression may make of black."""


def is_marked(stream: VideoStream) -> bool:
    """Whether a film says that its packets hold alpha beside the picture."""
    said = {key.lower(): value for key, value in stream.metadata.items()}
    return said.get("alpha_mode") == "1"


def decoder_of(stream: VideoStream) -> VideoCodecContext:
    """The stream's own decoder, or the one that gives its alpha as well, if this FFmpeg has it."""
    own = stream.codec_context
    name = _DECODERS_WITH_ALPHA.get(own.name)
    if name is None or not is_marked(stream):
        return own
    try:
        context = av.CodecContext.create(name, "r")
    except UnknownCodecError:
        return own
    assert isinstance(context, VideoCodecContext)
    context.extradata = own.extradata
    return context


def looks_premultiplied(planes: tuple[Plane, ...], pixel_format: PixelFormat, *, full_range: bool) -> bool:
    """Whether a picture's colours are multiplied with its alpha: then none is brighter than alpha lets through.

    Files mostly do not say. A picture that shows no transparent pixels says nothing either: no.

    Args:
        planes: with alpha as the last.
        full_range: of the colours; alpha always is.
    """
    top = 2**pixel_format.depth_bits - 1
    black, span = (0, top) if full_range else (16 / 255 * top, 219 / 255 * top)
    alpha = planes[-1].astype(np.float32) / top
    bright = planes[0] if pixel_format.family != "rgb" else np.maximum.reduce(planes[:3])
    level = (bright.astype(np.float32) - black) / span
    through = (alpha > 0.02) & (alpha < 0.98)
    brighter = np.count_nonzero((level > alpha + _TOLERANCE) & (alpha < 0.98))
    return bool(np.count_nonzero(through) >= _LEAST_PIXELS and brighter < _LEAST_PIXELS)
