"""An output is there when it is whole, where it may be, or not at all."""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from retarget.pipeline.errors import VideoReadError, VideoWriteError
from retarget.pipeline.files import part_of
from retarget.pipeline.media.formats import planar_format
from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.reader import VideoReader, open_video
from retarget.pipeline.media.writer import create_video
from retarget.pipeline.records import Color, Frame, VideoInfo

from .conftest import (
    FILM,
    make_clip,
    make_picture,
    noise_picture,
)


def test_encoder_refuses_its_options(clip: Path) -> None:
    impossible = EncodeOptions(profile="baseline", pixel_format="yuv444p")  # each by itself is known
    writer = create_video(clip.with_name("b.mp4"), like=open_video(clip), options=impossible)
    with (
        pytest.raises(VideoWriteError, match=r"cannot be started .*check the encoder's options") as caught,
        writer,
    ):
        pytest.fail("entered")
    assert caught.value.exit_code == 2
    assert sorted(p.name for p in clip.parent.iterdir()) == ["a.mp4"]


@pytest.mark.parametrize("link", ["same", "symlink", "hardlink", "dots"])
def test_destination_is_the_source(clip: Path, link: str) -> None:
    target = clip.with_name("b.mp4")
    if link == "symlink":
        target.symlink_to(clip)
    elif link == "hardlink":
        os.link(clip, target)
    else:
        target = clip if link == "same" else clip.parent / ".." / clip.parent.name / clip.name
    with pytest.raises(VideoWriteError, match="is the source itself; write to another name"):
        create_video(target, like=open_video(clip), options=EncodeOptions(), overwrite=True)


def test_sequence_onto_itself(tmp_path: Path) -> None:
    make_picture(tmp_path / "in.0001.png", "rgb24")
    with pytest.raises(VideoWriteError, match="is the source itself"):
        create_video(
            tmp_path / "in.####.png",
            like=open_video(tmp_path / "in.%04d.png"),
            options=EncodeOptions(),
            overwrite=True,
        )


def test_bad_destinations(clip: Path) -> None:
    reader = open_video(clip)
    (clip.parent / "folder.mp4").mkdir()
    with pytest.raises(VideoWriteError, match="is a folder; give a file name in it"):
        create_video(clip.parent / "folder.mp4", like=reader, options=EncodeOptions())
    with pytest.raises(VideoWriteError, match="none does not exist; make it first"):
        create_video(clip.parent / "none" / "b.mp4", like=reader, options=EncodeOptions())


def test_unwritable_folder(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, who may write anywhere
    with pytest.raises(VideoWriteError, match="is not writable; check its permissions"):
        create_video(clip.with_name("b.mp4"), like=open_video(clip), options=EncodeOptions())


def test_existing_destination_needs_overwrite(clip: Path) -> None:
    target = clip.with_name("b.mp4")
    target.write_bytes(b"precious")
    with pytest.raises(VideoWriteError, match="exists already; name another file or use --overwrite"):
        create_video(target, like=open_video(clip), options=EncodeOptions())
    assert target.read_bytes() == b"precious"
    with (
        open_video(clip) as video,
        create_video(target, like=video, options=EncodeOptions(), overwrite=True) as out,
    ):
        out.write(next(iter(video)))
        assert target.read_bytes() == b"precious"
    assert len(list(open_video(target))) == 1


@pytest.mark.parametrize("name", ["b.mp4", "b.%04d.png"])
def test_two_runs_on_one_output(clip: Path, name: str) -> None:
    target = clip.with_name(name)
    reader = open_video(clip)
    first, second = (create_video(target, like=reader, options=EncodeOptions()) for _ in range(2))
    with first:
        with pytest.raises(VideoWriteError, match="another run is writing it") as caught, second:
            pytest.fail("entered")
        assert caught.value.exit_code == 2
        if name == "b.mp4":
            with pytest.raises(VideoWriteError, match="another run is writing it"):
                create_video(target, like=reader, options=EncodeOptions())
        for frame in reader:
            first.write(frame)
    with open_video(target) as made:
        assert sum(1 for _ in made) == sum(1 for _ in reader)


@pytest.mark.parametrize("name", ["b.mp4", "b.%04d.png", "b.png"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_appears_meanwhile_is_replaced_only_if_told(clip: Path, name: str, overwrite: bool) -> None:
    target, theirs = clip.with_name(name), clip.with_name(name.replace("%04d", "0003"))

    def make() -> None:
        with open_video(clip) as reader:
            writer = create_video(target, like=reader, options=EncodeOptions(), overwrite=overwrite)
            with writer:
                for frame in itertools.islice(reader, 1 if name == "b.png" else None):
                    writer.write(frame)
                theirs.write_bytes(b"theirs")

    if overwrite:
        make()
        assert theirs.read_bytes() != b"theirs"
        return
    with pytest.raises(VideoWriteError, match="appeared while it was being made, and stays as it is") as caught:
        make()
    assert caught.value.exit_code == 1
    assert sorted(path.name for path in clip.parent.iterdir()) == ["a.mp4", theirs.name]
    assert theirs.read_bytes() == b"theirs"


@pytest.mark.parametrize("name", ["b.mp4", "b.%04d.png"])
@pytest.mark.parametrize("when", ["between", "within"])
def test_a_source_that_is_replaced_by_one_of_equal_length(clip: Path, name: str, when: str) -> None:
    other = clip.with_name("other.mp4")
    other.write_bytes(clip.read_bytes())
    os.utime(other, ns=(0, 0))

    def make() -> None:
        with open_video(clip) as reader:
            writer = create_video(clip.with_name(name), like=reader, options=EncodeOptions())
            list(reader)
            with writer:
                if when == "between":
                    other.replace(clip)
                for frame in reader:
                    writer.write(frame)
                if when == "within":
                    other.replace(clip)

    with pytest.raises(VideoReadError, match=r"a\.mp4: was changed or replaced while it was read"):
        make()
    assert [path.name for path in clip.parent.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("name", ["b.mp4", "b.%04d.png"])
def test_a_link_at_the_hidden_name_is_refused(clip: Path, name: str) -> None:
    victim = clip.with_name("victim")
    victim.mkdir()
    part_of(clip.with_name(name)).symlink_to(victim)
    with pytest.raises(VideoWriteError, match="is in the way, and no run has left it there"):  # noqa: SIM117
        with create_video(clip.with_name(name), like=open_video(clip), options=EncodeOptions()):
            pytest.fail("entered")
    assert part_of(clip.with_name(name)).is_symlink()


def test_overwriting_a_longer_sequence_leaves_nothing_of_it(clip: Path) -> None:
    for number in range(1, 9):
        make_picture(clip.with_name(f"out.{number:04d}.png"), "rgb24")
    target = clip.with_name("out.%04d.png")
    with pytest.raises(VideoWriteError, match="exists already"):
        create_video(target, like=open_video(clip), options=EncodeOptions())
    with (
        open_video(clip) as video,
        create_video(target, like=video, options=EncodeOptions(), overwrite=True) as out,
    ):
        for frame in video:
            out.write(frame)
    assert len(list(clip.parent.glob("out.*.png"))) == 3


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("name", ["b.mp4", "b.mkv", "b.%04d.png"])
def test_nothing_remains_after_an_error(clip: Path, error: type[BaseException], name: str) -> None:
    def write() -> None:
        with (
            open_video(clip) as video,
            create_video(clip.with_name(name), like=video, options=EncodeOptions()) as out,
        ):
            for frame in itertools.islice(video, 2):
                out.write(frame)
            hidden = [p.name for p in clip.parent.iterdir() if p.name != "a.mp4"]
            assert all(p.startswith(".b.part") for p in hidden), hidden
            assert hidden
            raise error

    with pytest.raises(error):
        write()
    assert [p.name for p in clip.parent.iterdir()] == ["a.mp4"]


def test_no_frame_is_an_error(clip: Path) -> None:
    writer = create_video(clip.with_name("b.mp4"), like=open_video(clip), options=EncodeOptions())
    with pytest.raises(VideoWriteError, match="no frame was written; nothing is left behind"), writer:
        pass
    assert [p.name for p in clip.parent.iterdir()] == ["a.mp4"]


def test_frames_out_of_order(clip: Path) -> None:
    def write() -> None:
        with (
            open_video(clip) as video,
            create_video(clip.with_name("b.mp4"), like=video, options=EncodeOptions()) as out,
        ):
            frames = list(video)
            out.write(frames[1])
            out.write(frames[0])

    with pytest.raises(ValueError, match="frame 0 at pts 0 comes after pts 1"):
        write()


FULL_DISK = """
import resource, sys
from retarget.pipeline.media import EncodeOptions, create_video, open_video
from retarget.pipeline.errors import VideoReadError, VideoWriteError
from retarget.pipeline.files import part_of
source, target, codec = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
try:
    with open_video(source) as video:
        with create_video(target, like=video, options=EncodeOptions(codec or None)) as out:
            for frame in video:
                out.write(frame)
except VideoWriteError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize(("name", "codec"), [("b.mp4", "h264"), ("b.mkv", "ffv1"), ("b.%04d.png", "")])
def test_full_disk(tmp_path: Path, name: str, codec: str) -> None:
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", size=(256, 256), picture=noise_picture, count=6)
    command = [sys.executable, "-c", FULL_DISK, str(path), str(tmp_path / name), codec]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "writing failed" in done.stdout, done
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(str(tmp_path / name))
    assert [p.name for p in tmp_path.iterdir()] == ["a.mkv"]


def resident_bytes() -> int:
    """Of this process now; where the system does not say, the most it ever had."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    """600 frames of 1.5 MB through the writer: a fraction of their 900 MB is ever held."""
    pixel_format = planar_format("yuv420p")
    info = VideoInfo(
        tmp_path / "none", 1280, 800, pixel_format, "", Color("bt709", False), FILM, Fraction(24), 0, 0, 0
    )

    def endless() -> Iterator[Frame]:
        for i in itertools.count():
            planes = tuple(np.full(s, 100 + i % 50, np.uint8) for s in ((800, 1280), (400, 640), (400, 640)))
            yield Frame(i, i, FILM, planes, pixel_format)

    options = EncodeOptions("mpeg4", threads=2)  # each holds a frame or two, and a machine may have 100 cores
    with create_video(tmp_path / "b.mp4", like=info, options=options) as out:
        frames = endless()
        for frame in itertools.islice(frames, 100):
            out.write(frame)
        before = most = resident_bytes()
        for frame in itertools.islice(frames, 500):
            out.write(frame)
            most = max(most, resident_bytes())
    assert out.frames_written == 600
    assert most - before < 60_000 * 1024
    with open_video(tmp_path / "b.mp4") as video:
        assert isinstance(video, VideoReader)
        assert sum(1 for _ in itertools.islice(video, 10)) == 10
