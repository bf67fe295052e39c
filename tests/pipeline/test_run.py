import contextlib
import itertools
import json
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.pipeline import run
from retarget.pipeline.drivers import analyse_clip, no_face
from retarget.pipeline.drivers import load as clips
from retarget.pipeline.edit import FrameRequest, RenderedFrame
from retarget.pipeline.errors import NoFaceError, OptionError, VideoOpenError, VideoReadError, VideoWriteError
from retarget.pipeline.media import EncodeOptions, create_video, open_video
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.records import Frame, Report, TrackedFrame
from retarget.pipeline.report import write_report
from retarget.pipeline.run import retarget_video
from retarget.pipeline.stream import Clock


@pytest.fixture(scope="module")
def disc_clip(tmp_path_factory: Any, make_frame: Any, disc: Any) -> Path:
    """Twelve frames, 160x120 at 25 fps, of a disc on gray: a PNG sequence and no face anywhere."""
    folder = tmp_path_factory.mktemp("disc")
    for i in range(12):
        drawn = make_frame(160, 120, "gbrp", disc(40 + 5 * i, 60, 20)).planes[0]
        cv2.imwrite(str(folder / f"disc.{i:04d}.png"), np.repeat(drawn[..., None], 3, 2))
    with open_video(folder / "disc.%04d.png", sequence_rate=Fraction(25)) as reader:
        film = folder / "disc.mp4"
        with create_video(film, like=reader, options=EncodeOptions()) as writer:
            for frame in reader:
                writer.write(frame)
    return film


@pytest.fixture
def curve(samples: Path) -> Path:
    return Path(samples / "smile.yaml")


@pytest.fixture(autouse=True)
def _no_prefetch_thread_is_left() -> Iterator[None]:
    yield
    assert [t.name for t in threading.enumerate() if t.name == "prefetch"] == []


# Refusals


def test_a_clip_without_a_face(disc_clip: Path, curve: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    with pytest.raises(NoFaceError, match="no face found in any frame; check that a face is seen") as refusal:
        retarget_video(disc_clip, curve, output, RetargetOptions(device="cpu"))
    assert str(disc_clip) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == [], "neither an output nor a part of one"


def test_a_driver_without_a_face(disc_clip: Path, samples: Path, tmp_path: Path) -> None:
    with pytest.raises(NoFaceError, match=r"disc\.mp4: no face found in any frame"):
        retarget_video(samples / "astronaut.png", disc_clip, tmp_path / "out.mp4", RetargetOptions(device="cpu"))
    assert list(tmp_path.iterdir()) == []


def test_no_face_says_what_could_be_done() -> None:
    path = Path("a.mp4")
    small = str(no_face(path, 27.9, RetargetOptions()))
    assert small == "a.mp4: the largest face is 28 px, too small to edit; allow it with --min-face 27"
    assert "look at another part of it with --trim-start" in str(no_face(path, 0, RetargetOptions(trim_end=2.0)))


def test_a_missing_source(curve: Path, tmp_path: Path) -> None:
    with pytest.raises(VideoOpenError, match=r"nowhere\.mp4"):
        retarget_video(tmp_path / "nowhere.mp4", curve, tmp_path / "out.mp4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "replace"}, "mode 'replace' is unknown; use match or add"),
        ({"after": "stop"}, "after 'stop' is unknown; use release, hold or loop"),
    ],
)
def test_senseless_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        RetargetOptions(**options)


# Threads, when something fails midway


class FailingTracker:
    """Fails on the third frame, while the decoder is still ahead."""

    largest_rejected_px = 0.0

    def __init__(self, *_: Any) -> None:
        pass

    def __enter__(self) -> "FailingTracker":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def track(self, frames: Any) -> Iterator[TrackedFrame]:
        for frame, shot in itertools.islice(frames, 2):
            yield TrackedFrame(frame.index, frame.pts, frame.seconds, shot, ())
        raise VideoReadError("gone")


def test_a_failure_while_tracking_leaves_no_thread(monkeypatch: pytest.MonkeyPatch, disc_clip: Path) -> None:
    monkeypatch.setattr(clips, "FaceTracker", FailingTracker)
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(open_video(disc_clip))
        with pytest.raises(VideoReadError, match="gone") as kept:  # the error, with its frames, is alive below
            analyse_clip(stack, reader, RetargetOptions(), clock=Clock(), label="track")
        assert [t for t in threading.enumerate() if t.name == "prefetch"] == []
        assert kept.value is not None


def test_an_interrupted_progress_bar_leaves_no_thread(disc_clip: Path) -> None:
    def interrupted(items: Any, *_: object) -> Iterator[Any]:
        yield from itertools.islice(items, 2)
        raise KeyboardInterrupt

    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(open_video(disc_clip))
        with pytest.raises(KeyboardInterrupt) as kept:
            analyse_clip(stack, reader, RetargetOptions(), clock=Clock(), progress=interrupted, label="track")
        assert [t for t in threading.enumerate() if t.name == "prefetch"] == []
        assert kept.value is not None


def test_a_share_of_the_machine_holds_for_rendering_too(make_info: Any) -> None:
    resources = run.Resources(cores=3)
    assert resources.renderer(RetargetOptions(device="cpu"), make_info()).threads == 3


class FailingRenderer:
    def render(self, requests: Any) -> Iterator[RenderedFrame]:
        for request in itertools.islice(requests, 2):
            yield RenderedFrame(request.frame, ())
        raise VideoReadError("gone")


class Nobody:
    def faces(self, frame_index: int) -> list[Any]:  # noqa: ARG002
        return []


@pytest.fixture
def session(disc_clip: Path, samples: Path) -> Iterator[Any]:
    """A session beyond its analysis, in which no frame has anything to do."""
    with contextlib.ExitStack() as stack:
        session = run.Session(stack, disc_clip, samples / "smile.yaml", RetargetOptions(), clock=Clock())
        session.schedule = Nobody()  # type: ignore[assignment]
        yield session


class PassingRenderer:
    def render(self, requests: Any) -> Iterator[RenderedFrame]:
        return (RenderedFrame(request.frame, request.faces) for request in requests)


def test_frames_without_an_edit_come_through_as_they_are(session: Any) -> None:
    session.renderer = PassingRenderer()
    frames = list(session.edited_frames())
    assert [frame.index for frame in frames] == list(range(12))
    assert all(isinstance(frame, Frame) and frame.native is not None for frame in frames)


def test_only_the_frames_asked_for(session: Any) -> None:
    session.renderer = PassingRenderer()
    edits = list(session.edits(only={2, 5}))
    assert [edited.source.index for edited in edits] == [2, 5]
    assert all(edited.result is edited.source for edited in edits)
    assert list(session.edits(only=set())) == []


def test_a_failure_while_rendering_leaves_no_thread(session: Any) -> None:
    session.renderer = FailingRenderer()
    taken = []
    with pytest.raises(VideoReadError, match="gone") as kept:
        taken.extend(session.edited_frames())
    assert [t for t in threading.enumerate() if t.name == "prefetch"] == []
    assert kept.value is not None


def test_stopping_in_the_middle_leaves_no_thread(session: Any) -> None:
    session.renderer = PassingRenderer()
    frames = session.edited_frames()
    assert next(frames).index == 0
    frames.close()
    assert [t for t in threading.enumerate() if t.name == "prefetch"] == []


def test_requests_are_made_from_the_schedule(session: Any) -> None:
    asked: list[FrameRequest] = []

    class Listening:
        def render(self, requests: Any) -> Iterator[RenderedFrame]:
            for request in requests:
                asked.append(request)
                yield RenderedFrame(request.frame, ())

    session.renderer = Listening()
    assert len(list(session.edited_frames())) == 12
    assert [(request.frame.index, list(request.faces)) for request in asked] == [(i, []) for i in range(12)]


# Report


def test_the_report_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_report(Report(frames=7, notes=["a face left"]), path)
    assert json.loads(path.read_text())["frames"] == 7
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(VideoWriteError, match=r"report\.json: the report cannot be written \(No such file"):
        write_report(Report(), tmp_path / "missing" / "report.json")
