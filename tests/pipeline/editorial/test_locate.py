"""Media found by name, and not guessed."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from retarget.pipeline.editorial.load import load_timeline
from retarget.pipeline.editorial.media_info import probe_media
from retarget.pipeline.editorial.place import place_shot

from .conftest import event, write

MakeFilm = Callable[..., Path]


def test_media_that_is_there_twice_is_not_guessed(tmp_path: Path, make_film: MakeFilm) -> None:
    make_film(tmp_path / "plates/a/take.mov")
    make_film(tmp_path / "plates/b/take.mov")
    text = event(1, "take", "00:00:00:00 00:00:01:00", "00:00:00:00 00:00:01:00")
    shot = load_timeline(write(tmp_path / "cut.edl", text), media=tmp_path / "plates", rate=Fraction(24)).shots[0]
    assert shot.media is None
    assert "take is there twice" in shot.problem


def test_media_by_name(tmp_path: Path, make_film: MakeFilm, samples: Path) -> None:
    """Whole name, name without suffix, sequence; a dot in a name is no suffix."""
    make_film(tmp_path / "plates/A001.mov")
    make_film(tmp_path / "plates/b.C02.mp4")
    (tmp_path / "plates/b.c02.xml").write_text("")
    for number in (1001, 1002, 1003):
        path = tmp_path / f"plates/deep/sh010_{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((samples / "astronaut.png").read_bytes())
    names = ("a001.MXF", "B.c02", "sh010", "A001.C003")
    text = "TITLE: t\n" + "".join(
        event(i, "AX", "00:00:41:17 00:00:41:19", f"00:00:0{i}:00 00:00:0{i}:02", f"* FROM CLIP NAME: {name}")
        for i, name in enumerate(names, 1)
    )
    shots = load_timeline(write(tmp_path / "cut.edl", text), media=tmp_path / "plates", rate=Fraction(24)).shots
    plates = tmp_path / "plates"
    assert [shot.media for shot in shots] == [
        plates / "A001.mov", plates / "b.C02.mp4", plates / "deep/sh010_%04d.png", None
    ]  # fmt: skip
    # the timecode of pictures is their number: 00:00:41:17 is 1001 at 24
    assert place_shot(shots[2], probe_media(plates / "deep/sh010_%04d.png"), handles_frames=9).tail_frames == 1


def test_media_with_the_paths_of_windows(tmp_path: Path, make_film: MakeFilm) -> None:
    """A drive letter and a share, in a list that was written on Windows and is read anywhere."""
    make_film(tmp_path / "plates/sh010.mov")
    make_film(tmp_path / "plates/sh020.mov")
    names = (r"C:\plates\day 1\sh010.mov", r"\\server\plates\sh020.mov")
    text = "TITLE: t\n" + "".join(
        event(i, "AX", "00:00:00:00 00:00:00:02", f"00:00:0{i}:00 00:00:0{i}:02", f"* FROM CLIP NAME: {name}")
        for i, name in enumerate(names, 1)
    )
    shots = load_timeline(write(tmp_path / "cut.edl", text), media=tmp_path / "plates", rate=Fraction(24)).shots
    assert [shot.media for shot in shots] == [tmp_path / "plates/sh010.mov", tmp_path / "plates/sh020.mov"]
