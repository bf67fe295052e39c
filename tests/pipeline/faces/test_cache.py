"""What tracking found, kept: to the bit, by content, and never an obstacle."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.errors import OptionError
from retarget.pipeline.faces.analysis import ClipAnalysis, FaceTrack
from retarget.pipeline.faces.cache import TrackingCache
from retarget.pipeline.faces.collect import Collector
from retarget.pipeline.faces.options import TrackOptions
from retarget.pipeline.media import open_video
from retarget.pipeline.records import Face, TrackedFrame


@pytest.fixture
def filled(make_face: Callable[..., Face], make_info: Any) -> ClipAnalysis:
    """Ten frames, a cut before frame 6, one face that is missing in frame 3."""
    collector = Collector(make_info())
    frames = [
        TrackedFrame(i, i + 7, (i + 7) / 25, int(i >= 6), () if i == 3 else (make_face(units={"AU12": i / 10}),))
        for i in range(10)
    ]
    for _ in collector.collect(frames):
        pass
    return collector.analysis(largest_rejected_px=17.5)


def test_what_is_stored_comes_back_to_the_bit(tmp_path: Path, filled: ClipAnalysis) -> None:
    cache = TrackingCache(tmp_path)
    cache.store("ab12", filled)
    again = cache.load("ab12", filled.info)
    assert again is not None
    assert again.info is filled.info
    assert again.largest_rejected_px == 17.5
    assert (again.frame_count, again.frames_without_face, again.first_seconds) == (10, 1, 7 / 25)
    assert [vars(shot) for shot in again.shots] == [vars(shot) for shot in filled.shots]
    np.testing.assert_array_equal(again.seconds, filled.seconds)
    assert len(again.tracks) == 2
    for mine, theirs in zip(again.tracks, filled.tracks, strict=True):
        for name in FaceTrack.__dataclass_fields__:
            one, other = np.asarray(getattr(mine, name)), np.asarray(getattr(theirs, name))
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        for i in range(len(mine.frames)):
            np.testing.assert_array_equal(again.landmarks(mine, i), filled.landmarks(theirs, i))


def test_persons_and_portraits_come_back(tmp_path: Path, filled: ClipAnalysis) -> None:
    described = np.arange(256, dtype=np.float32).reshape(2, 128)
    first, second = filled.tracks
    tracks = (
        replace(first, person=2, portraits=np.array([4, 1]), descriptors=described),
        replace(second, person=1),
    )
    cache = TrackingCache(tmp_path)
    cache.store("ab12", replace(filled, tracks=tracks))
    again = cache.load("ab12", filled.info)
    assert again is not None
    assert [track.person for track in again.tracks] == [2, 1]
    assert again.tracks[0].portraits.tolist() == [4, 1]
    np.testing.assert_array_equal(again.tracks[0].descriptors, described)
    assert again.tracks[1].descriptors.shape == (0, 128)


def test_what_is_not_there_is_not_found(tmp_path: Path, make_info: Any) -> None:
    assert TrackingCache(tmp_path).load("ab12", make_info()) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_corrupt_entry_is_ignored_and_written_anew(tmp_path: Path, filled: ClipAnalysis, damage: str) -> None:
    cache = TrackingCache(tmp_path)
    cache.store("ab12", filled)
    (path,) = tmp_path.glob("*/*/*.tracks")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    broken = {"cut": data[: len(data) // 2], "flipped": data, "empty": b"", "text": b"not a zip"}[damage]
    path.write_bytes(bytes(broken))
    assert cache.load("ab12", filled.info) is None
    cache.store("ab12", filled)
    assert cache.load("ab12", filled.info) is not None


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path, filled: ClipAnalysis) -> None:
    cache = TrackingCache(tmp_path)
    for i, key in enumerate(("aa", "bb", "cc")):
        cache.store(key, filled)
        (path,) = tmp_path.glob(f"*/*/{key}.tracks")
        os.utime(path, ns=(i, i))
    size = path.stat().st_size
    assert cache.load("aa", filled.info) is not None  # used: now the youngest
    cache.limit_bytes = 2 * size
    cache.shrink()
    assert {path.stem for path in tmp_path.glob("*/*/*.tracks")} == {"aa", "cc"}
    cache.limit_bytes = 0
    cache.store("dd", filled)
    assert list(tmp_path.glob("*/*/*.tracks")) == []


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path, filled: ClipAnalysis) -> None:
    (tmp_path / "file").write_text("")
    cache = TrackingCache(tmp_path / "file")
    cache.store("ab12", filled)
    assert cache.load("ab12", filled.info) is None


def test_a_senseless_limit(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="a cache of -1 bytes makes no sense"):
        TrackingCache(tmp_path, limit_bytes=-1)


def test_the_key_is_of_content_range_and_options(samples: Path, tmp_path: Path) -> None:
    same = tmp_path / "other name.mp4"
    same.write_bytes((samples / "actress.mp4").read_bytes())
    cache, options = TrackingCache(tmp_path), TrackOptions()

    def key(path: Path, options: TrackOptions = options, **how: Any) -> str:
        with open_video(path, **how) as reader:
            return cache.key(reader, options)

    keys = [
        key(same),
        key(same, trim_start=0.5),
        key(same, trim_end=0.5),
        key(same, TrackOptions(min_face_px=99)),
        *([key(same, TrackOptions(tracker="mediapipe"))] if find_spec("mediapipe") else []),
        key(samples / "smile.mp4"),
        key(samples / "astronaut.png"),
        key(samples / "astronaut.png", still_seconds=1.0),
        key(samples / "astronaut.png", still_seconds=1.0, still_rate=Fraction(30)),
    ]
    assert len(set(keys)) == len(keys)
    assert key(samples / "actress.mp4") == keys[0], "the name does not matter"


def test_other_models_are_another_entry(tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = TrackingCache(tmp_path)
    with open_video(samples / "actress.mp4") as reader:
        before = cache.key(reader, TrackOptions())
        monkeypatch.setattr("retarget.pipeline.faces.landmarker.SHA256", "0" * 64)
        assert cache.key(reader, TrackOptions()) != before
