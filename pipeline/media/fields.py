"""Interlaced film: each picture taken apart into its two fields, and put together again.

A field is every other line, taken half a frame's time after the other. Nothing may be mixed between the two: so
each
is handed out as a picture of its own, at its own time, and what is written are the lines of both in their places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame

from ..records import FieldOrder, Frame, Plane, VideoInfo
from .planes import is_untouched, plane_views

_ORDERS: dict[int, FieldOrder] = {1: "progressive", 2: "tt", 3: "bb", 4: "tb", 5: "bt"}
"""By AVFieldOrder."""


def field_order_of(native: VideoFrame, stated: int) -> FieldOrder:
    """How a film with that first picture is made.

    Args:
        native: the picture; which field is first is asked of it before the container, which often does not know.
        stated: AVFieldOrder of the stream; 0 if unknown.
    """
    order = _ORDERS.get(stated, "progressive")
    if native.height % 2:
        return "progressive"
    if not native.interlaced_frame:
        return order  # uncompressed film says it in the container alone
    is_top = _is_top_first(native)
    if order == "progressive" or is_top_first(order) != is_top:
        return "tt" if is_top else "bb"
    return order


def is_top_first(order: FieldOrder) -> bool:
    """Whether the lines 0, 2, 4 ... are the earlier ones."""
    return order in ("tt", "tb")


def code_of(order: FieldOrder) -> int:
    """As AVFieldOrder."""
    return next(code for code, name in _ORDERS.items() if name == order)


def _is_top_first(native: VideoFrame) -> bool:
    """What PyAV does not tell of a picture, FFmpeg's filter does."""
    graph = Graph()
    base = native.time_base or Fraction(1, 1000)
    source = graph.add_buffer(width=native.width, height=native.height, format=native.format, time_base=base)
    chosen = graph.add("select", "eq(interlace_type,TOPFIRST)+0")
    graph.link_nodes(source, chosen, graph.add("buffersink")).configure()
    graph.push(native)
    try:
        graph.pull()
    except (BlockingIOError, EOFError):
        return False
    return True


def fields_of(frame: Frame, info: VideoInfo) -> Iterator[Frame]:
    """A frame's two fields in order of time, as views of its planes; their times count half units.

    Args:
        info: of the film, in fields.
    """
    step = frame.duration or max(1, round(1 / (info.frame_rate * frame.time_base)))
    first = 0 if is_top_first(info.field_order) else 1
    for i, parity in enumerate((first, 1 - first)):
        yield replace(
            frame,
            index=2 * frame.index + i,
            pts=2 * frame.pts + i * step,
            time_base=frame.time_base / 2,
            planes=tuple(plane[parity::2] for plane in frame.planes),
            duration=step,
            parity=parity,
        )


def woven(first: Frame, second: Frame, info: VideoInfo) -> Frame:
    """The frame of two fields that follow each other, as `fields_of` took it apart; untouched if both are.

    Args:
        info: of the film, in frames.
    """
    return replace(
        first,
        index=first.index // 2,
        pts=first.pts // 2,
        time_base=first.time_base * 2,
        planes=_together(first, second, info),
        duration=first.duration,
        parity=None,
    )


def _together(first: Frame, second: Frame, info: VideoInfo) -> tuple[Plane, ...]:
    native = first.native
    if native is not None and native is second.native and is_untouched(first) and is_untouched(second):
        return _read_only(plane_views(native, first.pixel_format))
    parity = 0 if is_top_first(info.field_order) else 1
    planes = []
    for i, (one, other) in enumerate(zip(first.planes, second.planes, strict=True)):
        width, height = first.pixel_format.plane_size(i, info.width, info.height)
        plane = np.empty((height, width), one.dtype)
        plane[parity::2], plane[1 - parity :: 2] = one, other
        planes.append(plane)
    return tuple(planes)


def _read_only(planes: tuple[Plane, ...]) -> tuple[Plane, ...]:
    for plane in planes:
        plane.flags.writeable = False
    return planes
