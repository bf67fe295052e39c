"""File names of image sequences: what a pattern means, and which files it finds."""

from pathlib import Path

import pytest

from retarget.pipeline.errors import VideoOpenError
from retarget.pipeline.files.sequence import find_sequence, parse_pattern


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"x")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shot.%04d.png", "shot.0007.png"),
        ("shot.####.tif", "shot.0007.tif"),
        ("shot_#.png", "shot_7.png"),
        ("%d.png", "7.png"),
        ("%5d.png", "00007.png"),
    ],
)
def test_pattern_spells_the_file_of_a_number(tmp_path: Path, name: str, expected: str) -> None:
    pattern = parse_pattern(tmp_path / name)
    assert pattern is not None
    assert pattern.path(7) == tmp_path / expected


@pytest.mark.parametrize("name", ["shot.png", "a##b##.png", "100%.mp4"])
def test_plain_names_are_no_pattern(tmp_path: Path, name: str) -> None:
    assert parse_pattern(tmp_path / name) is None


def test_existing_file_is_no_pattern(tmp_path: Path) -> None:
    _touch(tmp_path, "take #1.png")
    assert parse_pattern(tmp_path / "take #1.png") is None


def test_files_are_sorted_by_number_and_others_ignored(tmp_path: Path) -> None:
    _touch(tmp_path, "a.1000.png", "a.0999.png", "a.10001.png", "a.99.png", "a.x.png", "b.0999.png", "a.0999.tif")
    pattern = parse_pattern(tmp_path / "a.####.png")
    assert pattern is not None
    assert list(pattern.files()) == [999, 1000, 10001]
    assert pattern.files()[999].name == "a.0999.png"


@pytest.mark.parametrize(("name", "stem"), [("shot.%04d.png", "shot"), ("%d.png", "frames")])
def test_stem(tmp_path: Path, name: str, stem: str) -> None:
    pattern = parse_pattern(tmp_path / name)
    assert pattern is not None
    assert pattern.stem == stem


def test_gap_is_named(tmp_path: Path) -> None:
    _touch(tmp_path, "a.0001.png", "a.0002.png", "a.0005.png")
    pattern = parse_pattern(tmp_path / "a.%04d.png")
    assert pattern is not None
    with pytest.raises(VideoOpenError, match=r"gap: a\.0003\.png is missing \(2 of 1\.\.5\)"):
        find_sequence(pattern, shown_as="a.%04d.png")


def test_no_match_names_an_example(tmp_path: Path) -> None:
    pattern = parse_pattern(tmp_path / "a.%04d.png")
    assert pattern is not None
    with pytest.raises(VideoOpenError, match=r"no file matches this pattern.*a\.0001\.png"):
        find_sequence(pattern, shown_as="a.%04d.png")


def test_missing_folder_has_no_match(tmp_path: Path) -> None:
    pattern = parse_pattern(tmp_path / "none" / "a.%04d.png")
    assert pattern is not None
    assert pattern.files() == {}
