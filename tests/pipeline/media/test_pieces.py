"""Long films in pieces: kept whole or not at all, joined to what one run makes, and gone on from."""

from __future__ import annotations

import itertools
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from retarget.pipeline.errors import VideoWriteError
from retarget.pipeline.media import video
from retarget.pipeline.media.pieces import (
    LEAST_FRAMES,
    About,
    Piece,
    Pieces,
    PieceWriter,
    StoredPacket,
    drop_pieces,
    kept_pieces,
)
from retarget.pipeline.media.video import EncodeOptions, create_video, open_video
from retarget.pipeline.records import Frame

TICK = Fraction(1, 600)
COUNT = 43
"""Two pieces of 16, one of 11."""

# Files


def keep(folder: Path, number: int, *, first: int, belongs_to: str = "a", count: int = 3) -> Path:
    writer = PieceWriter(folder, number)
    for i in range(count):
        writer.add(StoredPacket(first + i, first + i - 2, 1, i == 0, bytes([number, i]) * (i + 1)))
    writer.finish(About(belongs_to=belongs_to, first_frame=first, frames=count, changed_frames=1))
    return folder / f"{number:05d}.piece"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_piece_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    keep(tmp_path / "new" / "folder", 0, first=0)
    (piece,) = kept_pieces(tmp_path / "new" / "folder", "a")
    assert piece.about == About(belongs_to="a", first_frame=0, frames=3, changed_frames=1)
    assert list(piece.packets()) == [
        StoredPacket(0, -2, 1, True, b"\0\0"),
        StoredPacket(1, -1, 1, False, b"\0\1\0\1"),
        StoredPacket(2, 0, 1, False, b"\0\2\0\2\0\2"),
    ]
    assert piece.shown_pts() == [0, 1, 2]


def test_pieces_count_from_the_first_without_a_gap(tmp_path: Path) -> None:
    for number in (0, 1, 3):
        keep(tmp_path, number, first=3 * number)
    assert [piece.about.first_frame for piece in kept_pieces(tmp_path, "a")] == [0, 3]
    assert names(tmp_path) == ["00000.piece", "00001.piece"]


def test_pieces_of_something_else_go(tmp_path: Path) -> None:
    keep(tmp_path, 0, first=0)
    assert kept_pieces(tmp_path, "b") == []
    assert names(tmp_path) == []


def test_pieces_that_do_not_follow_on_go(tmp_path: Path) -> None:
    keep(tmp_path, 0, first=0)
    keep(tmp_path, 1, first=4)
    assert len(kept_pieces(tmp_path, "a")) == 1
    assert names(tmp_path) == ["00000.piece"]


@pytest.mark.parametrize("harm", ["a byte", "cut off", "empty", "no zip", "a packet too few"])
def test_a_piece_that_is_not_whole_is_none(tmp_path: Path, harm: str) -> None:
    keep(tmp_path, 0, first=0)
    path = keep(tmp_path, 1, first=3)
    data = path.read_bytes()
    if harm == "a packet too few":
        with zipfile.ZipFile(path) as file, zipfile.ZipFile(tmp_path / "other", "w") as other:
            for name in file.namelist():
                text = file.read(name)
                other.writestr(name, text.replace(b'"frames": 3', b'"frames": 4'))
        (tmp_path / "other").replace(path)
    else:
        at = data.index(b"\1\1\1\1")
        harmed = {"a byte": data[:at] + b"\2" + data[at + 1 :], "cut off": data[:-9], "empty": b""}
        path.write_bytes(harmed.get(harm, b"x" * 200))
    assert len(kept_pieces(tmp_path, "a")) == 1
    assert names(tmp_path) == ["00000.piece"]


def test_a_piece_in_work_is_none(tmp_path: Path) -> None:
    writer = PieceWriter(tmp_path, 0)
    writer.add(StoredPacket(0, 0, 1, True, b"x"))
    assert kept_pieces(tmp_path / "nowhere", "a") == []
    assert names(tmp_path) == [".00000.piece.part"]
    writer.abandon()
    assert names(tmp_path) == []
    writer.abandon()
    drop_pieces(tmp_path)
    drop_pieces(tmp_path)
    assert not tmp_path.exists()


def test_how_many_frames_a_piece_has() -> None:
    pieces = Pieces(folder=Path("x"), belongs_to="a", seconds=60)
    assert pieces.frames_at(Fraction(24000, 1001)) == 1439
    assert replace(pieces, seconds=0.1).frames_at(Fraction(24)) == LEAST_FRAMES


# Films


def picture(index: int, name: str) -> av.VideoFrame:
    """Smooth, with a square that moves and a cut at frame 20: B-frames, and a key frame of the encoder's own."""
    luma = np.tile(np.linspace(40, 120, 64), (48, 1)) + (60 if index >= 20 else 0)
    luma[8:24, index % 40 : index % 40 + 16] = 220
    color = np.repeat(luma[..., None], 3, 2).astype(np.uint8)
    return av.VideoFrame.from_ndarray(color, "rgb24").reformat(format=name)


def varying_times() -> list[int]:
    """Start at 0.5 s; 24 a second, slower by and by, and in sudden steps around the first joint."""
    steps = [25 if i < 14 else 3 if i == 14 else 200 if i in (16, 17, 18) else 25 + i for i in range(COUNT)]
    return [300 + time for time in itertools.accumulate([0, *steps[:-1]])]


@pytest.fixture(scope="module")
def make_film(tmp_path_factory: Any) -> Callable[..., Path]:
    """`make_film(count, name, times)`: lossless, with sound, a timecode and a title."""

    def make(count: int = COUNT, name: str = "yuv420p", times: list[int] | None = None) -> Path:
        path = Path(tmp_path_factory.mktemp("film") / "film.mov")
        with av.open(
            str(path), "w", container_options={"video_track_timescale": "600", "movie_timescale": "600"}
        ) as out:
            stream = out.add_stream("libx264", rate=24, options={"crf": "0", "preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, name
            stream.codec_context.time_base = stream.time_base = TICK
            sound = out.add_stream("aac", rate=48000)
            out.metadata["title"] = "plate"
            stream.metadata["timecode"] = "01:00:00:00"
            for i, time in enumerate((times or varying_times())[:count]):
                frame = picture(i, name)
                frame.pts, frame.time_base = time, TICK
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
            wave = np.sin(np.arange(48000 * 3) / 20).astype(np.float32)
            for start in range(0, len(wave), 1024):
                samples = av.AudioFrame.from_ndarray(np.stack([wave[start : start + 1024]] * 2), "fltp", "stereo")
                samples.sample_rate, samples.pts, samples.time_base = 48000, start, Fraction(1, 48000)
                out.mux(sound.encode(samples))
            out.mux(sound.encode(None))
        return path

    return make


@pytest.fixture(scope="module")
def film(make_film: Callable[..., Path]) -> Path:
    return make_film()


@pytest.fixture(scope="module")
def even_film(make_film: Callable[..., Path]) -> Path:
    """At a constant rate: x264 itself is not always the same to the bit where times vary."""
    return make_film(times=[300 + 25 * i for i in range(COUNT)])


def pieces_in(folder: Path, belongs_to: str = "a") -> Pieces:
    return Pieces(folder=folder, belongs_to=belongs_to, seconds=16 / 24)


class Killed(BaseException):
    """What no `except Exception` sees."""


def write(
    source: Path,
    target: Path,
    options: EncodeOptions,
    pieces: Pieces | None,
    *,
    kill_at: int | None = None,
    change: Callable[[Frame], Frame] = lambda frame: frame,
    only: slice = slice(None),
) -> tuple[int, int]:
    """Copies the film; returns how many frames were kept, and how many of them had been changed."""
    with open_video(source) as reader:
        writer = create_video(target, like=reader, options=options, overwrite=True)
        if pieces is not None:
            writer.use_pieces(pieces)
        with writer:
            for frame in itertools.islice(reader, only.start, only.stop):
                if frame.index == kill_at:
                    raise Killed
                writer.write(frame if frame.index < writer.kept_frames else change(frame))
    return writer.kept_frames, writer.kept_changes


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
def test_going_on_gives_the_same_to_the_bit(
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


def darkened(frame: Frame) -> Frame:
    return replace(frame, planes=(frame.planes[0] // 2, *frame.planes[1:]))


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


def test_other_encoders_and_pictures_are_made_as_ever(film: Path, tmp_path: Path) -> None:
    options, pieces = EncodeOptions(codec="mpeg4"), pieces_in(tmp_path / "pieces")
    write(film, tmp_path / "out.mp4", options, pieces)
    write(film, tmp_path / "single.mp4", options, None)
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "single.mp4").read_bytes()
    assert not pieces.folder.exists()


def test_pictures_of_a_sequence_are_not_made_again(film: Path, tmp_path: Path) -> None:
    out, folder = tmp_path / "out.%04d.png", tmp_path / "pieces"
    write(film, tmp_path / "whole.%04d.png", EncodeOptions(), None, change=darkened)
    for kill_at, left in ((10, 0), (17, 17), (39, 39)):
        with pytest.raises(Killed):
            write(film, out, EncodeOptions(), pieces_in(folder), kill_at=kill_at, change=darkened)
        assert not list(tmp_path.glob("out.*.png"))
        assert len(list(tmp_path.glob(".out.part/*.png"))) == left
    assert write(film, out, EncodeOptions(), pieces_in(folder), change=darkened) == (32, 32)
    made, whole = (sorted(tmp_path.glob(f"{name}.*.png")) for name in ("out", "whole"))
    assert [path.read_bytes() for path in made] == [path.read_bytes() for path in whole]
    assert len(made) == COUNT
    assert not (tmp_path / ".out.part").exists()


@pytest.mark.parametrize("harm", ["another", "length", "gone", "no note"])
def test_pictures_that_do_not_belong_are_made_again(film: Path, tmp_path: Path, harm: str) -> None:
    out, pieces = tmp_path / "out.%04d.png", pieces_in(tmp_path / "pieces")
    with pytest.raises(Killed):
        write(film, out, EncodeOptions(), pieces, kill_at=40)
    if harm == "another":
        pieces = replace(pieces, belongs_to="b")
    elif harm == "length":
        pieces = replace(pieces, seconds=3.0)
    elif harm == "gone":
        (tmp_path / ".out.part" / "out.0003.png").unlink()
    else:
        (tmp_path / "pieces" / "pictures.json").write_text("{")
    assert write(film, out, EncodeOptions(), pieces) == (0, 0)
    assert len(list(tmp_path.glob("out.*.png"))) == COUNT


def test_x264_makes_the_same_bytes_of_the_same_frames() -> None:
    """Whatever was in the memory before. With AVX-512 it does not, most often without a pyramid of B-frames."""
    settings = video._encoder_settings(Path("out.mp4"), "libx264", EncodeOptions(threads=1))
    settings["x264-params"] = ":".join([*settings.get("x264-params", "").split(), "b-pyramid=none"])
    random, made = np.random.default_rng(0), set()
    for _ in range(24):
        litter = [random.integers(0, 256, size, np.uint8) for size in random.integers(100, 200_000, 300)]
        del litter
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = 64, 48, "yuv420p"
        context.time_base, context.framerate, context.bit_rate = TICK, Fraction(24), 0
        context.options = dict(settings)
        packets = []
        for i in range(16):
            frame = picture(i, "yuv420p")
            frame.pts, frame.time_base = 25 * i, TICK
            packets += context.encode(frame)
        made.add(b"".join(map(bytes, packets + context.encode(None))))
    assert len(made) == 1


# What must not be


def check_failure(film: Path, tmp_path: Path, words: str) -> None:
    with pytest.raises(VideoWriteError, match=re.escape(words)) as failure:
        write(film, tmp_path / "out.mp4", EncodeOptions(), pieces_in(tmp_path / "pieces"))
    assert str(failure.value).startswith(str(tmp_path / "out.mp4"))
    assert failure.value.exit_code == 1
    assert not list(tmp_path.glob("*out*"))
    assert not list(tmp_path.glob("pieces/.*"))


def test_headers_that_differ_are_refused(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = video._FilmSink._new_stream

    def another(sink: Any) -> Any:
        stream = make(sink)
        stream.codec_context.options = {**stream.codec_context.options, "profile": "baseline"}
        return stream

    monkeypatch.setattr(video._FilmSink, "_new_stream", another)
    check_failure(film, tmp_path, "the encoder's header changes from piece to piece; use --chunk-seconds 0")


def test_times_that_do_not_meet_are_refused(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "StoredPacket", lambda pts, dts, *rest: StoredPacket(pts, dts + 40, *rest))
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
    flushed = video._flushed
    monkeypatch.setattr(video, "_flushed", lambda stream, *, is_first: flushed(stream, is_first=is_first)[:-1])
    check_failure(film, tmp_path, "libx264 made 15 pictures of 16; use another codec")
