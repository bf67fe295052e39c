"""The way back: outputs in the place of what they were made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest

from retarget.pipeline.editorial.deliver import Delivered, write_timeline
from retarget.pipeline.editorial.load import load_timeline
from retarget.pipeline.editorial.media_info import probe_media
from retarget.pipeline.editorial.place import place_shot
from retarget.pipeline.editorial.shot import TimelineShot
from retarget.pipeline.editorial.timeline import Timeline
from retarget.pipeline.errors import OptionError
from retarget.pipeline.media import EncodeOptions, create_video, open_video

MakeFilm = Callable[..., Path]


@dataclass(frozen=True)
class Flag:
    name: str
    comment: str
    color: str
    start_frame: int
    frame_count: int


def loaded(path: Path) -> Timeline:
    return load_timeline(path, media=path.parent / "plates")


def made(shot: TimelineShot | None, output: Path, marks: Sequence[Flag] = ()) -> Delivered:
    return Delivered(
        name=output.stem, source=Path("/plates/a.mov"), drivers=(Path("/d/smile.yaml"),), output=output,
        sequence_rate=Fraction(24), shot=shot, marks=marks,
    )  # fmt: skip


def test_the_cut_comes_back_with_the_outputs_in_it(cut: Path, tmp_path: Path, make_film: MakeFilm) -> None:
    timeline = loaded(cut)
    first, second, third = timeline.shots
    assert first.media is not None
    assert second.media is not None
    # as the writer makes them: timecode advanced to the first frame kept, or none
    film = probe_media(first.media)
    one = place_shot(first, film, handles_frames=4)
    three = place_shot(third, film, handles_frames=4)
    two = place_shot(second, probe_media(second.media), handles_frames=4)
    done = [
        made(one, make_film(tmp_path / "out/sh 010.mov", one.length_frames, 24, "01:00:00:06")),
        made(
            two,
            make_film(tmp_path / "out/sh020.mp4", two.length_frames, 24),
            [Flag("blur", "x < 3", "RED", 2, 3)],
        ),
        made(three, tmp_path / "out/never made.mov", [Flag("lost", "", "GREEN", 0, 1)]),
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
    assert [place_shot(s, probe_media(s.media)).first_frame for s in again[:2] if s.media] == [4, 4]


def test_what_the_writer_cuts_fits_the_timeline_again(cut: Path, tmp_path: Path) -> None:
    """The whole way with real files: the writer's own timecode leads back to the very frames."""
    timeline = loaded(cut)
    done = []
    for shot in timeline.shots:
        assert shot.media is not None
        placed = place_shot(shot, probe_media(shot.media), handles_frames=6)
        output = tmp_path / f"{shot.name}.mov"
        with (
            open_video(
                shot.media, trim_start=placed.trim_start_seconds, trim_end=placed.trim_end_seconds
            ) as reader,
            create_video(output, like=reader, options=EncodeOptions(preset="ultrafast")) as writer,
        ):
            for frame in reader:
                writer.write(frame)
        written = probe_media(output)
        assert written.frame_count == placed.length_frames
        assert written.start_frame == (86400 + placed.first_frame if "sh010" in shot.name else 0)
        done.append(made(placed, output))
    write_timeline(tmp_path / "back.otio", done, timeline)
    for shot, clip in zip(load_timeline(tmp_path / "back.otio").shots, done, strict=True):
        assert clip.shot is not None
        assert shot.media == clip.output
        assert shot.frame_count == clip.shot.frame_count
        assert place_shot(shot, probe_media(clip.output)).first_frame == clip.shot.head_frames


def test_the_original_is_left_alone(cut: Path, tmp_path: Path, make_film: MakeFilm) -> None:
    timeline = loaded(cut)
    before = otio.adapters.write_to_string(timeline.native, "otio_json")
    write_timeline(tmp_path / "b.otio", [made(timeline.shots[0], make_film(tmp_path / "o.mov"))], timeline)
    assert otio.adapters.write_to_string(timeline.native, "otio_json") == before


def test_outputs_without_a_timeline_follow_each_other(tmp_path: Path, make_film: MakeFilm) -> None:
    a = make_film(tmp_path / "a.mov", 20, 24, "02:00:00:00")
    b = make_film(tmp_path / "b.mp4", 30, 25)
    path = tmp_path / "all.otio"
    write_timeline(path, [made(None, a, [Flag("f", "c", "ORANGE", 5, 2)]), made(None, b)])
    timeline = otio.adapters.read_from_file(str(path))
    one, two = timeline.find_clips()
    assert one.source_range.start_time == otio.opentime.from_timecode("02:00:00:00", 24)
    assert one.markers[0].marked_range.start_time.value == 172805
    assert two.source_range.duration == otio.opentime.RationalTime(30, 25)
    assert timeline.duration().to_seconds() == pytest.approx(20 / 24 + 30 / 25)


def test_picture_outputs_are_a_sequence(tmp_path: Path, samples: Path) -> None:
    for number in range(101, 105):
        (tmp_path / f"o.{number:04d}.png").write_bytes((samples / "astronaut.png").read_bytes())
    write_timeline(tmp_path / "s.otio", [made(None, tmp_path / "o.%04d.png")])
    reference = otio.adapters.read_from_file(str(tmp_path / "s.otio")).find_clips()[0].media_reference
    assert (reference.start_frame, reference.frame_zero_padding, reference.name_suffix) == (101, 4, ".png")
    assert reference.target_url_for_image_number(2) == (tmp_path / "o.0103.png").as_uri()
    assert load_timeline(tmp_path / "s.otio").shots[0].media == tmp_path / "o.%04d.png"


def test_a_portable_timeline_finds_its_files_where_it_is_moved_to(tmp_path: Path, make_film: MakeFilm) -> None:
    output = make_film(tmp_path / "here/out/a.mov", 24)
    write_timeline(tmp_path / "here/batch.otio", [made(None, output)], is_portable=True)
    assert str(tmp_path) not in (tmp_path / "here/batch.otio").read_text()
    (tmp_path / "here").rename(tmp_path / "there")
    (shot,) = load_timeline(tmp_path / "there/batch.otio").shots
    assert shot.media == tmp_path / "there/out/a.mov"


def test_only_otio_is_written(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"back\.edl: cannot write a timeline as \.edl; name it \.otio"):
        write_timeline(tmp_path / "back.edl", [])
