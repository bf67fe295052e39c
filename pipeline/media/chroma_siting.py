"""Where the chroma samples of 4:2:0 film lie between the luma samples: read from the source, told to the encoder.

PyAV does not hand it out, so the sequence parameter set is read here: ITU-T H.264 7.3.2.1.1 and E.1.1, H.265
7.3.2.2 and E.2.1. (FFmpeg would print it, but a log that Python listens to can stop for good with the threads of a
decoder.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from av.packet import Packet
from av.video.stream import VideoStream

SITINGS = ("left", "center", "topleft", "top", "bottomleft", "bottom")
"""By chroma_sample_loc_type_top_field, in FFmpeg's words."""

_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_OWN_ASPECT = 255


def siting_of(stream: VideoStream, first: Packet[VideoStream] | None) -> str:
    """The siting that a stream's headers state; empty if they state none, or it is of another kind.

    Args:
        first: its first packet, for streams whose headers come with the pictures.
    """
    codec = stream.codec_context.name
    read = {"h264": _h264_siting, "hevc": _hevc_siting}.get(codec)
    if read is None:
        return ""
    headers = stream.codec_context.extradata or (bytes(first) if first is not None else b"")
    for unit in _units(headers, codec):
        try:
            found = read(_Bits(unit))
        except IndexError:  # cut off, or of a kind that is not known
            continue
        return SITINGS[found] if found is not None and found < len(SITINGS) else ""
    return ""


def _units(headers: bytes, codec: str) -> Iterator[bytes]:
    """The sequence parameter sets among the headers, without their own headers and escapes."""
    wanted, skip = (7, 1) if codec == "h264" else (33, 2)
    if headers[:1] == b"\x01":  # avcC, hvcC
        found = _in_configuration(headers, codec)
    else:
        found = iter(re.split(rb"\x00\x00\x01", headers)[1:])
    for unit in found:
        kind = unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63
        if len(unit) > skip and kind == wanted:
            yield unit[skip:].replace(b"\x00\x00\x03", b"\x00\x00")


def _in_configuration(data: bytes, codec: str) -> Iterator[bytes]:
    at, groups = (6, 1) if codec == "h264" else (23, data[22] if len(data) > 22 else 0)
    for _ in range(groups):
        if codec == "h264":
            count = data[5] & 31
        else:
            count, at = int.from_bytes(data[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            size = int.from_bytes(data[at : at + 2], "big")
            if size:
                yield data[at + 2 : at + 2 + size]
            at += 2 + size


class _Bits:
    """Bits from the front; IndexError behind the end."""

    def __init__(self, data: bytes) -> None:
        self._bits, self._count, self._at = int.from_bytes(data, "big"), 8 * len(data), 0

    def u(self, bits: int) -> int:
        """An unsigned number of so many bits."""
        self._at += bits
        if self._at > self._count:
            raise IndexError
        return self._bits >> (self._count - self._at) & ((1 << bits) - 1)

    def ue(self) -> int:
        """An Exp-Golomb code (9.1)."""
        zeros = 0
        while not self.u(1):
            zeros += 1
        return (1 << zeros) - 1 + self.u(zeros)


def _h264_siting(bits: _Bits) -> int | None:
    profile = bits.u(8)
    bits.u(16)
    bits.ue()
    if profile in _HIGH_PROFILES:
        chroma = bits.ue()
        if chroma == 3:
            bits.u(1)
        bits.ue(), bits.ue(), bits.u(1)
        if bits.u(1):
            _skip_h264_scaling(bits, 12 if chroma == 3 else 8)
    bits.ue()
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.u(1), bits.ue(), bits.ue()
        for _ in range(bits.ue()):
            bits.ue()
    bits.ue(), bits.u(1), bits.ue(), bits.ue()
    if not bits.u(1):  # frame_mbs_only_flag
        bits.u(1)
    bits.u(1)
    if bits.u(1):
        [bits.ue() for _ in range(4)]
    return _vui_siting(bits) if bits.u(1) else None


def _skip_h264_scaling(bits: _Bits, lists: int) -> None:
    for i in range(lists):
        if bits.u(1):
            last = following = 8
            for _ in range(16 if i < 6 else 64):
                if following:
                    code = bits.ue()
                    following = (last + (code + 1 >> 1 if code & 1 else -(code >> 1)) + 256) % 256
                last = following or last


def _hevc_siting(bits: _Bits) -> int | None:
    bits.u(4)
    layers = bits.u(3)
    bits.u(1)
    _skip_tiers(bits, layers)
    bits.ue()
    if bits.ue() == 3:
        bits.u(1)
    bits.ue(), bits.ue()
    if bits.u(1):
        [bits.ue() for _ in range(4)]
    bits.ue(), bits.ue()
    poc_bits = bits.ue() + 4
    for _ in range(layers + 1 if bits.u(1) else 1):
        [bits.ue() for _ in range(3)]
    [bits.ue() for _ in range(6)]
    if bits.u(1) and bits.u(1):
        _skip_hevc_scaling(bits)
    bits.u(2)
    if bits.u(1):
        bits.u(8), bits.ue(), bits.ue(), bits.u(1)
    _skip_reference_sets(bits)
    if bits.u(1):
        for _ in range(bits.ue()):
            bits.u(poc_bits + 1)
    bits.u(2)
    return _vui_siting(bits) if bits.u(1) else None


def _skip_tiers(bits: _Bits, layers: int) -> None:
    bits.u(96)
    present = [(bits.u(1), bits.u(1)) for _ in range(layers)]
    if layers:
        bits.u(2 * (8 - layers))
    for has_profile, has_level in present:
        bits.u(88 * has_profile + 8 * has_level)


def _skip_hevc_scaling(bits: _Bits) -> None:
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            if not bits.u(1):
                bits.ue()
                continue
            if size > 1:
                bits.ue()
            [bits.ue() for _ in range(min(64, 1 << 4 + 2 * size))]


def _skip_reference_sets(bits: _Bits) -> None:
    deltas = 0
    for i in range(bits.ue()):
        if i and bits.u(1):
            bits.u(1), bits.ue()
            kept = [bits.u(1) or bits.u(1) for _ in range(deltas + 1)]
            deltas = sum(kept)
        else:
            deltas = bits.ue() + bits.ue()
            for _ in range(deltas):
                bits.ue(), bits.u(1)


def _vui_siting(bits: _Bits) -> int | None:
    """Of the fields that both have in common."""
    if bits.u(1) and bits.u(8) == _OWN_ASPECT:
        bits.u(32)
    if bits.u(1):
        bits.u(1)
    if bits.u(1):
        bits.u(4)
        if bits.u(1):
            bits.u(24)
    return bits.ue() if bits.u(1) else None
