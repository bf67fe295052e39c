"""What hangs on a decoded picture besides its pixels."""

from __future__ import annotations

from typing import Any

from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame

_UNTOUCHABLE = ("png", "apng")
"""Decoders whose side data has a dictionary of its own (the name of the colour profile): PyAV 18 frees that a
second
time with the object it hands out, and the process dies in some later garbage collection."""


def side_data_of(native: VideoFrame, codec: str) -> dict[SideDataType, bytes]:
    """By kind, as FFmpeg lays it out in memory; empty where it may not be looked at.

    Args:
        codec: FFmpeg's name of the decoder that the picture comes from.
    """
    if codec in _UNTOUCHABLE:
        return {}
    try:
        hanging: list[Any] = list(native.side_data)
        return {data.type: bytes(data) for data in hanging}
    except ValueError:  # PyAV stumbles over kinds of side data it has no name for
        return {}
