"""Long films in pieces: joined to what one run makes, and resumed to the same bits."""

from __future__ import annotations

import itertools
import re
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from retarget.pipeline.errors import VideoWriteError
from retarget.pipeline.media import film_pieces
from retarget.pipeline.media.film import OpenFilm
from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.pieces import Piece, StoredPacket
from retarget.pipeline.media.reader import open_video
from retarget.pipeline.media.writer import create_video

from .conftest import (
    COUNT,
    Killed,
    darkened,
    pieces_in,
    varying_times,
    write,
)


def pictures_of(path: Path) -> list[list[Any]]:
    with open_video(path) as reader:
        return [[plane.copy() for plane in frame.planes] for frame in reader]


def assert_same(some: list[list[Any]], others: list[list[Any]]) -> None:
    for one, other in zip(some, others, strict=True):
        for plane, wanted in zip(one, other, strict=True):
            np.testing.assert_array_equal(plane, wanted)


def demuxed(path: Path, kind: str) -> list[Any]:
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [
            (bytes(p), p.pts * p.time_base, None if p.dts is None else p.dts * p.time_base, p.is_keyframe)
            for p in container.demux(stream)
            if p.size
        ]


FORMS = [
    (".mp4", EncodeOptions(codec="h264")),
    (".mov", EncodeOptions(codec="h264")),
    (".mkv", EncodeOptions(codec="h264")),
    (".mp4", EncodeOptions(codec="hevc", preset="veryfast")),
    (".mkv", EncodeOptions(codec="hevc", preset="veryfast")),
    (".mov", EncodeOptions(codec="prores")),
    (".mkv", EncodeOptions(codec="prores")),
    (".mkv", EncodeOptions(codec="ffv1")),
]


@pytest.mark.parametrize(("suffix", "options"), FORMS, ids=[f"{o.codec}{s}" for s, o in FORMS])
def test_a_film_in_pieces(film: Path, tmp_path: Path, suffix: str, options: EncodeOptions) -> None:
    out, single = tmp_path / f"out{suffix}", tmp_path / f"single{suffix}"
    assert write(film, out, options, pieces_in(tmp_path / "pieces")) == (0, 0)
    write(film, single, options, None)
    tolerance = Fraction(1, 1000) if suffix == ".mkv" else 0
    with open_video(film) as source, open_video(out) as made:
        times = [frame.pts * frame.time_base for frame in source]
        got = [frame.pts * frame.time_base for frame in made]
        assert made.decode_failures == 0
    assert len(got) == COUNT
    if suffix == ".mkv":  # which cannot begin before 0, where this sound does: all is later by that
        assert got == [pts for _, pts, _, _ in sorted(demuxed(single, "video"), key=lambda packet: packet[1])]
        times = [time + got[0] - times[0] for time in times]
    assert all(abs(a - b) <= tolerance for a, b in zip(got, times, strict=True)), "every pts is the source's"
    packets = demuxed(out, "video")
    decode_times = [(dts, pts) for _, pts, dts, _ in packets if dts is not None]  # not told of the first, in .mkv
    assert len(decode_times) >= COUNT - 2
    assert all(a < b for (a, _), (b, _) in itertools.pairwise(decode_times))
    assert all(dts <= pts for dts, pts in decode_times)
    assert [packets[i][3] for i in (0, 16, 32)] == [True] * 3
    for start, stop in ((0, 16), (16, 32), (32, None)):  # each as if it were a film of its own
        alone = tmp_path / f"alone{suffix}"
        write(film, alone, options, None, only=slice(start, stop))
        assert_same(pictures_of(out)[start:stop], pictures_of(alone))
    assert demuxed(out, "audio") == demuxed(single, "audio")
    with av.open(str(out)) as joined, av.open(str(single)) as whole:
        assert [(s.type, s.metadata) for s in joined.streams] == [(s.type, s.metadata) for s in whole.streams]
        assert joined.metadata == whole.metadata
        assert joined.streams.video[0].codec_context.extradata == whole.streams.video[0].codec_context.extradata


@pytest.mark.parametrize(("suffix", "options"), FORMS[2:5], ids=["h264.mkv", "hevc.mp4", "hevc.mkv"])
def test_a_joined_film_plays_from_a_seek_into_each_piece(
    film: Path, tmp_path: Path, suffix: str, options: EncodeOptions
) -> None:
    out = tmp_path / f"out{suffix}"
    write(film, out, options, pieces_in(tmp_path / "pieces"))
    pictures = pictures_of(out)
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        times = [frame.pts for frame in container.decode(stream)]
        for index in (3, 16, 24, 32, 40):
            container.seek(times[index], stream=stream)
            played = {frame.pts: frame.to_ndarray() for frame in container.decode(stream)}
            assert set(times[index:]) <= set(played)
            for i in range(index, COUNT):
                np.testing.assert_array_equal(played[times[i]][:48, :64], pictures[i][0])


@pytest.mark.parametrize(("suffix", "options"), FORMS[:1] + FORMS[3:], ids=lambda value: str(value)[-30:])
def test_a_resumed_film_is_the_same_to_the_bit(
    even_film: Path, tmp_path: Path, suffix: str, options: EncodeOptions
) -> None:
    undisturbed, out, folder = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}", tmp_path / "pieces"
    write(even_film, undisturbed, options, pieces_in(tmp_path / "other"), change=darkened)
    for kill_at, made in ((10, 0), (17, 1), (39, 2), (42, 2)):
        with pytest.raises(Killed):
            write(even_film, out, options, pieces_in(folder), kill_at=kill_at, change=darkened)
        assert not out.exists()
        assert len(kept_names(folder)) == made
    assert write(even_film, out, options, pieces_in(folder), change=darkened) == (32, 32)
    assert out.read_bytes() == undisturbed.read_bytes()
    assert write(even_film, out, options, pieces_in(folder), change=darkened) == (43, 43), "the last one too"
    assert out.read_bytes() == undisturbed.read_bytes()


def kept_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_frames_that_were_kept_are_not_looked_at(even_film: Path, tmp_path: Path) -> None:
    """Nothing but the times of a kept frame matters: the first 32 are given in the wrong colours."""
    options, folder = EncodeOptions(), tmp_path / "pieces"
    with pytest.raises(Killed):
        write(even_film, tmp_path / "out.mp4", options, pieces_in(folder), kill_at=33)
    with open_video(even_film) as reader:
        writer = create_video(tmp_path / "out.mp4", like=reader, options=options)
        writer.use_pieces(pieces_in(folder))
        with writer:
            for frame in reader:
                writer.write(darkened(frame) if frame.index < 32 else frame)
    assert (writer.kept_frames, writer.kept_changes, writer.piece_frames) == (32, 0, 16)
    write(even_film, tmp_path / "whole.mp4", options, pieces_in(tmp_path / "other"))
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.parametrize(
    "other",
    [
        {"pieces": {"belongs_to": "b"}},
        {"pieces": {"seconds": 3.0}},
        {"options": EncodeOptions(crf=30)},
        {"options": EncodeOptions(threads=2)},
    ],
    ids=str,
)
def test_pieces_of_another_making_are_not_used(film: Path, tmp_path: Path, other: dict[str, Any]) -> None:
    folder = tmp_path / "pieces"
    write(film, tmp_path / "out.mp4", EncodeOptions(), pieces_in(folder))
    pieces = replace(pieces_in(folder), **other.get("pieces", {}))
    assert write(film, tmp_path / "out.mp4", other.get("options", EncodeOptions()), pieces) == (0, 0)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("count", [17, 18, 32])
def test_a_last_piece_of_any_length(make_film: Any, tmp_path: Path, codec: str, count: int) -> None:
    source, out = make_film(count), tmp_path / "out.mp4"
    write(source, out, EncodeOptions(codec=codec, preset="veryfast"), pieces_in(tmp_path / "pieces"))
    with open_video(out) as made:
        assert [frame.pts for frame in made] == varying_times()[:count]
    assert len(kept_names(tmp_path / "pieces")) == 1 + (count > 16)


def test_ten_bits_and_alpha_colours_in_pieces(make_film: Any, tmp_path: Path) -> None:
    source = make_film(20, "yuv422p10le")
    write(source, tmp_path / "out.mkv", EncodeOptions(codec="ffv1"), pieces_in(tmp_path / "pieces"))
    assert_same(pictures_of(tmp_path / "out.mkv"), pictures_of(source))


def test_other_encoders_make_no_pieces(film: Path, tmp_path: Path) -> None:
    options, pieces = EncodeOptions(codec="mpeg4"), pieces_in(tmp_path / "pieces")
    write(film, tmp_path / "out.mp4", options, pieces)
    write(film, tmp_path / "single.mp4", options, None)
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "single.mp4").read_bytes()
    assert not pieces.folder.exists()


def check_failure(film: Path, tmp_path: Path, words: str) -> None:
    with pytest.raises(VideoWriteError, match=re.escape(words)) as failure:
        write(film, tmp_path / "out.mp4", EncodeOptions(), pieces_in(tmp_path / "pieces"))
    assert str(failure.value).startswith(str(tmp_path / "out.mp4"))
    assert failure.value.exit_code == 1
    assert not list(tmp_path.glob("*out*"))
    assert not list(tmp_path.glob("pieces/.*"))


def test_headers_that_differ_are_refused(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = OpenFilm._new_stream

    def another(sink: Any) -> Any:
        stream = make(sink)
        stream.codec_context.options = {**stream.codec_context.options, "profile": "baseline"}
        return stream

    monkeypatch.setattr(OpenFilm, "_new_stream", another)
    check_failure(film, tmp_path, "the encoder's header changes from piece to piece; use --chunk-seconds 0")


def test_times_that_do_not_meet_are_refused(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film_pieces, "StoredPacket", lambda pts, dts, *rest: StoredPacket(pts, dts + 40, *rest))
    check_failure(film, tmp_path, "the pieces do not fit together in time; use --chunk-seconds 0")


def test_a_kept_piece_with_other_times_is_refused(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(film, tmp_path / "first.mp4", EncodeOptions(), pieces_in(tmp_path / "pieces"))
    monkeypatch.setattr(Piece, "shown_pts", lambda _: [0] * 16)
    check_failure(film, tmp_path, "a piece that was kept has other times than the source; run again")


def test_a_kept_piece_that_breaks_later_is_refused(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(film, tmp_path / "first.mp4", EncodeOptions(), pieces_in(tmp_path / "pieces"))

    def broken(piece: Piece) -> Any:
        raise zipfile.BadZipFile("bad")
        yield

    monkeypatch.setattr(Piece, "packets", broken)
    check_failure(film, tmp_path, "a piece that was kept is broken; run again")


def test_an_encoder_that_loses_a_picture_is_refused(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = film_pieces.flushed
    monkeypatch.setattr(
        film_pieces, "flushed", lambda stream, *, is_first: flushed(stream, is_first=is_first)[:-1]
    )
    check_failure(film, tmp_path, "libx264 made 15 pictures of 16; use another codec")
