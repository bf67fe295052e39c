"""Where the chroma samples of 4:2:0 film lie between the luma samples: read from the source, told to the encoder.

PyAV does not hand it out. FFmpeg's `trace_headers` filter writes every field of a stream's headers to the log, and
there it stands.
"""

from __future__ import annotations

import contextlib
import logging
import re

import av.logging
from av.bitstream import BitStreamFilterContext
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

SITINGS = ("left", "center", "topleft", "top", "bottomleft", "bottom")
"""By the number that H.264 and HEVC have for each (chroma_sample_loc_type), in FFmpeg's words."""

_TRACED = ("h264", "hevc")
_FIELD = re.compile(r"chroma_sample_loc_type_top_field\s.*=\s*(\d)")

logging.getLogger("libav").addHandler(logging.NullHandler())


def siting_of(stream: VideoStream, first: Packet[VideoStream] | None) -> str:
    """The siting that a stream's headers state; empty if they state none, or it is of another kind.

    Args:
        first: its first packet, for streams whose headers come with the pictures.
    """
    if stream.codec_context.name not in _TRACED:
        return ""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture() as lines, contextlib.suppress(FFmpegError, ValueError):
            traced = BitStreamFilterContext("trace_headers", stream)
            if first is not None and not stream.codec_context.extradata:
                traced.filter(first)
    finally:
        av.logging.set_level(before)
    found = (_FIELD.search(text) for _, _, text in lines)
    return next((SITINGS[int(match[1])] for match in found if match and int(match[1]) < len(SITINGS)), "")
