"""Clips read for their faces: once, if there is a cache; no thread outlives a failure."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.pipeline.errors import NoFaceError, VideoReadError
from retarget.pipeline.faces import read
from retarget.pipeline.faces.analysis import ClipAnalysis
from retarget.pipeline.faces.cache import TrackingCache
from retarget.pipeline.faces.options import TrackOptions
from retarget.pipeline.faces.read import clip_series, descriptor_of, no_face, read_faces, settled
from retarget.pipeline.faces.selection import FaceSelection
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


# Who is it


@pytest.fixture(scope="module")
def crossing(crossing_clip: Path) -> ClipAnalysis:
    with open_video(crossing_clip) as reader:
        return read_faces(reader)


@pytest.fixture(scope="module")
def face_of(heads: dict[str, list[Any]], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A picture of one of the samples' people, of a moment that the clips made of them do not begin with."""

    def make(name: str) -> Path:
        picture = tmp_path_factory.mktemp("cast") / f"{name}.png"
        cv2.imwrite(str(picture), heads[name][45][..., ::-1])
        return picture

    return make


def x_of(analysis: ClipAnalysis, person: int) -> tuple[float, float]:
    """Where a person is at the beginning and at the end."""
    (track,) = (track for track in analysis.tracks if track.person == person)
    assert (track.frames[0], track.frames[-1]) == (0, 79)
    return float(track.centers[0, 0]), float(track.centers[-1, 0])


def test_two_who_pass_each_other_stay_who_they_are(crossing: ClipAnalysis, face_of: Any) -> None:
    assert len(crossing.tracks) == len(crossing.persons) == 2
    her, him = (settled(FaceSelection(picture=face_of(name)), crossing).person for name in ("actress", "smile"))
    assert {her, him} == {1, 2}
    start, end = x_of(crossing, her or 0)
    assert start < 200 < 600 < end
    start, end = x_of(crossing, him or 0)
    assert start > 600 > 200 > end


def test_who_was_hidden_is_the_same_again(occlusion_clip: Path) -> None:
    with open_video(occlusion_clip) as reader:
        analysis = read_faces(reader)
    assert [len(person.tracks) for person in analysis.persons] == [1, 1]
    (track,) = (t for t in analysis.tracks if t.centers[0, 0] > 400)
    assert (track.frames[0], track.frames[-1]) == (0, 99)
    gap = np.flatnonzero(np.diff(track.frames) > 1)
    assert len(gap) == 1
    assert abs(track.frames[gap[0]] - 30) <= 3
    assert 68 <= track.frames[gap[0] + 1] <= 85, "looked for more often after a loss"
    assert track.centers[gap[0] + 1, 0] - track.centers[gap[0], 0] == pytest.approx(80, abs=10)


def test_the_samples_are_told_apart(samples: Path) -> None:
    seen = []
    for name in ("actress.mp4", "smile.mp4", "cut.mov", "astronaut.png"):
        with open_video(samples / name) as reader:
            (person,) = read_faces(reader).persons
            (track,) = person.tracks
            seen.append(track.descriptors)
    far = [
        np.linalg.norm(a - b) for one, other in ((0, 1), (0, 2), (1, 3)) for a in seen[one] for b in seen[other]
    ]
    near = [
        np.linalg.norm(a - b) for one, other in ((0, 0), (1, 1), (1, 2)) for a in seen[one] for b in seen[other]
    ]
    assert max(near) < 0.34
    assert min(far) > 0.76
    assert min(np.linalg.norm(a - b) for a in seen[0] for b in seen[3]) > 0.68, "two women"


def test_nobody_who_is_not_there(crossing: ClipAnalysis, samples: Path, disc_clip: Path) -> None:
    with pytest.raises(
        NoFaceError, match=r"stage\.mp4: has no person:3; 2 are seen, and retarget faces lists them"
    ):
        settled(FaceSelection(person=3), crossing)
    with pytest.raises(
        NoFaceError,
        match=r"nobody looks like .*astronaut\.png; the nearest is person:[12] at a distance of 0\.\d+, where",
    ):
        settled(FaceSelection(picture=samples / "astronaut.png"), crossing)
    nobody = disc_clip.with_name("disc.0000.png")
    with pytest.raises(NoFaceError, match=r"disc\.0000\.png: shows no face to look for; use a picture"):
        settled(FaceSelection(picture=nobody), crossing)
    assert settled(FaceSelection("left-right", 1), crossing) == FaceSelection("left-right", 1)


def test_a_picture_is_looked_at_once_while_it_stays(face_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = face_of("smile")
    first = descriptor_of(picture)
    with monkeypatch.context() as patch:
        patch.setattr(read, "_track", lambda *_, **__: pytest.fail("looked at again"))
        assert descriptor_of(picture) is first
    cv2.imwrite(str(picture), np.zeros((300, 300, 3), np.uint8))
    with pytest.raises(NoFaceError):
        descriptor_of(picture)


def test_the_cache_keeps_who_is_who(crossing_clip: Path, crossing: ClipAnalysis, tmp_path: Path) -> None:
    cache = TrackingCache(tmp_path)
    with open_video(crossing_clip) as reader:
        cache.store(cache.key(reader, TrackOptions()), crossing)
        again = read_faces(reader, cache=cache)
    assert [(p.number, p.frame_count) for p in again.persons] == [
        (p.number, p.frame_count) for p in crossing.persons
    ]
    for one, other in zip(again.persons, crossing.persons, strict=True):
        np.testing.assert_array_equal(one.descriptor, other.descriptor)


def test_a_driver_clip_gives_the_expression_of_whom_one_means(crossing_clip: Path, face_of: Any) -> None:
    her, him = (
        clip_series(crossing_clip, FaceSelection(picture=face_of(name)), sequence_rate=Fraction(25))
        for name in ("actress", "smile")
    )
    assert len(her.seconds) > len(him.seconds), "he is behind her for a while"
    with pytest.raises(NoFaceError, match="has no person:7; 2 are seen"):
        clip_series(crossing_clip, FaceSelection(person=7), sequence_rate=Fraction(25))


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
