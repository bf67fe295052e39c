"""The packets that an encoder still holds when the last picture is in."""

from __future__ import annotations

from typing import Any

from av.packet import Packet
from av.video.stream import VideoStream


def flushed(stream: VideoStream, *, is_first: bool) -> list[Packet[Any]]:
    """The encoder's last packets, with decode times where it gives none; `is_first`: there were none before."""
    packets = stream.encode(None)
    if is_first and stream.codec_context.name == "libx265":
        _renew_dts(packets)
    return packets


def _renew_dts(packets: list[Packet[Any]]) -> None:
    """Decode times for a clip so short that all its packets come at once, in place.

    x265 leaves them uninitialised when the clip ends within its B-frame delay (one or two frames).
    """
    order = sorted(packet.pts for packet in packets if packet.pts is not None)
    early = max((due - (packet.pts or 0) for due, packet in zip(order, packets, strict=True)), default=0)
    for due, packet in zip(order, packets, strict=True):
        packet.dts = due - early
