"""EDLs against films whose every frame number and timecode is known."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from retarget.pipeline.editorial.load import load_timeline
from retarget.pipeline.editorial.media_info import probe_media
from retarget.pipeline.editorial.place import place_shot
from retarget.pipeline.editorial.timeline import TimelineError

from .conftest import event, write

MakeFilm = Callable[..., Path]

NTSC = Fraction(30000, 1001)


def test_edl_shots(cut: Path) -> None:
    timeline = load_timeline(cut, media=cut.parent / "plates")
    assert timeline.name == "reel 3"
    assert [shot.name for shot in timeline.shots] == ["sh010", "SH020", "sh010_2"]
    assert [shot.clip_name for shot in timeline.shots] == ["sh010.mov", "SH020", "sh010.mov"]
    assert [shot.number for shot in timeline.shots] == [1, 2, 3]
    # 01:00:00:00 is frame 86400 at 24
    assert [(s.start_frame, s.frame_count) for s in timeline.shots] == [(86410, 10), (5, 10), (86424, 20)]
    assert [s.record_timecode for s in timeline.shots] == ["10:00:00:00", "10:00:00:10", "10:00:01:00"]
    assert {s.track for s in timeline.shots} == {"V"}
    plates = cut.parent / "plates"
    assert [s.media for s in timeline.shots] == [
        plates / "day 1/sh010.mov", plates / "sh020.mp4", plates / "day 1/sh010.mov"
    ]  # fmt: skip
    assert {s.rate for s in timeline.shots} == {Fraction(24)}
    assert not any(s.problem for s in timeline.shots)


def test_drop_frame_list_without_semicolons(tmp_path: Path, make_film: MakeFilm) -> None:
    # 00:10:00;00 is frame 17982: the first two numbers of each minute but every tenth are left out
    make_film(tmp_path / "a.mov", 60, NTSC, "00:09:59;28")
    text = "TITLE: t\nFCM: DROP FRAME\n" + event(1, "a", "00:10:00:00 00:10:00:10", "01:00:59:29 01:01:00:09")
    shot = load_timeline(write(tmp_path / "cut.edl", text)).shots[0]
    assert shot.rate == NTSC
    assert shot.start_frame == 17982
    assert shot.record_frame == 107892 + 1799
    assert place_shot(shot, probe_media(tmp_path / "a.mov")).first_frame == 2
    assert shot.record_timecode == "01:00:59;29"


def test_speed_dissolve_black_and_remarks(tmp_path: Path, make_film: MakeFilm) -> None:
    for name in ("one", "two", "three"):
        make_film(tmp_path / f"{name}.mov", 100)
    text = (
        "TITLE: t\n* made by hand\n"
        "001  one V C 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n"
        "* FROM CLIP NAME: one.mov\n* FROM CLIP: /far/away/one.mov\n"
        "002  one V C 00:00:01:00 00:00:01:00 00:00:01:00 00:00:01:00\n"
        "002  two V D 012 00:00:02:00 00:00:03:00 00:00:01:00 00:00:02:00\n"
        "* FROM CLIP NAME: one.mov\n* FROM CLIP: /far/away/one.mov\n* TO CLIP NAME: two.mov\n"
        "003  BL V C 00:00:00:00 00:00:01:00 00:00:02:00 00:00:03:00\n"
        "004  three V C 00:00:00:00 00:00:02:00 00:00:03:00 00:00:04:00\n"
        "M2   three 048.0 00:00:00:00\n"
    )
    one, two, three = load_timeline(write(tmp_path / "cut.edl", text)).shots
    assert (one.start_frame, one.frame_count) == (0, 36)  # the dissolve still shows twelve frames of it
    assert (two.start_frame, two.frame_count, two.record_frame) == (48, 24, 24)
    assert (three.start_frame, three.frame_count, three.record_frame) == (0, 48, 72)  # twice as fast
    assert [shot.media for shot in (one, two, three)] == [tmp_path / f"{n}.mov" for n in ("one", "two", "three")]


def test_lengths_that_differ_are_noted(tmp_path: Path, make_film: MakeFilm) -> None:
    make_film(tmp_path / "a.mov")
    text = "TITLE: t\n" + event(1, "a", "00:00:00:00 00:00:01:00", "00:00:00:00 00:00:01:01")
    timeline = load_timeline(write(tmp_path / "cut.edl", text))
    assert timeline.shots[0].frame_count == 24
    assert "duration don't match" in timeline.notes[0]
    assert loaded_without_notes(tmp_path, make_film) == ()


def loaded_without_notes(folder: Path, make_film: MakeFilm) -> tuple[str, ...]:
    text = "TITLE: t\n" + event(1, "a", "00:00:00:00 00:00:01:00", "00:00:00:00 00:00:01:00")
    return load_timeline(write(folder / "right.edl", text)).notes


SECOND = ("00:00:00:00 00:00:01:00", "00:00:00:00 00:00:01:00")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", r"cut\.edl: has no events; export the cut"),
        ("TITLE: x\n001 A V C 00:00:00:00\n", r"cut\.edl: is no EDL \(CMX 3600\) at .*incorrect number of fields"),
        (event(1, "zz", *SECOND), r"does not say its frame rate, and none"),
        (event(1, "odd", *SECOND), r"odd\.mov runs at 20 frames .* 'timeline_rate: 24'"),
        (event(1, "a", "00:00:00:30 00:00:01:00", SECOND[1]), r"is no EDL \(CMX 3600\) at 24 frames"),
    ],
)
def test_lists_that_cannot_be_read(tmp_path: Path, make_film: MakeFilm, text: str, complaint: str) -> None:
    make_film(tmp_path / "odd.mov", 20, 20)
    make_film(tmp_path / "a.mov")
    with pytest.raises(TimelineError, match=complaint):
        load_timeline(write(tmp_path / "cut.edl", text))


def test_a_given_rate_goes_before_the_film_s(tmp_path: Path) -> None:
    text = event(1, "zz", "00:00:01:00 00:00:02:00", "00:00:00:00 00:00:01:00")
    shot = load_timeline(write(tmp_path / "cut.edl", text), rate=Fraction(25)).shots[0]
    assert (shot.start_frame, shot.rate) == (25, Fraction(25))
    assert shot.media is None
    assert shot.problem.startswith("no media called 001 or zz beside the timeline in ")
