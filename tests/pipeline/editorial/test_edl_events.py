"""Events as editing systems write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from retarget.pipeline.editorial.edl_events import Event, events_of, mark_of, readable
from retarget.pipeline.editorial.load import load_timeline

from .conftest import write

MakeFilm = Callable[..., Path]


@pytest.fixture
def films(tmp_path: Path, make_film: MakeFilm) -> Path:
    for name in ("one", "two", "three"):
        make_film(tmp_path / f"{name}.mov", 100)
    return tmp_path


def shots(folder: Path, text: str) -> list[tuple[str, int, int, int]]:
    """(file, first frame, frames, place) of each shot that can be worked on."""
    timeline = load_timeline(write(folder / "cut.edl", "TITLE: t\n" + text))
    return [
        (s.media.stem if s.media else "", s.start_frame, s.frame_count, s.record_frame) for s in timeline.shots
    ]


def notes(folder: Path, text: str) -> str:
    return " ".join(load_timeline(write(folder / "cut.edl", "TITLE: t\n" + text)).notes)


def test_a_line_is_taken_apart() -> None:
    line = "004 A001C001 V K B 012 01:00:00:00 01:00:01:00 00:00:00:00 00:00:01:00"
    event = Event.read(line, ["M2   A001C001  -048.0  01:00:00:00", "* SOURCE FILE: a b.mov"])
    assert (event.number, event.reel, event.channel, event.kind, event.length) == (
        "004",
        "A001C001",
        "V",
        "K B",
        "012",
    )
    assert (event.speed, event.source_file, event.is_black, event.is_empty) == (-48, "a b.mov", False, False)
    assert mark_of(event.lines(7)) == 7
    assert mark_of(["* made by hand"]) is None
    assert Event.read("what is this", []).number == ""


@pytest.mark.parametrize(
    ("source_out", "speed", "frames"),
    [
        ("00:00:02:00", "048.0", 48),  # the source as it passes
        ("00:00:01:00", "048.0", 48),  # as long as the record
        ("00:00:01:00", "012.0", 12),
        ("00:00:00:12", "012.0", 12),
        ("00:00:00:01", "000.0", 1),  # a still frame
    ],
)
def test_a_speed_says_how_much_is_shown(films: Path, source_out: str, speed: str, frames: int) -> None:
    text = f"001 one V C 00:00:00:00 {source_out} 00:00:00:00 00:00:01:00\nM2 one {speed} 00:00:00:00\n"
    assert shots(films, text) == [("one", 0, frames, 0)]


def test_what_runs_backwards_is_left_out_by_itself(films: Path) -> None:
    text = (
        "001 one V C 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n"
        "002 two V C 00:00:00:00 00:00:01:00 00:00:01:00 00:00:02:00\nM2 two -024.0 00:00:00:23\n"
    )
    timeline = load_timeline(write(films / "cut.edl", "TITLE: t\n" + text))
    assert [shot.is_left_out for shot in timeline.shots] == [False, True]
    assert "shot 2 (002) is left out: runs backwards" in timeline.notes[0]


def test_fades_from_and_to_black(films: Path) -> None:
    text = (
        "001 BL V C 00:00:00:00 00:00:00:00 00:00:00:00 00:00:00:00\n"
        "001 one V D 012 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n"
        "* FROM CLIP NAME: BL\n* TO CLIP NAME: one.mov\n"
        "002 two V C 00:00:00:00 00:00:00:00 00:00:01:00 00:00:01:00\n"
        "002 BL V D 012 00:00:00:00 00:00:00:12 00:00:01:00 00:00:01:12\n* FROM CLIP NAME: two.mov\n"
    )
    assert shots(films, text) == [("one", 0, 24, 0), ("two", 0, 12, 24)]
    assert "fades in from black" in notes(films, text)
    assert "fades out to black" in notes(films, text)


def test_keys_and_channels_that_show_nothing(films: Path) -> None:
    text = (
        "001 one V K B 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n"
        "001 two V K 000 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n"
        "002 three NONE C 00:00:00:00 00:00:01:00 00:00:01:00 00:00:02:00\n"
        "003 three V C 00:00:00:00 00:00:01:00 00:00:02:00 00:00:03:00\n"
    )
    assert sorted(shots(films, text)) == [("one", 0, 24, 0), ("three", 0, 24, 48), ("two", 0, 24, 0)]
    said = notes(films, text)
    assert "event 001: is a key" in said
    assert "event 002: its channel is NONE" in said


def test_the_source_file_goes_before_other_names(films: Path) -> None:
    text = (
        "001 A001C00 V C 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n"
        "* FROM CLIP NAME: sc 12 take 3\n* SOURCE FILE: two.mov\n"
    )
    assert shots(films, text) == [("two", 0, 24, 0)]


def test_an_event_that_cannot_be_read_does_not_take_the_list_with_it(films: Path) -> None:
    text = (
        "001 one V C 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n"
        "002 two V C 00:00:00:99 00:00:01:00 00:00:01:00 00:00:02:00\n"
        "003 three V C 00:00:00:00\n"
        "004 three V C 00:00:00:00 00:00:01:00 00:00:03:00 00:00:04:00\n"
    )
    assert shots(films, text) == [("one", 0, 24, 0), ("three", 0, 24, 72)]
    said = notes(films, text)
    assert "event 002 is left out" in said
    assert "event '003 three V C 00:00:00:00' is left out" in said


def test_what_stands_above_the_first_event() -> None:
    head, events = events_of(["TITLE: t", "FCM: NON-DROP FRAME", "001 one V C 1 2 3 4", "* a", "FCM: DROP FRAME"])
    assert head == ["TITLE: t", "FCM: NON-DROP FRAME"]
    assert [event.remarks for event in events] == [("* a",)]
    assert list(readable(events, [])) == events
