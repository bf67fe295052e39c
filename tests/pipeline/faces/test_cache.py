import os
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.pipeline import run
from retarget.pipeline.drivers import load as clips
from retarget.pipeline.errors import OptionError, VideoOpenError, VideoReadError
from retarget.pipeline.faces import cache as cache_module
from retarget.pipeline.faces.analysis import ClipAnalysis, FaceTrack
from retarget.pipeline.faces.cache import Contents, TrackingCache, content_of, default_cache_dir, signature_of
from retarget.pipeline.faces.track import TrackOptions
from retarget.pipeline.media import open_video
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.records import Face, TrackedFrame
from retarget.pipeline.run import Resources, retarget_video

KNOWN = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
"""SHA-256 of "hello", as any tool says."""


# Contents


def test_the_hash_is_the_content_s(tmp_path: Path) -> None:
    file = tmp_path / "a b é.mov"
    file.write_bytes(b"hello")
    assert content_of(file).sha256 == KNOWN
    assert Contents().sha256(file) == KNOWN


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.mov"
    file.write_bytes(b"hello")
    known = content_of(file)
    monkeypatch.setattr(cache_module, "_digest", lambda _: pytest.fail("read"))
    assert Contents([known]).sha256(file) == KNOWN
    assert Contents([known]).remembered(file) == KNOWN
    assert Contents().remembered(file) is None


@pytest.mark.parametrize("change", ["longer", "later"])
def test_a_changed_file_is_read_again(tmp_path: Path, change: str) -> None:
    file = tmp_path / "a.mov"
    file.write_bytes(b"hello")
    known = content_of(file)
    file.write_bytes(b"hello!" if change == "longer" else b"hallo")
    os.utime(file, ns=(0, 10**18))
    assert Contents([known]).remembered(file) is None
    assert Contents([known]).sha256(file) != KNOWN


def test_a_file_that_grows_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.mov"
    file.write_bytes(b"hello")

    def growing(path: Path) -> str:
        with path.open("ab") as stream:
            stream.write(b"more")
        return KNOWN

    monkeypatch.setattr(cache_module, "_file_digest", growing)
    message = r"a\.mov: is being written to \(5 bytes, then 9 bytes\); run again when it is complete"
    with pytest.raises(VideoReadError, match=message):
        content_of(file)


def test_what_was_used_must_stay_as_it_was(tmp_path: Path) -> None:
    file, contents = tmp_path / "a.mov", Contents()
    file.write_bytes(b"hello")
    contents.sha256(file)
    contents.check_unchanged()
    file.write_bytes(b"hello, world")
    with pytest.raises(VideoReadError, match="is being written to"):
        contents.check_unchanged()
    file.unlink()
    with pytest.raises(VideoReadError, match="vanished while it was read"):
        contents.check_unchanged()


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(VideoOpenError, match=r"a\.mov: cannot be read \(No such file or directory\); check"):
        Contents().sha256(tmp_path / "a.mov")


def test_a_sequence_is_all_its_files(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"a.{number:04d}.png").write_bytes(bytes([number]))
    pattern = tmp_path / "a.%04d.png"
    before = content_of(pattern)
    assert before.signature.startswith("3 files ")
    (tmp_path / "a.0002.png").write_bytes(b"x")
    os.utime(tmp_path / "a.0002.png", ns=(0, 10**18))
    assert signature_of(pattern) != before.signature
    assert content_of(pattern).sha256 != before.sha256


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "retarget"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_dir() == Path.home() / ".cache" / "retarget"


# Tracking


@pytest.fixture
def filled(make_face: Callable[..., Face]) -> Any:
    """Ten frames, a cut before frame 6, one face that is missing in frame 3."""
    with ClipAnalysis() as analysis:
        frames = [
            TrackedFrame(
                i, i + 7, (i + 7) / 25, int(i >= 6), () if i == 3 else (make_face(units={"AU12": i / 10}),)
            )
            for i in range(10)
        ]
        for _ in analysis.collect(frames):
            pass
        yield analysis


def loaded(cache: TrackingCache, key: str) -> ClipAnalysis | None:
    analysis = ClipAnalysis().__enter__()
    return analysis if cache.load(key, analysis) is not None else None


def test_what_is_stored_comes_back_to_the_bit(tmp_path: Path, filled: ClipAnalysis) -> None:
    cache = TrackingCache(tmp_path)
    cache.store("ab12", filled, 17.5)
    with ClipAnalysis() as again:
        assert cache.load("ab12", again) == 17.5
        assert (again.frame_count, again.frames_without_face, again.first_seconds) == (10, 1, 7 / 25)
        assert [vars(shot) for shot in again.shots] == [vars(shot) for shot in filled.shots]
        assert again.seconds == filled.seconds
        assert len(again.tracks) == 2
        for mine, theirs in zip(again.tracks, filled.tracks, strict=True):
            for name in FaceTrack.__dataclass_fields__:
                one, other = np.asarray(getattr(mine, name)), np.asarray(getattr(theirs, name))
                assert one.dtype == other.dtype
                np.testing.assert_array_equal(one, other)
            for i in range(len(mine.frames)):
                np.testing.assert_array_equal(again.landmarks(mine, i), filled.landmarks(theirs, i))


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    assert loaded(TrackingCache(tmp_path), "ab12") is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_corrupt_entry_is_ignored_and_written_anew(tmp_path: Path, filled: ClipAnalysis, damage: str) -> None:
    cache = TrackingCache(tmp_path)
    cache.store("ab12", filled, 0.0)
    (path,) = tmp_path.glob("*/*/*.tracks")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    broken = {"cut": data[: len(data) // 2], "flipped": data, "empty": b"", "text": b"not a zip"}[damage]
    path.write_bytes(bytes(broken))
    with ClipAnalysis() as analysis:
        assert cache.load("ab12", analysis) is None
        assert (analysis.frame_count, analysis.tracks, analysis.shots) == (0, [], [])
        assert analysis.landmark_file().read() == b""
    cache.store("ab12", filled, 0.0)
    assert loaded(cache, "ab12") is not None


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path, filled: ClipAnalysis) -> None:
    cache = TrackingCache(tmp_path)
    for i, key in enumerate(("aa", "bb", "cc")):
        cache.store(key, filled, 0.0)
        (path,) = tmp_path.glob(f"*/*/{key}.tracks")
        os.utime(path, ns=(i, i))
    size = path.stat().st_size
    assert loaded(cache, "aa") is not None  # used: now the youngest
    cache.limit_bytes = 2 * size
    cache.shrink()
    assert {path.stem for path in tmp_path.glob("*/*/*.tracks")} == {"aa", "cc"}
    cache.limit_bytes = 0
    cache.store("dd", filled, 0.0)
    assert list(tmp_path.glob("*/*/*.tracks")) == []


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path, filled: ClipAnalysis) -> None:
    (tmp_path / "file").write_text("")
    cache = TrackingCache(tmp_path / "file")
    cache.store("ab12", filled, 0.0)
    assert loaded(cache, "ab12") is None


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
        key(samples / "smile.mp4"),
        key(samples / "astronaut.png"),
        key(samples / "astronaut.png", still_seconds=1.0),
        key(samples / "astronaut.png", still_seconds=1.0, still_rate=Fraction(30)),
    ]
    assert len(set(keys)) == len(keys)
    assert key(samples / "actress.mp4") == keys[0], "the name does not matter"


def test_a_second_pass_with_another_curve_does_not_track(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    class Counting(clips.FaceTracker):
        def __init__(self, info: Any, options: Any = None) -> None:
            opened.append(info.path)
            super().__init__(info, options)

    monkeypatch.setattr(clips, "FaceTracker", Counting)
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


def test_networks_are_loaded_once(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path] = []
    real = run.load_checkpoint
    monkeypatch.setattr(run, "load_checkpoint", lambda path: loads.append(path) or real(path))
    copy = tmp_path / "net.safetensors"
    copy.write_bytes(run.default_checkpoint_path().read_bytes())
    resources = Resources()
    with open_video(samples / "actress.mp4") as one, open_video(samples / "cut.mov") as other:
        options = RetargetOptions(device="cpu", checkpoint=copy)
        first = resources.renderer(options, one.info)
        second = resources.renderer(options, other.info)
        assert first._editor is second._editor
        assert (first._info, second._info) == (one.info, other.info)
        assert loads == [copy]
        time.sleep(0.01)
        os.utime(copy)
        assert resources.renderer(options, one.info)._editor is not first._editor
