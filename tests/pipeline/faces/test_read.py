"""Clips read for their faces: once, if there is a cache; no thread outlives a failure."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.errors import VideoReadError
from retarget.pipeline.faces import read
from retarget.pipeline.faces.cache import TrackingCache
from retarget.pipeline.faces.read import no_face, read_faces
from retarget.pipeline.media import open_video
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.records import TrackedFrame
from retarget.pipeline.resources import Resources
from retarget.pipeline.run import retarget_video


def test_no_face_says_what_could_be_done() -> None:
    path = Path("clip.mp4")
    small = str(no_face(path, 27.9))
    assert small == "clip.mp4: the largest face is 28 px, too small to edit; allow it with --min-face 27"
    assert "look at another part of it with --trim-start" in str(no_face(path, 0, is_trimmed=True))


# Threads, when something fails midway


class FailingTracker:
    """Fails on the third frame, while the decoder is still ahead."""

    largest_rejected_px = 0.0

    def __init__(self, *_: Any) -> None:
        pass

    def __enter__(self) -> FailingTracker:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def track(self, frames: Any) -> Iterator[TrackedFrame]:
        for frame, shot in itertools.islice(frames, 2):
            yield TrackedFrame(frame.index, frame.pts, frame.seconds, shot, ())
        raise VideoReadError("gone")


def test_a_failure_while_tracking_leaves_no_thread(monkeypatch: pytest.MonkeyPatch, disc_clip: Path) -> None:
    monkeypatch.setattr(read, "FaceTracker", FailingTracker)
    with open_video(disc_clip) as reader:
        with pytest.raises(VideoReadError, match="gone") as kept:  # the error, with its frames, is alive below
            read_faces(reader)
        assert [t for t in threading.enumerate() if t.name == "prefetch"] == []
        assert kept.value is not None


def test_an_interrupted_progress_bar_leaves_no_thread(disc_clip: Path) -> None:
    def interrupted(items: Any, *_: object) -> Iterator[Any]:
        yield from itertools.islice(items, 2)
        raise KeyboardInterrupt

    with open_video(disc_clip) as reader:
        with pytest.raises(KeyboardInterrupt) as kept:
            read_faces(reader, progress=interrupted)
        assert [t for t in threading.enumerate() if t.name == "prefetch"] == []
        assert kept.value is not None


# The cache


def test_a_second_pass_with_another_curve_does_not_track(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    class Counting(read.FaceTracker):
        def __init__(self, info: Any, options: Any = None) -> None:
            opened.append(info.path)
            super().__init__(info, options)

    monkeypatch.setattr(read, "FaceTracker", Counting)
    resources = Resources(cache=TrackingCache(tmp_path / "cache"))
    source, driver, output = samples / "actress.mp4", samples / "smile.yaml", tmp_path / "a.mp4"
    options = RetargetOptions(trim_end=0.2, overwrite=True, device="cpu")
    retarget_video(source, driver, output, options, resources=resources)
    first = output.read_bytes()
    assert opened == [source]
    report = retarget_video(source, samples / "smile.csv", output, options, resources=resources)
    assert opened == [source]
    assert "track" not in report.seconds
    assert output.read_bytes() != first
    retarget_video(source, driver, output, options, resources=resources)
    assert output.read_bytes() == first, "from the cache as from the tracker"
    retarget_video(source, samples / "astronaut.png", output, options, resources=resources)
    retarget_video(source, samples / "astronaut.png", output, options, resources=resources)
    assert opened == [source, samples / "astronaut.png"], "a driver's series is kept as well"
    retarget_video(source, driver, output, options)
    assert len(opened) == 3, "off where it is not asked for"
