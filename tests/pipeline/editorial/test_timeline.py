"""Timelines in and out, against films whose every frame number and timecode is known."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import opentimelineio as otio
import pytest

from retarget.pipeline.batch import Job
from retarget.pipeline.editorial import timeline as editorial
from retarget.pipeline.editorial.timeline import (
    MediaInfo,
    Shot,
    Timeline,
    TimelineError,
    load_timeline,
    place,
    probe_media,
    timecode_frames,
    write_timeline,
)
from retarget.pipeline.errors import OptionError, VideoOpenError
from retarget.pipeline.media import EncodeOptions, create_video, open_video
from retarget.pipeline.options import RetargetOptions

NTSC = Fraction(30000, 1001)

MakeFilm = Callable[..., Path]


@pytest.fixture(scope="session")
def make_film() -> MakeFilm:
    """`make_film(path, frames, rate, timecode)`: a tiny film; the suffix chooses the container."""

    def make(path: Path, frames: int = 48, rate: Fraction | int = 24, timecode: str = "") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            if timecode:
                container.metadata["timecode"] = timecode
            stream = container.add_stream("mpeg4", rate=rate)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            picture = np.full((48, 64, 3), 90, np.uint8)
            for _ in range(frames):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        return path

    return make


EDL = """\
TITLE: reel 3
FCM: NON-DROP FRAME

001  A001C003 V     C        01:00:00:10 01:00:00:20 10:00:00:00 10:00:00:10
* FROM CLIP NAME: sh010.mov
* LOC: 10:00:00:05 RED look here
002  A001C003 V     C        01:00:00:30 01:00:01:06 10:00:00:10 10:00:00:16
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def event(number: int, reel: str, source: str, record: str, *comments: str, channel: str = "V") -> str:
    """An EDL event; `source` and `record` are "in out"."""
    return "\n".join([f"{number:03d}  {reel} {channel} C {source} {record}", *comments, ""])


@pytest.fixture
def cut(tmp_path: Path, make_film: MakeFilm) -> Path:
    """Three shots of two films (01:00:00:00 onwards, and without a timecode), the first film used twice."""
    make_film(tmp_path / "plates/day 1/sh010.mov", 48, 24, "01:00:00:00")
    make_film(tmp_path / "plates/sh020.mp4", 30, 24)
    return write(
        tmp_path / "cut.edl",
        "TITLE: reel 3\nFCM: NON-DROP FRAME\n\n"
        + event(1, "A001", "01:00:00:10 01:00:00:20", "10:00:00:00 10:00:00:10", "* FROM CLIP NAME: sh010.mov")
        + event(2, "A002", "00:00:00:05 00:00:00:15", "10:00:00:10 10:00:00:20", "* FROM CLIP NAME: SH020")
        + event(3, "A001", "01:00:01:00 01:00:01:20", "10:00:01:00 10:00:01:20", "* FROM CLIP NAME: sh010.mov")
        + event(4, "A009", "01:00:00:00 01:00:00:10", "10:00:00:00 10:00:00:10", channel="AA"),
    )


def loaded(path: Path) -> Timeline:
    return load_timeline(path, media=path.parent / "plates")


def job_of(shot: Shot | None, output: Path, *, index: int = 1) -> Job:
    return Job(
        index=index, name=output.stem, source=Path("/plates/a.mov"), drivers=(Path("/d/smile.yaml"),),
        output=output, options=RetargetOptions(), where="jobs.yaml:1", shot=shot,
    )  # fmt: skip


# EDL


def test_edl_shots(cut: Path) -> None:
    timeline = loaded(cut)
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


def test_a_shot_is_laid_on_its_file_with_the_handles_it_has(cut: Path) -> None:
    first, second, third = loaded(cut).shots
    assert first.media is not None
    media = probe_media(first.media)
    assert (media.start_frame, media.frame_count) == (86400, 48)
    placed = place(first, media, handles_frames=12)
    # only ten frames lie before the cut; twelve and more behind it
    assert (placed.first_frame, placed.head_frames, placed.tail_frames) == (0, 10, 12)
    assert placed.trim_start_seconds is None
    assert placed.trim_end_seconds == pytest.approx(32 / 24)
    last = place(third, media, handles_frames=12)
    assert (last.first_frame, last.head_frames, last.tail_frames, last.length_frames) == (12, 12, 4, 36)
    assert last.trim_start_seconds == pytest.approx(0.5)
    assert last.trim_end_seconds is None
    assert last.head_seconds == pytest.approx(0.5)
    assert second.media is not None
    bare = place(second, probe_media(second.media))
    assert (bare.first_frame, bare.length_frames) == (5, 10)


def test_drop_frame_list_without_semicolons(tmp_path: Path, make_film: MakeFilm) -> None:
    # 00:10:00;00 is frame 17982: the first two numbers of each minute but every tenth are left out
    make_film(tmp_path / "a.mov", 60, NTSC, "00:09:59;28")
    text = "TITLE: t\nFCM: DROP FRAME\n" + event(1, "a", "00:10:00:00 00:10:00:10", "01:00:59:29 01:01:00:09")
    shot = load_timeline(write(tmp_path / "cut.edl", text)).shots[0]
    assert shot.rate == NTSC
    assert shot.start_frame == 17982
    assert shot.record_frame == 107892 + 1799
    assert place(shot, probe_media(tmp_path / "a.mov")).first_frame == 2
    assert shot.record_timecode == "01:00:59;29"


def test_timecode_frames() -> None:
    assert timecode_frames("01:00:00:00", Fraction(24000, 1001)) == 86400
    assert timecode_frames("00:01:00;02", NTSC) == 1800
    assert timecode_frames("00:00:01:00", Fraction(2997, 100)) == 30
    with pytest.raises(TimelineError, match=r"'00:00:00:24' is no timecode at 24 frames per second; write it as"):
        timecode_frames("00:00:00:24", Fraction(24))


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
    assert place(shots[2], probe_media(plates / "deep/sh010_%04d.png"), handles_frames=9).tail_frames == 1


def test_folders_and_kinds_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(
        TimelineError, match=r"nowhere: is no folder; name the one that holds the media of cut\.edl"
    ):
        load_timeline(write(tmp_path / "cut.edl", EDL), media=tmp_path / "nowhere")
    with pytest.raises(TimelineError, match=r"cut\.xml: is no timeline that is understood; export it as EDL"):
        load_timeline(write(tmp_path / "cut.xml", ""))
    with pytest.raises(TimelineError, match=r"gone\.edl: cannot be read \(No such file"):
        load_timeline(tmp_path / "gone.edl")


# Placing


@pytest.fixture
def shot() -> Shot:
    return Shot(
        number=1, name="a", clip_name="a", track="V", media=Path("a.mov"), rate=Fraction(24), start_frame=10,
        frame_count=10, record_frame=0, record_rate=Fraction(24),
    )  # fmt: skip


def test_placing_outside_of_the_file(shot: Shot) -> None:
    media = MediaInfo(Path("a.mov"), Fraction(24), 18, 0)
    with pytest.raises(TimelineError, match=r"a\.mov: has frames 0 to 17, the shot wants 10 to 19; .*media_start"):
        place(shot, media)
    with pytest.raises(TimelineError, match="the shot wants -5 to 4"):
        place(shot, media, media_start_frame=15)
    assert place(shot, media, media_start_frame=8).first_frame == 2
    # one frame too many is how some systems count the end; a file of unknown length is taken at its word
    assert place(shot, replace(media, frame_count=19)).frame_count == 9
    assert place(shot, replace(media, frame_count=0), handles_frames=5).tail_frames == 5


def test_a_file_whose_timecode_is_none(shot: Shot) -> None:
    media = MediaInfo(Path("a.mov"), Fraction(24), 18, timecode="00:00:00:30")
    with pytest.raises(
        TimelineError, match=r"a\.mov: its timecode cannot be read: '00:00:00:30' is no timecode at 24"
    ):
        place(shot, media)
    assert place(shot, media, media_start_frame=8).first_frame == 2  # which need not be read


def test_placing_at_another_rate(shot: Shot) -> None:
    media = MediaInfo(Path("a.mov"), Fraction(48), 100, 0)
    placed = place(shot, media, handles_frames=4)
    assert (placed.first_frame, placed.frame_count, placed.rate) == (16, 20, Fraction(48))
    slowed = MediaInfo(Path("a.mov"), Fraction(24000, 1001), 100, 0)
    assert place(shot, slowed).first_frame == 10  # the same frames, a thousandth slower
    with pytest.raises(TimelineError, match=r"runs at 48 frames per second, the EDL seems to count at 24; say"):
        place(replace(shot, is_rate_guessed=True), media)


# OpenTimelineIO


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
    assert place(first, probe_media(film)).first_frame == 5  # the timeline's count goes before the file's
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
    assert place(shot, MediaInfo(shot.media, Fraction(24), 10, 1001), handles_frames=2).first_frame == 0


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


# PySceneDetect


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
        placed = place(shots[1], probe_media(film), handles_frames=4)
        assert (placed.first_frame, placed.length_frames) == (6, 29)


HEADER = "Scene Number,Start Frame,Start Timecode,End Frame\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a,b\n1,2\n", "is no scene list; write one with `scenedetect"),
        (HEADER, "lists no scene; detect them again"),
        (
            HEADER + "1,1,00:00:00.000,10\n2,eleven,x,20\n",
            r"csv:3: needs whole numbers for Scene Number, Start Frame",
        ),
        (
            "Timecode List:,x\n" + HEADER + "1,11,00:00:00.000,10\n",
            r"csv:3: scene 1 runs from frame 11 to 10; correct",
        ),
    ],
)
def test_scene_lists_that_cannot_be_read(tmp_path: Path, make_film: MakeFilm, text: str, complaint: str) -> None:
    with pytest.raises(TimelineError, match=complaint):
        load_timeline(write(tmp_path / "s.csv", text), source=make_film(tmp_path / "film.mov"))


def test_a_scene_list_needs_its_film(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", HEADER + "1,1,x,10\n")
    with pytest.raises(TimelineError, match="does not name its film; add 'source: FILM'"):
        load_timeline(path)
    with pytest.raises(VideoOpenError, match=r"gone\.mov"):
        load_timeline(path, source=tmp_path / "gone.mov")


# The way back


@dataclass(frozen=True)
class Flag:
    name: str
    comment: str
    color: str
    start_frame: int
    frame_count: int


def test_the_cut_comes_back_with_the_outputs_in_it(cut: Path, tmp_path: Path, make_film: MakeFilm) -> None:
    timeline = loaded(cut)
    first, second, third = timeline.shots
    assert first.media is not None
    assert second.media is not None
    # as the writer makes them: timecode advanced to the first frame kept, or none
    film = probe_media(first.media)
    one = place(first, film, handles_frames=4)
    three = place(third, film, handles_frames=4)
    two = place(second, probe_media(second.media), handles_frames=4)
    done = [
        (job_of(one, make_film(tmp_path / "out/sh 010.mov", one.length_frames, 24, "01:00:00:06")), []),
        (
            job_of(two, make_film(tmp_path / "out/sh020.mp4", two.length_frames, 24)),
            [Flag("blur", "x < 3", "RED", 2, 3)],
        ),
        (job_of(three, tmp_path / "out/never made.mov"), [Flag("lost", "", "GREEN", 0, 1)]),
    ]
    path = tmp_path / "back.otio"
    write_timeline(path, done, timeline)
    back = otio.adapters.read_from_file(str(path))
    assert back.global_start_time == otio.opentime.from_timecode("10:00:00:00", 24)
    assert [track.kind for track in back.tracks] == ["Video", "Audio", "Audio"]
    a, b, c = back.video_tracks()[0].find_clips()
    assert a.media_reference.target_url == (tmp_path / "out/sh 010.mov").as_uri()
    assert a.source_range == timeline.native.video_tracks()[0][0].source_range  # by timecode: nothing moves
    assert a.media_reference.available_range.start_time.value == 86406
    assert b.source_range.start_time.value == 4  # no timecode: the handle comes first
    assert b.source_range.duration.value == 10
    assert [(m.name, m.comment, m.color) for m in b.markers] == [("blur", "x < 3", "RED")]
    assert b.markers[0].marked_range == otio.opentime.TimeRange(
        otio.opentime.RationalTime(2, 24), otio.opentime.RationalTime(3, 24)
    )
    assert b.metadata["retarget"]["job"] == "sh020"
    assert not isinstance(c.media_reference, otio.schema.ExternalReference)
    assert not c.markers
    # read again, it cuts the outputs at the very frames
    again = load_timeline(path).shots
    assert [s.record_timecode for s in again] == ["10:00:00:00", "10:00:00:10", "10:00:01:00"]
    assert [place(s, probe_media(s.media)).first_frame for s in again[:2] if s.media] == [4, 4]


def test_what_the_writer_cuts_fits_the_timeline_again(cut: Path, tmp_path: Path) -> None:
    """The whole way with real files: the writer's own timecode leads back to the very frames."""
    timeline = loaded(cut)
    done = []
    for shot in timeline.shots:
        assert shot.media is not None
        placed = place(shot, probe_media(shot.media), handles_frames=6)
        output = tmp_path / f"{shot.name}.mov"
        with (
            open_video(
                shot.media, trim_start=placed.trim_start_seconds, trim_end=placed.trim_end_seconds
            ) as reader,
            create_video(output, like=reader, options=EncodeOptions(preset="ultrafast")) as writer,
        ):
            for frame in reader:
                writer.write(frame)
        made = probe_media(output)
        assert made.frame_count == placed.length_frames
        assert made.start_frame == (86400 + placed.first_frame if "sh010" in shot.name else 0)
        done.append((job_of(placed, output), []))
    write_timeline(tmp_path / "back.otio", done, timeline)
    for shot, (job, _) in zip(load_timeline(tmp_path / "back.otio").shots, done, strict=True):
        assert job.shot is not None
        assert shot.media == job.output
        assert shot.frame_count == job.shot.frame_count
        assert place(shot, probe_media(job.output)).first_frame == job.shot.head_frames


def test_the_original_is_left_alone(cut: Path, tmp_path: Path, make_film: MakeFilm) -> None:
    timeline = loaded(cut)
    before = otio.adapters.write_to_string(timeline.native, "otio_json")
    write_timeline(tmp_path / "b.otio", [(job_of(timeline.shots[0], make_film(tmp_path / "o.mov")), [])], timeline)
    assert otio.adapters.write_to_string(timeline.native, "otio_json") == before


def test_outputs_without_a_timeline_follow_each_other(tmp_path: Path, make_film: MakeFilm) -> None:
    a = make_film(tmp_path / "a.mov", 20, 24, "02:00:00:00")
    b = make_film(tmp_path / "b.mp4", 30, 25)
    path = tmp_path / "all.otio"
    write_timeline(path, [(job_of(None, a), [Flag("f", "c", "ORANGE", 5, 2)]), (job_of(None, b, index=2), [])])
    timeline = otio.adapters.read_from_file(str(path))
    one, two = timeline.find_clips()
    assert one.source_range.start_time == otio.opentime.from_timecode("02:00:00:00", 24)
    assert one.markers[0].marked_range.start_time.value == 172805
    assert two.source_range.duration == otio.opentime.RationalTime(30, 25)
    assert timeline.duration().to_seconds() == pytest.approx(20 / 24 + 30 / 25)


def test_picture_outputs_are_a_sequence(tmp_path: Path, samples: Path) -> None:
    for number in range(101, 105):
        (tmp_path / f"o.{number:04d}.png").write_bytes((samples / "astronaut.png").read_bytes())
    write_timeline(tmp_path / "s.otio", [(job_of(None, tmp_path / "o.%04d.png"), [])])
    reference = otio.adapters.read_from_file(str(tmp_path / "s.otio")).find_clips()[0].media_reference
    assert (reference.start_frame, reference.frame_zero_padding, reference.name_suffix) == (101, 4, ".png")
    assert reference.target_url_for_image_number(2) == (tmp_path / "o.0103.png").as_uri()
    assert load_timeline(tmp_path / "s.otio").shots[0].media == tmp_path / "o.%04d.png"


def test_only_otio_is_written(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"back\.edl: cannot write a timeline as \.edl; name it \.otio"):
        write_timeline(tmp_path / "back.edl", [])


def test_timecode_of_real_containers(tmp_path: Path, make_film: MakeFilm) -> None:
    assert probe_media(make_film(tmp_path / "a.mov", 5, 25, "10:11:12:13")).start_frame == (
        ((10 * 60 + 11) * 60 + 12) * 25 + 13
    )
    assert probe_media(make_film(tmp_path / "a.mkv", 5, 25)).start_frame == 0
    assert editorial.as_file_name(" a/b:c.MOV") == "a_b_c"
    assert editorial.as_file_name("...") == "shot"
