"""OpenTimelineIO files and scene lists read as shots."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest

from retarget.pipeline.editorial.load import load_timeline
from retarget.pipeline.editorial.media_info import MediaInfo, probe_media
from retarget.pipeline.editorial.place import place_shot
from retarget.pipeline.editorial.timeline import TimelineError
from retarget.pipeline.errors import VideoOpenError

from .conftest import write

MakeFilm = Callable[..., Path]

EDL = """\
TITLE: reel 3
FCM: NON-DROP FRAME

001  A001C003 V     C        01:00:00:10 01:00:00:20 10:00:00:00 10:00:00:10
* FROM CLIP NAME: sh010.mov
* LOC: 10:00:00:05 RED look here
002  A001C003 V     C        01:00:00:30 01:00:01:06 10:00:00:10 10:00:00:16
"""


def test_folders_and_kinds_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(
        TimelineError, match=r"nowhere: is no folder; name the one that holds the media of cut\.edl"
    ):
        load_timeline(write(tmp_path / "cut.edl", EDL), media=tmp_path / "nowhere")
    with pytest.raises(TimelineError, match=r"cut\.prproj: is no timeline that is understood; export it as EDL"):
        load_timeline(write(tmp_path / "cut.prproj", ""))
    with pytest.raises(TimelineError, match=r"gone\.edl: cannot be read \(No such file"):
        load_timeline(tmp_path / "gone.edl")


def clip(name: str, start: float, count: float, rate: float = 24, **fields: object) -> otio.schema.Clip:
    span = otio.opentime.TimeRange(
        otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(count, rate)
    )
    return otio.schema.Clip(name, source_range=span, **fields)


def file_at(path: Path | str, start: float, count: float, rate: float = 24) -> otio.schema.ExternalReference:
    span = otio.opentime.TimeRange(
        otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(count, rate)
    )
    return otio.schema.ExternalReference(str(path), span)


def save(path: Path, *clips: object, start: float = 0) -> Path:
    track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video, children=list(clips))
    timeline = otio.schema.Timeline("cut", global_start_time=otio.opentime.RationalTime(start, 24), tracks=[track])
    otio.adapters.write_to_file(timeline, str(path))
    return path


def test_otio_shots(tmp_path: Path, make_film: MakeFilm) -> None:
    film = make_film(tmp_path / "my plates/über a.mov", 48)
    hidden = clip("hidden", 0, 5, media_reference=file_at(film, 0, 48))
    hidden.enabled = False
    path = save(
        tmp_path / "cut.otio",
        clip("first", 1005, 10, media_reference=file_at(film.as_uri(), 1000, 48)),
        otio.schema.Gap(duration=otio.opentime.RationalTime(24, 24)),
        clip("second/b", 0, 10, media_reference=file_at("my plates/über a.mov", 0, 48)),
        hidden,
        start=86400,
    )
    first, second = load_timeline(path).shots
    assert first.media == second.media == film
    assert (first.start_frame, first.media_start_frame, first.record_timecode) == (1005, 1000, "01:00:00:00")
    assert place_shot(first, probe_media(film)).first_frame == 5  # the timeline's count goes before the file's
    assert second.name == "second_b"
    assert second.record_frame == 86400 + 34


def test_otio_image_sequence(tmp_path: Path, samples: Path) -> None:
    for number in range(1001, 1011):
        (tmp_path / f"sh.{number}.png").write_bytes((samples / "astronaut.png").read_bytes()[:100])
    span = otio.opentime.TimeRange(otio.opentime.RationalTime(1001, 24), otio.opentime.RationalTime(10, 24))
    reference = otio.schema.ImageSequenceReference(
        tmp_path.as_uri(), "sh.", ".png", start_frame=1001, rate=24, frame_zero_padding=4,
        available_range=span,
    )  # fmt: skip
    shot = load_timeline(save(tmp_path / "cut.otio", clip("sh", 1003, 4, media_reference=reference))).shots[0]
    assert shot.media == tmp_path / "sh.%04d.png"
    assert place_shot(shot, MediaInfo(shot.media, Fraction(24), 10, 1001), handles_frames=2).first_frame == 0


def test_clips_that_cannot_be_used_say_so(tmp_path: Path, make_film: MakeFilm) -> None:
    film = make_film(tmp_path / "a.mov")
    backwards = clip("back", 0, 10, media_reference=file_at(film, 0, 48))
    backwards.effects.append(otio.schema.LinearTimeWarp(time_scalar=-1))
    frozen = clip("frozen", 7, 10, media_reference=file_at(film, 0, 48))
    frozen.effects.append(otio.schema.FreezeFrame())
    path = save(
        tmp_path / "cut.otio", backwards, frozen, clip("gone", 0, 10, media_reference=file_at("gone.mov", 0, 9))
    )
    back, still, gone = load_timeline(path).shots
    assert back.problem.startswith("runs backwards in the timeline; render it forwards")
    assert (still.start_frame, still.frame_count, still.problem) == (7, 1, "")
    assert gone.problem.startswith("no media called gone.mov or gone beside the timeline in ")
    rangeless = save(
        tmp_path / "b.otio", otio.schema.Clip("none", media_reference=otio.schema.ExternalReference(str(film)))
    )
    assert "the timeline gives it no range" in load_timeline(rangeless).shots[0].problem


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", r"cut\.otio: is no OpenTimelineIO file \(.*\); export it again"),
        (otio.adapters.write_to_string(otio.schema.Clip("a"), "otio_json"), "holds a Clip, not one timeline"),
        (
            otio.adapters.write_to_string(otio.schema.Timeline("a"), "otio_json"),
            "shows no clip on its video tracks",
        ),
    ],
)
def test_otio_that_is_no_timeline(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(TimelineError, match=complaint):
        load_timeline(write(tmp_path / "cut.otio", text))


def test_scene_list_as_pyscenedetect_writes_it(tmp_path: Path, make_film: MakeFilm) -> None:
    from scenedetect import FrameTimecode
    from scenedetect.scene_manager import write_scene_list

    film = make_film(tmp_path / "film.mov", 48)
    times = [FrameTimecode(n, 24.0) for n in (0, 10, 31, 48)]
    for with_cuts in (True, False):
        path = tmp_path / f"film-{with_cuts}-Scenes.csv"
        with path.open("w", newline="") as file:
            write_scene_list(file, list(itertools.pairwise(times)), include_cut_list=with_cuts)
        shots = load_timeline(path, source=film).shots
        assert [(s.start_frame, s.frame_count) for s in shots] == [(0, 10), (10, 21), (31, 17)]
        assert [s.name for s in shots] == ["film-Scene-001", "film-Scene-002", "film-Scene-003"]
        assert {s.media for s in shots} == {film}
        placed = place_shot(shots[1], probe_media(film), handles_frames=4)
        assert (placed.first_frame, placed.length_frames) == (6, 29)


HEADER = "Scene Number,Start Frame,Start Timecode,End Frame\n"


def test_a_scene_list_needs_its_film(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", HEADER + "1,1,x,10\n")
    with pytest.raises(TimelineError, match="does not name its film; add 'source: FILM'"):
        load_timeline(path)
    with pytest.raises(VideoOpenError, match=r"gone\.mov"):
        load_timeline(path, source=tmp_path / "gone.mov")


def test_a_nest_shows_only_what_it_is_trimmed_to(tmp_path: Path, make_film: Callable[..., Path]) -> None:
    film = make_film(tmp_path / "a.mov", 48)
    inner = [clip(name, 0, 24, media_reference=file_at(film, 0, 48)) for name in ("before", "seen")]
    time = otio.opentime.RationalTime
    nest = otio.schema.Track(
        "nest",
        kind=otio.schema.TrackKind.Video,
        children=inner,
        source_range=otio.opentime.TimeRange(time(30, 24), time(10, 24)),
    )
    (shot,) = load_timeline(save(tmp_path / "cut.otio", nest)).shots
    assert (shot.name, shot.start_frame, shot.frame_count, shot.record_frame) == ("seen", 6, 10, 0)
