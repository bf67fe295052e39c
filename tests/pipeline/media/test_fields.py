"""Interlaced film: taken apart into fields at their own times, put together again, and written as such."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.codec.context import Flags
from av.filter import Graph

from retarget.pipeline.media.convert import proxy
from retarget.pipeline.media.fields import code_of, is_top_first, woven
from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.reader import open_video
from retarget.pipeline.media.writer import create_video

from .conftest import FFV1, copied, make_clip, rewrite

WIDTH, HEIGHT = 64, 48


def combed(width: int, height: int, index: int, name: str) -> av.VideoFrame:
    """A square that moves eight pixels a field: in a frame, its two sides are combs."""
    frame = av.VideoFrame(width, height, name)
    for i, plane in enumerate(frame.planes):
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        rows[:] = 60 + 20 * i
        if i == 0:
            for parity in (0, 1):
                x = (16 * index + 8 * parity) % (width - 16)
                rows[parity:32:2, x : x + 16] = 200
    return frame


def as_fields(frame: av.VideoFrame, order: str) -> av.VideoFrame:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
    )
    graph.link_nodes(source, graph.add("setfield", order), graph.add("buffersink")).configure()
    graph.push(frame)
    return graph.pull()


def interlaced(path: Path, order: str = "tff", *, codec: str = "ffv1", name: str = "yuv420p") -> Path:
    def setup(_: Any, stream: Any) -> None:
        stream.codec_context.flags |= Flags.interlaced_dct
        stream.codec_context.field_order = 2 if order == "tff" else 3

    def picture(width: int, height: int, index: int, name: str) -> av.VideoFrame:
        return as_fields(combed(width, height, index, name), order)

    return make_clip(
        path,
        codec=codec,
        name=name,
        count=4,
        time_base=Fraction(1, 25),
        rate=Fraction(25),
        picture=picture,
        setup=setup,
    )


@pytest.mark.parametrize(("order", "said", "first"), [("tff", "tt", 0), ("bff", "bb", 1)])
def test_each_field_is_a_picture_at_its_own_time(tmp_path: Path, order: str, said: str, first: int) -> None:
    video = open_video(interlaced(tmp_path / "a.mkv", order))
    info, pictures = video.info, list(video)
    assert (info.field_order, info.pictures_per_frame, info.height) == (said, 2, HEIGHT // 2)
    assert (info.frame_rate, info.picture_rate, info.frame_count_from_header) == (25, 50, 4)
    assert (info.display_width, info.display_height) == (WIDTH // 2, HEIGHT // 2)  # square pixels
    assert [p.index for p in pictures] == list(range(8))
    assert [round(p.seconds * 50) for p in pictures] == list(range(8))
    assert [p.parity for p in pictures[:2]] == [first, 1 - first]
    edges = [int(np.argmax(p.planes[0][2] > 150)) for p in pictures]
    assert edges == [(16 * (i // 2) + 8 * p.parity) % 48 for i, p in enumerate(pictures)]  # no comb is left
    assert proxy(pictures[0], info, 64).shape == (24, 32, 3)


def test_what_is_not_edited_is_handed_on_and_what_is_edited_changes_its_own_lines(tmp_path: Path) -> None:
    source = interlaced(tmp_path / "a.mkv")
    rewrite(source, tmp_path / "b.mkv", FFV1)
    with open_video(source) as video, create_video(tmp_path / "c.mkv", like=video, options=FFV1) as out:
        for picture in video:
            change = picture.index == 3  # the later field of the second frame
            out.write(picture.with_planes([plane // 2 for plane in picture.planes]) if change else picture)
    before, same, edited = ([copied(p) for p in open_video(tmp_path / n)] for n in ("a.mkv", "b.mkv", "c.mkv"))
    assert out.frames_written == 8
    for i, planes in enumerate(before):
        for k, plane in enumerate(planes):
            np.testing.assert_array_equal(same[i][k], plane)
            np.testing.assert_array_equal(edited[i][k], plane // 2 if i == 3 else plane)
    assert open_video(tmp_path / "c.mkv").info.field_order == "tt"


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize(
    ("name", "codec"),
    [("b.mp4", "h264"), ("b.mkv", "h264"), ("b.mov", "prores"), ("b.mkv", "ffv1"), ("b.mov", "v210")],
)
def test_encoders_that_keep_fields(tmp_path: Path, order: str, name: str, codec: str) -> None:
    source = interlaced(tmp_path / "a.mkv", order, name="yuv422p")
    notes = rewrite(source, tmp_path / name, EncodeOptions(codec))
    assert not [note for note in notes if "field" in note]
    assert open_video(tmp_path / name).info.field_order == ("tt" if order == "tff" else "bb")


def test_what_cannot_keep_fields_says_so_and_keeps_their_lines(tmp_path: Path) -> None:
    source = interlaced(tmp_path / "a.mkv")
    for name, codec in (("b.mp4", "hevc"), ("b.%04d.png", None)):
        notes = rewrite(source, tmp_path / name, EncodeOptions(codec))
        assert [note for note in notes if "field order tt is lost" in note], name
        info = open_video(tmp_path / name).info
        assert (info.field_order, info.height) == ("progressive", HEIGHT)
        again = open_video(tmp_path / name, field_order="tt")
        edges = [int(np.argmax(picture.planes[0][2] > 150)) for picture in again]
        assert edges == [(16 * (i // 2) + 8 * (i % 2)) % 48 for i in range(8)]


def test_film_in_whole_frames_stays_so(tmp_path: Path) -> None:
    info = open_video(make_clip(tmp_path / "a.mp4", count=2)).info
    assert (info.field_order, info.pictures_per_frame) == ("progressive", 1)
    assert info.in_fields().in_frames() == info


def test_trimming_keeps_fields_together(tmp_path: Path) -> None:
    source = interlaced(tmp_path / "a.mkv")
    pictures = list(open_video(source, trim_start=1 / 25, trim_end=3 / 25))
    assert [round(p.seconds * 50) for p in pictures] == [2, 3, 4, 5]


def test_orders() -> None:
    assert [is_top_first(order) for order in ("tt", "tb", "bb", "bt")] == [True, True, False, False]
    assert [code_of(order) for order in ("progressive", "tt", "bb", "tb", "bt")] == [1, 2, 3, 4, 5]


def test_weaving_made_pictures(tmp_path: Path) -> None:
    video = open_video(interlaced(tmp_path / "a.mkv"))
    first, second = list(video)[:2]
    made = woven(first.with_planes([p + 1 for p in first.planes]), second, video.info.in_frames())
    np.testing.assert_array_equal(made.planes[0][0::2], first.planes[0] + 1)
    np.testing.assert_array_equal(made.planes[0][1::2], second.planes[0])
    assert (made.index, made.pts, made.time_base) == (0, 0, video.info.time_base)
