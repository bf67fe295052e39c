"""Cuts in the formats of other programs, where their adapters are installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import opentimelineio as otio
import pytest

from retarget.pipeline.editorial.exchange import ADAPTERS
from retarget.pipeline.editorial.load import load_timeline
from retarget.pipeline.editorial.timeline import TimelineError

MakeFilm = Callable[..., Path]


def needs(suffix: str) -> None:
    if ADAPTERS[suffix] not in otio.adapters.available_adapter_names():
        pytest.skip(f"the adapter of {suffix} is not installed")


def cut_of(film: Path) -> otio.schema.Timeline:
    time, span = otio.opentime.RationalTime, otio.opentime.TimeRange
    clips = [
        otio.schema.Clip(
            f"sh0{i}0",
            media_reference=otio.schema.ExternalReference(film.as_uri(), span(time(0, 24), time(96, 24))),
            source_range=span(time(24 * i, 24), time(12, 24)),
        )
        for i in (1, 2)
    ]
    track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video, children=clips)
    return otio.schema.Timeline("cut", tracks=[track], global_start_time=time(0, 24))


@pytest.mark.parametrize("suffix", [".xml", ".fcpxml"])
def test_a_cut_of_final_cut(tmp_path: Path, make_film: MakeFilm, suffix: str) -> None:
    needs(suffix)
    film = make_film(tmp_path / "a.mov", 96)
    otio.adapters.write_to_file(cut_of(film), str(tmp_path / f"cut{suffix}"), ADAPTERS[suffix])
    shots = load_timeline(tmp_path / f"cut{suffix}").shots
    assert [(s.media, s.start_frame, s.frame_count, s.problem) for s in shots] == [
        (film, 24, 12, ""),
        (film, 48, 12, ""),
    ]


def test_a_log_of_avid(tmp_path: Path, make_film: MakeFilm) -> None:
    needs(".ale")
    film = make_film(tmp_path / "A001.mov", 96, timecode="01:00:00:00")
    head = "Heading\nFIELD_DELIM\tTABS\nVIDEO_FORMAT\t1080\nFPS\t24\n\nColumn\n"
    head += "Name\tTape\tStart\tEnd\tSource File\n\nData\n"
    (tmp_path / "log.ale").write_text(head + "A001\tA001\t01:00:01:00\t01:00:02:00\tA001.mov\n")
    (shot,) = load_timeline(tmp_path / "log.ale").shots
    assert (shot.media, shot.start_frame, shot.frame_count) == (film, 86424, 24)


@pytest.mark.parametrize("suffix", sorted(ADAPTERS))
def test_what_cannot_be_read_is_one_line(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"cut{suffix}").write_text("no such thing")
    with pytest.raises(TimelineError) as refusal:
        load_timeline(tmp_path / f"cut{suffix}")
    assert "\n" not in str(refusal.value)
    assert "EDL" in str(refusal.value)
