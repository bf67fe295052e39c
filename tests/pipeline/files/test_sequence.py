"""File names of image sequences: what a pattern means, and which files it finds."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from retarget.pipeline.errors import VideoOpenError, VideoWriteError
from retarget.pipeline.files.output import check_output
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
        ("shot.@@@.exr", "shot.007.exr"),
        ("shot.1-9####_left.png", "shot.0007_left.png"),
        ("shot_1-9%03d.png", "shot_007.png"),
        ("1-9#.png", "7.png"),
        ("shot.001-100#.png", "shot.007.png"),
    ],
)
def test_pattern_spells_the_file_of_a_number(tmp_path: Path, name: str, expected: str) -> None:
    pattern = parse_pattern(tmp_path / name)
    assert pattern is not None
    assert pattern.path(7) == tmp_path / expected


@pytest.mark.parametrize(
    "name", ["shot.png", "a##b##.png", "a##b@@.png", "100%.mp4", "me@home.mp4", "1001-1100.png"]
)
def test_plain_names_are_no_pattern(tmp_path: Path, name: str) -> None:
    assert parse_pattern(tmp_path / name) is None


def test_existing_file_is_no_pattern(tmp_path: Path) -> None:
    _touch(tmp_path, "take #1.png")
    assert parse_pattern(tmp_path / "take #1.png") is None


@pytest.mark.parametrize("name", ["a%d.png", "a@@.png", "a.1-5####.png"])
def test_existing_file_with_any_sign_is_no_pattern(tmp_path: Path, name: str) -> None:
    _touch(tmp_path, name)
    assert parse_pattern(tmp_path / name) is None


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


@pytest.mark.parametrize(
    ("numbers", "complaint"),
    [
        ([1, 2, 5], r"the sequence has a gap: 3-4 are missing \(2 of 1\.\.5\); render or copy the missing frames"),
        ([1, 3], r"gap: 2 is missing \(1 of 1\.\.3\)"),
        ([1001, 1003, 1004, 1006, 1010], r"gap: 1002, 1005, 1007-1009 are missing \(5 of 1001\.\.1010\)"),
        (range(1, 100, 2), r"gap: 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24 and others are missing \(49 of"),
        ([1, 10**15], r"gap: 2-999999999999999 are missing"),
    ],
)
def test_gaps_are_told_by_number(tmp_path: Path, numbers: Iterable[int], complaint: str) -> None:
    _touch(tmp_path, *(f"a.{number:04d}.png" for number in numbers))
    pattern = parse_pattern(tmp_path / "a.%04d.png")
    assert pattern is not None
    with pytest.raises(VideoOpenError, match=complaint):
        find_sequence(pattern, shown_as="a.%04d.png")


class TestRanges:
    @pytest.mark.parametrize(
        ("name", "prefix", "frames"),
        [
            ("a.1001-1004#.exr", "a.", (1001, 1002, 1003, 1004)),
            ("a.1-7x3,20####.exr", "a.", (1, 4, 7, 20)),
            ("a.1,3####.exr", "a.1,3", ()),
            ("a.5-9,11@@@@.exr", "a.", (5, 6, 7, 8, 9, 11)),
            ("take1-2#.png", "take1-2", ()),
            ("2024-01-05####.png", "2024-01-05", ()),
            ("a_2024-05####.png", "a_2024-05", ()),
            ("a.1-3,2-4#.png", "a.", (1, 2, 3, 4)),
            ("a.7,1-3#.png", "a.7,1-3", ()),
            ("a.1-99999999999#.png", "a.1-99999999999", ()),
            ("a.1x2-5#.png", "a.1x2-5", ()),
        ],
    )
    def test_what_is_one(self, tmp_path: Path, name: str, prefix: str, frames: tuple[int, ...]) -> None:
        pattern = parse_pattern(tmp_path / name)
        assert pattern is not None
        assert (pattern.prefix, pattern.frames) == (prefix, frames)

    def test_only_those_frames_belong_to_it(self, tmp_path: Path) -> None:
        _touch(tmp_path, *(f"a.{number}.png" for number in range(999, 1006)))
        pattern = parse_pattern(tmp_path / "a.1001-1003####.png")
        assert pattern is not None
        found = find_sequence(pattern, shown_as="a")
        assert {number: path.name for number, path in found.items()} == {
            1001: "a.1001.png",
            1002: "a.1002.png",
            1003: "a.1003.png",
        }

    def test_missing_frames_are_told(self, tmp_path: Path) -> None:
        _touch(tmp_path, "a.1002.png", "a.1003.png", "a.1006.png", "a.1020.png")
        pattern = parse_pattern(tmp_path / "a.1001-1010#.png")
        assert pattern is not None
        with pytest.raises(
            VideoOpenError, match=r"gap: 1001, 1004-1005, 1007-1010 are missing \(7 of 1001\.\.1010\)"
        ):
            find_sequence(pattern, shown_as="a")

    def test_none_is_there(self, tmp_path: Path) -> None:
        _touch(tmp_path, "a.0001.png")
        pattern = parse_pattern(tmp_path / "a.1001-1010####.png")
        assert pattern is not None
        with pytest.raises(VideoOpenError, match=r"no file matches this pattern; .* names such as a\.1001\.png"):
            find_sequence(pattern, shown_as="a")

    def test_pictures_that_have_it_in_their_name_come_first(self, tmp_path: Path) -> None:
        _touch(tmp_path, "a.1-5.0001.png", "a.1-50001.png")
        pattern = parse_pattern(tmp_path / "a.1-5####.png")
        assert pattern is not None
        assert (pattern.prefix, pattern.frames) == ("a.1-5", ())

    def test_an_output_has_none(self, tmp_path: Path) -> None:
        with pytest.raises(
            VideoWriteError, match=r"counts as its source does; name it a\.%04d\.png, without a range"
        ):
            check_output(tmp_path / "a.1-5####.png", inputs={}, overwrite=True)


def test_no_match_names_an_example(tmp_path: Path) -> None:
    pattern = parse_pattern(tmp_path / "a.%04d.png")
    assert pattern is not None
    with pytest.raises(VideoOpenError, match=r"no file matches this pattern.*a\.0001\.png"):
        find_sequence(pattern, shown_as="a.%04d.png")


def test_missing_folder_has_no_match(tmp_path: Path) -> None:
    pattern = parse_pattern(tmp_path / "none" / "a.%04d.png")
    assert pattern is not None
    assert pattern.files() == {}


@pytest.mark.parametrize(
    "name", ["o.%01000000000d.png", "o.%99999999999999999999d.png", f"o.{'#' * 300}.png", "x" * 300 + "%d"]
)
def test_more_digits_than_a_number_has_are_no_pattern(tmp_path: Path, name: str) -> None:
    pattern = parse_pattern(tmp_path / name)
    assert pattern is None or pattern.files() == {}
