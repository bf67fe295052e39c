"""Sheets, timelines and globs made into jobs; and every mistake told at its line, all at once."""

from __future__ import annotations

import os
import pickle
import re
import time
from collections.abc import Callable
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from retarget.pipeline.batch.jobs import (
    _ENCODE_OPTION_OF,
    _OPTION_OF,
    Job,
    JobSheetError,
    fill_name,
    jobs_from_globs,
    load_jobs,
    load_sheet,
)
from retarget.pipeline.errors import OptionError
from retarget.pipeline.faces import FaceSelection
from retarget.pipeline.media import EncodeOptions
from retarget.pipeline.options import RetargetOptions

MakeFilm = Callable[..., Path]

CURVES = "version: 1\ncurves: {AU12: {0: 0, 1: 0.5}}\n"


@pytest.fixture(scope="session")
def film_bytes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int, str], bytes]:
    made: dict[tuple[int, int, str], bytes] = {}

    def make(frames: int, rate: int, timecode: str) -> bytes:
        key = (frames, rate, timecode)
        if key not in made:
            path = tmp_path_factory.mktemp("film") / "film.mov"
            with av.open(str(path), "w") as container:
                if timecode:
                    container.metadata["timecode"] = timecode
                stream = container.add_stream("mpeg4", rate=rate)
                stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
                picture = np.full((48, 64, 3), 90, np.uint8)
                for _ in range(frames):
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                container.mux(stream.encode())
            made[key] = path.read_bytes()
        return made[key]

    return make


@pytest.fixture
def film(tmp_path: Path, film_bytes: Callable[[int, int, str], bytes]) -> MakeFilm:
    """`film(name, frames, rate, timecode)` below the test's folder."""

    def make(name: str, frames: int = 48, rate: int = 24, timecode: str = "") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(film_bytes(frames, rate, timecode))
        return path

    return make


@pytest.fixture
def folder(tmp_path: Path, film: MakeFilm) -> Path:
    """Two plates, a clip and curves as drivers."""
    film("a.mov")
    film("b.mov", 25, 25)
    film("face.mov")
    (tmp_path / "smile.yaml").write_text(CURVES)
    return tmp_path


def sheet(folder: Path, text: str, name: str = "jobs.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def jobs_of(folder: Path, text: str, **more: Any) -> list[Job]:
    return load_jobs(sheet(folder, text), **more)


def mistakes_of(folder: Path, text: str, name: str = "jobs.yaml", **more: Any) -> list[str]:
    """The lines of the error, with the sheet's path as its name alone."""
    with pytest.raises(JobSheetError) as caught:
        load_jobs(sheet(folder, text, name), **more)
    assert caught.value.exit_code == 2
    return [line.replace(f"{folder}/", "") for line in caught.value.mistakes]


def one(text: str) -> str:
    """A sheet with one job of these lines besides source and driver (lines 2 and 3)."""
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    return f"jobs:\n  - source: a.mov\n    driver: smile.yaml\n{lines}"


# What is in a job


def test_every_option_can_be_said(folder: Path) -> None:
    assert set(_OPTION_OF.values()) | {"trim_start", "trim_end", "encode"} == {
        field.name for field in fields(RetargetOptions)
    }
    # how many threads an encoder has is the runner's to say
    assert set(_ENCODE_OPTION_OF.values()) | {"threads"} == {field.name for field in fields(EncodeOptions)}


def test_a_job_in_full(folder: Path) -> None:
    job = jobs_of(
        folder,
        one(
            "output: out/x.mov\nstart: 12f\nend: 00:00:01:12\nmode: add\nstrength: 0.5\n"
            "gain: {AU12: 0.5, lip corner depressor: 0}\nregion: [mouth, AU06]\nsmooth: 0\ndriver-neutral: none\n"
            "source_neutral: 3f\ngaze: true\ndriver_offset: -1\nafter: loop\nrelease: 250ms\nface: left-right:1\n"
            "driver face: '2'\nmin-face: 40\ndevice: cpu\nbatch_size: 2\nframe_rate: 23.976\noverwrite: true\n"
            "encoder: prores\nprofile: hq\npix-fmt: yuv422p10le"
        ),
    )[0]
    assert job == Job(
        index=1,
        name="out--x",
        source=folder / "a.mov",
        drivers=(folder / "smile.yaml",),
        output=folder / "out/x.mov",
        where=f"{folder}/jobs.yaml:2",
        options=RetargetOptions(
            trim_start=0.5, trim_end=1.5, mode="add", strength=0.5,
            gains={"AU12": 0.5, "lip corner depressor": 0.0}, regions=("mouth", "AU06"), smooth_seconds=0,
            driver_neutral="none", source_neutral=0.125, gaze=True, driver_offset_seconds=-1, after="loop",
            release_seconds=0.25, faces=FaceSelection("left-right", 1), driver_faces=FaceSelection(index=2),
            min_face_px=40, device="cpu", batch=2, sequence_rate=Fraction(24000, 1001), overwrite=True,
            encode=EncodeOptions(codec="prores", profile="hq", pixel_format="yuv422p10le"),
        ),
    )  # fmt: skip
    assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301 - our own; jobs go to other processes


def test_the_nearest_word_counts(folder: Path) -> None:
    text = (
        "strength: 0.7\ndefaults: {driver: smile.yaml, crf: 20, start: 1s, end: 1.5s}\n"
        "jobs:\n  - source: a.mov\n  - {source: b.mov, crf: 30, frames: 2-3, driver: face.mov}\n"
    )
    a, b = jobs_of(folder, text, defaults={"strength": 0.1, "preset": "fast", "crf": None, "gaze": True})
    assert a.options.encode == EncodeOptions(crf=20, preset="fast")
    assert (a.options.strength, a.options.gaze) == (0.7, True)
    assert (a.options.trim_start, a.options.trim_end) == (1.0, 1.5)
    assert b.options.encode.crf == 30
    assert (b.options.trim_start, b.options.trim_end) == (pytest.approx(2 / 25), pytest.approx(4 / 25))
    assert b.drivers == (folder / "face.mov",)


def test_paths_of_defaults_count_from_the_current_folder(
    folder: Path, film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    film("elsewhere/face.mov")
    monkeypatch.chdir(folder / "elsewhere")
    jobs = jobs_of(folder, "source: a.mov", defaults={"driver": Path("face.mov")}, output_dir=Path("o"))
    assert jobs[0].drivers == (folder / "elsewhere/face.mov",)
    assert jobs[0].output == folder / "elsewhere/o/a--face.mov"
    assert load_sheet(folder / "jobs.yaml", defaults={"driver": "face.mov"}).output_dir == folder


@pytest.mark.parametrize(
    ("frames", "start", "end"),
    [
        ("10-19", 10 / 24, 20 / 24), ("10..19", 10 / 24, 20 / 24), ("7", 7 / 24, 8 / 24),
        ("0-4", None, 5 / 24), ("10-", 10 / 24, None), ("'-4'", None, 5 / 24),
    ],
)  # fmt: skip
def test_frames(folder: Path, frames: str, start: float | None, end: float | None) -> None:
    options = jobs_of(folder, one(f"frames: {frames}"))[0].options
    assert (options.trim_start, options.trim_end) == (start, end)


def test_frames_of_a_sequence_are_its_numbers(folder: Path, samples: Path) -> None:
    for number in range(1001, 1006):
        (folder / f"sh.{number}.png").write_bytes((samples / "astronaut.png").read_bytes())
    text = "driver: smile.yaml\njobs:\n  - {source: sh.####.png, frames: 1002-1003, frame_rate: 25}\n"
    job = jobs_of(folder, text)[0]
    assert (job.options.trim_start, job.options.trim_end) == (1 / 25, 3 / 25)
    assert job.name == "sh--smile"
    assert job.output == folder / "sh--smile.mp4"
    assert mistakes_of(folder, text.replace("1002-", "10-"))[0].endswith(
        "10-1003 is no range; frames count from 1001 upwards"
    )


def test_the_source_is_opened_only_for_its_rate(folder: Path) -> None:
    (folder / "a.mov").write_bytes(b"")  # one that fails in its turn, without stopping the others
    assert len(jobs_of(folder, one("start: 1.5\nend: 00:00:02.500"))) == 1
    assert mistakes_of(folder, one("start: 1f"))[0].startswith("jobs.yaml:4: a.mov: ")


def test_several_drivers(folder: Path) -> None:
    text = "jobs:\n  - source: a.mov\n    drivers: [smile.yaml, face.mov]\n"
    job = jobs_of(folder, text)[0]
    assert job.drivers == (folder / "smile.yaml", folder / "face.mov")
    assert job.options.faces == FaceSelection("left-right", None)
    assert job.output.name == "a--smile+face.mov"
    assert jobs_of(folder, text + "    face: top-bottom:all\n")[0].options.faces == FaceSelection(
        "top-bottom", None
    )
    assert mistakes_of(folder, text + "    face: 1\n") == [
        "jobs.yaml:4: face: 1 is one face for several drivers; use ORDER:all"
    ]
    assert mistakes_of(folder, text + "    driver: smile.yaml\n") == [
        "jobs.yaml:3: 'driver' and 'drivers' are both said; keep one of them"
    ]


def test_csv(folder: Path) -> None:
    table = """\
# shots of Monday
Source;Drivers;start;gain;Pixel-Format;name
a.mov;smile.yaml|face.mov;0.5;"AU12=0.5; AU04=0";;"{index}"
;;;;;
# b.mov;smile.yaml
b.mov;smile.yaml;;;yuv420p;
"""
    a, b = load_jobs(sheet(folder, "\ufeff" + table, "jobs.csv"), defaults={"crf": 30})
    assert a.drivers == (folder / "smile.yaml", folder / "face.mov")
    assert a.options.gains == {"AU12": 0.5, "AU04": 0.0}
    assert (a.options.trim_start, a.output.name, a.where) == (0.5, "1.mov", f"{folder}/jobs.csv:3")
    assert b.options.encode == EncodeOptions(crf=30, pixel_format="yuv420p")
    assert (b.options.trim_start, b.where) == (None, f"{folder}/jobs.csv:6")


# Globs and names


def test_globs(folder: Path, film: MakeFilm) -> None:
    for name in ("plates/sc01/p.mov", "plates/sc02/p.mov", "plates/sc02/ü b.mov", "plates/out/p--smile.mov"):
        film(name)
    (folder / "plates/sc02/notes.txt").write_text("")
    text = (
        "output_dir: plates/out\ndriver: smile.yaml\nname: '{source_folder}/{index:03d}_{source_name}.{ext}'\n"
        "source: 'plates/**/*.mov'\n"
    )
    jobs = jobs_of(folder, text)
    assert [job.source.relative_to(folder).as_posix() for job in jobs] == [
        "plates/sc01/p.mov", "plates/sc02/p.mov", "plates/sc02/ü b.mov"
    ]  # fmt: skip
    assert [job.output.relative_to(folder).as_posix() for job in jobs] == [
        "plates/out/sc01/001_p.mov", "plates/out/sc02/002_p.mov", "plates/out/sc02/003_ü b.mov"
    ]  # fmt: skip
    assert [job.name for job in jobs] == ["sc01--001_p", "sc02--002_p", "sc02--003_ü b"]
    assert [job.index for job in jobs] == [1, 2, 3]


def test_globs_of_sequences(folder: Path, samples: Path) -> None:
    for name in ("p/one/x.0001.png", "p/one/x.0002.png", "p/one/y.0001.png", "p/two/x.0001.png", "p/two/x.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((samples / "astronaut.png").read_bytes())
    text = "driver: smile.yaml\nname: '{source_folder}_{source_name}.%04d.png'\nsource: 'p/*/*.%04d.png'\n"
    jobs = jobs_of(folder, text)
    assert [job.source.relative_to(folder / "p").as_posix() for job in jobs] == [
        "one/x.%04d.png", "one/y.%04d.png", "two/x.%04d.png"
    ]  # fmt: skip
    assert jobs[0].output == folder / "one_x.%04d.png"


def test_a_name_with_glob_signs_is_a_file_first(folder: Path, film: MakeFilm) -> None:
    film("take[1].mov")
    assert jobs_of(folder, "driver: smile.yaml\nsource: 'take[1].mov'\n")[0].source.name == "take[1].mov"


def test_jobs_from_globs(folder: Path) -> None:
    options = RetargetOptions(strength=0.5)
    out = folder / "out"
    globs = [f"{folder}/[ab].mov", f"{folder}/a.*"]
    jobs = jobs_from_globs(
        globs, folder / "smile.yaml", output_dir=out, pattern="{index}-{source_name}", options=options
    )
    assert [job.output for job in jobs] == [out / "1-a.mov", out / "2-b.mov"]  # a.mov once
    assert [job.options for job in jobs] == [options, options]
    assert jobs[0].where == f"--source {folder}/[ab].mov"
    with pytest.raises(JobSheetError) as caught:
        jobs_from_globs(["x*.mov", f"{folder}/a.mov"], folder / "gone.yaml", output_dir=out, pattern="{nam}")
    assert caught.value.mistakes == (
        f"--driver: {folder}/gone.yaml: no such file; correct the path",
        f"--source {folder}/a.mov: name '{{nam}}': there is no {{nam}}; there are index, source_name, "
        "source_folder, driver_name, shot_name, ext",
        "--source x*.mov: source x*.mov: matches no file; correct the pattern",
    )


def test_names_are_unique_where_case_does_not_count(folder: Path) -> None:
    text = (
        "driver: smile.yaml\njobs:\n  - {source: a.mov, output: /x/T.mov}\n  - {source: b.mov, output: /y/t.mov}\n"
    )
    assert [job.name for job in jobs_of(folder, text)] == ["T", "t-2"]


@pytest.mark.parametrize(
    ("pattern", "filled"),
    [
        ("{index:03d}_{source_name}", "007_a"), ("{{x}}{ext}", "{x}mov"), ("%04d", "%04d"),
        ("{source_name:_>4}", "___a"),
    ],
)  # fmt: skip
def test_fill_name(pattern: str, filled: str) -> None:
    assert fill_name(pattern, {"index": 7, "source_name": "a", "ext": "mov"}) == filled


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("{sourcename}", r"there is no \{sourcename\}; did you mean \{source_name\}\?"),
        ("{index.real}", r"there is no \{index\.real\}"),
        ("{index!r}", r"there is no \{index\}"),
        ("{shot_name}", r"\{shot_name\} is only for jobs of a timeline; leave it out"),
        ("{index:x y}", r"name '\{index:x y\}': .*; write fields as"),
        ("{index", r"write fields as \{index:03d\}_\{source_name\}"),
    ],
)
def test_names_that_cannot_be_filled(pattern: str, complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        fill_name(pattern, {"index": 7, "source_name": "a"})


def test_outputs_take_a_suffix_that_fits(folder: Path, film: MakeFilm) -> None:
    (folder / "c.avi").write_bytes((folder / "a.mov").read_bytes())

    def output(source: str, more: str = "") -> str:
        return (
            jobs_of(folder, f"driver: smile.yaml\nsource: {source}\n{more}")[0]
            .output.relative_to(folder)
            .as_posix()
        )

    assert output("a.mov") == "a--smile.mov"
    assert output("c.avi") == "c--smile.mp4"
    assert output("c.avi", "encoder: prores") == "c--smile.mov"
    assert output("a.mov", "encoder: ffv1") == "a--smile.mkv"
    assert output("a.mov", "name: v1.2") == "v1.2.mov"
    assert output("a.mov", "output: new/") == "new/a--smile.mov"
    assert output("a.mov", "output_dir: o\noutput: '{source_name}.mkv'") == "o/a.mkv"


# Mistakes


def test_all_mistakes_at_once(folder: Path) -> None:
    text = """\
driver: smile.yaml
defaults:
  strength: 20
  pixelformat: yuv420p
  crf: 17
  encoder: prores
jobs:
  - source: a.mov
    gain: {AU12: x, AU99: 1}
    start: 2s
    end: 1s
  - source: nope.mov
    strength: true
  - {driver: face.mov, source: 'n*.mov'}
  - source: b.mov
    driver: none.yaml
    face: left
    trim_end: 00:00:01:77
  - driver: smile.yaml
"""
    assert mistakes_of(folder, text) == [
        "jobs.yaml:3: strength 20.0 makes no sense; 1 is as driven, 0 nothing, 2 double",
        "jobs.yaml:4: unknown key 'pixelformat'; did you mean 'pixel_format'?",
        "jobs.yaml:5: *.mov: prores_ks has no crf; leave it out",
        "jobs.yaml:9: gain: AU12: needs a number, not 'x'",
        "jobs.yaml:11: the range 2 to 1 s is empty; end later",
        "jobs.yaml:12: source nope.mov: no such file; correct the path",
        "jobs.yaml:13: strength: needs a number, not true",
        "jobs.yaml:14: source n*.mov: matches no file; correct the pattern",
        "jobs.yaml:16: driver none.yaml: no such file; correct the path",
        "jobs.yaml:17: face: face 'left' is unknown; use all, a number from 0, one of large-small, small-large, "
        "left-right, right-left, top-bottom, bottom-top, best-worst, worst-best, or ORDER:NUMBER",
        "jobs.yaml:18: trim_end: frame 77 does not exist at 25 frames per second",
        "jobs.yaml:19: has no source; add 'source: plate.mov'",
    ]


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("gain: {AU99: 1}", "4: unknown action unit 'AU99'; did you mean AU64 (eyes down)?"),
        ("gain: AU12:0.5", "4: gain: 'AU12:0.5' is not AU=NUMBER, such as AU12=0.5"),
        ("gain: [1]", "4: gain: needs entries, AU12: 0.5, not '[1]'"),
        ("region: nose", "4: region 'nose' is none of"),
        ("region: []", ""),
        ("mode: Match", "4: mode: should be 'match' or 'add', not 'Match'"),
        ("crf: 1.5", "4: crf: needs a whole number, not '1.5'"),
        ("crf: lots", "4: crf: needs a whole number, not 'lots'"),
        ("strength: .nan", "4: strength: needs a number, not '.nan'"),
        ("gaze: maybe", "4: gaze: needs true or false, not 'maybe'"),
        ("smooth: [1]", "4: smooth: needs a time: seconds (1.5)"),
        ("smooth: 9", "4: smoothing over 9.0 s makes no sense"),
        ("release: soon", "4: release: 'soon' is no time; write seconds (1.5)"),
        ("frame_rate: 0", "4: frame_rate: frame rate 0 makes no sense; write 24"),
        ("min_face: 0", "4: a smallest face of 0 px makes no sense"),
        ("start: -1", "4: start -1 s is before the first frame; give 0 or more"),
        ("frames: ten", "4: frames: 'ten' is no range of frames; write 10-200"),
        ("frames: 20-10", "4: frames: 20-10 is no range; frames count from 0 upwards"),
        ("frames: 48-50", "4: frames: 48-50 lies behind the source's frames 0 to 47"),
        ("frames: 1-2\nstart: 1", "4: 'frames' and a start or end are both said; keep one of them"),
        ("driver-neutral: face.png", "4: driver-neutral: 'face.png' is neither auto, none, a time"),
        ("checkpoint: net.safetensors", "4: "),
        ("encoder: h265x", "4: *.mov: no encoder is called h265x; use h264"),
        ("encoder: prores\noutput: x.mp4", "4: *.mp4: prores does not fit a .mp4 file; use .mov or .mkv"),
        ("pix_fmt: yuv999", "4: *.mov: libx264 has no pixel format yuv999; it has"),
        ("output: x.%04d.mov", "4: *.%04d.mov: a frame number makes no sense in a .mov file"),
        ("output: x.%04d.png\ncrf: 3", "5: *.%04d.png: pictures take no codec, crf, preset or profile; leave"),
        ("output: x.gif", "4: *.gif: cannot write .gif; use .mp4"),
        ("output: ''", "4: output: is empty; say something or leave it out"),
        ("output: '{nam}.mov'", "4: name '{nam}.mov': there is no {nam}"),
        ("shot: x", "4: unknown key 'shot'; "),
        ("start: 1\ntrim_start: 2", "5: 'trim_start' is said twice ('start' at jobs.yaml:4); keep one of them"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_job(folder: Path, lines: str, complaint: str) -> None:
    if not complaint:
        assert len(jobs_of(folder, one(lines))) == 1
        return
    found = mistakes_of(folder, one(lines))
    assert len(found) == 1, found
    assert found[0].startswith(f"jobs.yaml:{complaint}")


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("d.yaml", "curves: {AU99: {0: 1}}", r"jobs\.yaml:3: d\.yaml, line 1: unknown action unit 'AU99'"),
        ("d.yaml", "curves: {AU12: {40f: 1, 00:00:01:16: 0}}", r"line 1: .* are the same time"),  # at 24 only
        ("d.yaml", "driver: gone.mov", r"no file gone\.mov beside the curve file"),
        ("d.csv", "time,value\n1,2\n", r"jobs\.yaml:3: d\.csv: no known capture format"),
        ("d.mp4", None, r"jobs\.yaml:3: driver d\.mp4: no such file"),
    ],
)
def test_drivers_are_looked_into(folder: Path, name: str, text: str | None, complaint: str) -> None:
    if text is not None:
        (folder / name).write_text(text)
    found = mistakes_of(folder, one("").replace("smile.yaml", name))
    assert len(found) == 1
    assert re.search(complaint, found[0])


def test_a_driver_may_be_right_at_the_source_s_rate_alone(folder: Path) -> None:
    # 20 frames are later than half a second at 24, not at 60
    (folder / "d.yaml").write_text(
        "curves: {AU12: {keys: {0: 1}, ranges: [{in: 0.5s, out: 20f}]}}\ndriver: face.mov\n"
    )
    assert len(jobs_of(folder, one("").replace("smile.yaml", "d.yaml"))) == 1


def test_outputs_that_meet(folder: Path, film: MakeFilm) -> None:
    film("x/a.mov")
    text = """\
driver: smile.yaml
jobs:
  - {source: a.mov, output: T.mov}
  - {source: b.mov, output: t.mov}
  - {source: b.mov, output: x/../T.mov}
  - {source: '*/a.mov', name: "a--smile"}
  - {source: '[ab].mov', name: same}
"""
    found = mistakes_of(folder, text)
    hint = "add {index} or {source_folder} to the name"
    assert found == [
        f"jobs.yaml:4: output t.mov is also that of jobs.yaml:3, but for upper and lower case; {hint}",
        f"jobs.yaml:5: output T.mov is also that of jobs.yaml:3; {hint}",
        f"jobs.yaml:7: output same.mov is also that of a.mov of the same entry; {hint}",
    ]


def test_outputs_that_are_read(folder: Path, samples: Path) -> None:
    for number in (1, 2):
        (folder / f"s.{number:04d}.png").write_bytes((samples / "astronaut.png").read_bytes())
    (folder / "link.mov").symlink_to(folder / "face.mov")
    text = """\
driver: smile.yaml
jobs:
  - {source: a.mov, output: a.mov}
  - {source: a.mov, output: b.mov}
  - {source: b.mov, output: link.mov, driver: face.mov}
  - {source: s.%04d.png, output: s.####.png}
  - {source: s.%04d.png, output: s.0002.png}
  - {source: b.mov, output: new.%04d.png, source_neutral: new.0001.png}
  - {source: b.mov, output: x/y.mov/z.mov}
  - {source: b.mov, output: sub, name: z.mov}
  - {source: b.mov, output: smile.yaml/z.mov}
"""
    (folder / "new.0001.png").write_bytes(b"")
    (folder / "sub/z.mov").mkdir(parents=True)
    to = "write to another name"
    assert mistakes_of(folder, text) == [
        f"jobs.yaml:3: output a.mov: is the source of jobs.yaml:3; {to}",
        f"jobs.yaml:4: output b.mov: is the source of jobs.yaml:5; {to}",
        f"jobs.yaml:5: output link.mov: is read for jobs.yaml:5; {to}",
        f"jobs.yaml:6: output s.####.png: is the source of jobs.yaml:6; {to}",
        f"jobs.yaml:7: output s.0002.png: is a picture of the source of jobs.yaml:6; {to}",
        f"jobs.yaml:8: output new.%04d.png: is read for jobs.yaml:8; {to}",
        "jobs.yaml:10: output sub/z.mov: is a folder; give a file name in it",
        "jobs.yaml:11: output smile.yaml/z.mov: smile.yaml is a file, not a folder; name another folder",
    ]


def test_folders_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "ro").mkdir()
    access = os.access  # permissions themselves do not hold root back
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "ro" and access(path, mode))
    assert mistakes_of(folder, one("output: ro/new/x.mov")) == [
        "jobs.yaml:2: output ro/new/x.mov: the folder ro is not writable; check its permissions"
    ]


def test_outputs_of_an_earlier_run_are_no_mistake(folder: Path) -> None:
    (folder / "a--smile.mov").write_bytes(b"made before")
    assert len(jobs_of(folder, one(""))) == 1


def test_command_line_defaults_have_their_own_place(folder: Path) -> None:
    found = mistakes_of(folder, one(""), defaults={"strenght": 1, "crf": "x", "driver": "gone"})
    assert found == [
        "command line: unknown key 'strenght'; did you mean 'strength'?",
        "command line: crf: needs a whole number, not 'x'",
    ]


# Timelines


CUT = """\
TITLE: cut
001  A V C 01:00:00:10 01:00:00:20 10:00:00:00 10:00:00:10
* FROM CLIP NAME: sh010
002  B V C 01:00:01:00 01:00:01:10 10:00:00:10 10:00:00:20
* FROM CLIP NAME: sh020
003  A V C 01:00:01:10 01:00:02:00 10:00:00:20 10:00:01:10
* FROM CLIP NAME: sh010
"""


@pytest.fixture
def cut(folder: Path, film: MakeFilm) -> Path:
    film("plates/sh010.mov", 48, 24, "01:00:00:00")
    film("plates/deep/sh020.mov", 48, 24, "01:00:00:00")
    (folder / "cut.edl").write_text(CUT)
    return folder


def test_a_job_a_shot(cut: Path) -> None:
    text = """\
timeline: cut.edl
media: plates
handles: 4
driver: smile.yaml
driver_offset: 1
output_dir: out
shots:
  sh020: {driver: face.mov, strength: 0.5, handles: 0}
"""
    batch = load_sheet(sheet(cut, text))
    a, b, c = batch.jobs
    assert [job.name for job in batch.jobs] == ["sh010", "sh020", "sh010_2"]
    assert [job.source.name for job in batch.jobs] == ["sh010.mov", "sh020.mov", "sh010.mov"]
    assert (a.output, b.output) == (cut / "out/sh010.mov", cut / "out/sh020.mov")
    assert (a.options.trim_start, a.options.trim_end) == (6 / 24, 24 / 24)
    # the driver begins with the cut, after the handle
    assert a.options.driver_offset_seconds == pytest.approx(1 + 4 / 24)
    assert (b.options.trim_start, b.options.trim_end, b.options.strength) == (1.0, 34 / 24, 0.5)
    assert (c.options.trim_start, c.options.trim_end) == (30 / 24, None)  # no tail handle: the film ends there
    assert c.shot is not None
    assert (c.shot.head_frames, c.shot.tail_frames, c.shot.record_timecode, c.shot.track) == (
        4,
        0,
        "10:00:00:20",
        "V",
    )
    assert [job.where for job in batch.jobs] == [f"{cut}/jobs.yaml:1", f"{cut}/jobs.yaml:8", f"{cut}/jobs.yaml:1"]
    assert batch.timeline is not None
    assert len(batch.timeline.shots) == 3
    assert (batch.output_dir, batch.notes) == (cut / "out", ())
    assert pickle.loads(pickle.dumps(a)) == a  # noqa: S301 - our own


def test_shots_alone_and_left_out(cut: Path) -> None:
    timeline = "timeline: cut.edl\nmedia: plates\n"
    only = jobs_of(cut, f"{timeline}shots:\n  sh010_2: {{driver: face.mov, name: '{{index}}_{{shot_name}}'}}\n")
    assert [job.output.name for job in only] == ["1_sh010_2.mov"]
    # a clip's name means every use of it, except those with an entry of their own
    without = f"{timeline}driver: smile.yaml\nshots:\n  sh010: {{skip: yes}}\n"
    assert [job.name for job in jobs_of(cut, without)] == ["sh020"]
    assert [job.name for job in jobs_of(cut, without + "  sh010_2:\n")] == ["sh020", "sh010_2"]
    alone = load_jobs(
        cut / "cut.edl", output_dir=cut / "o", defaults={"driver": cut / "face.mov", "media": cut / "plates"}
    )
    assert [job.name for job in alone] == ["sh010", "sh020", "sh010_2"]
    assert alone[0].where == f"{cut}/cut.edl"


def test_mistakes_in_timelines(cut: Path) -> None:
    (cut / "plates/deep/sh020.mov").unlink()
    text = """\
timeline: cut.edl
media: plates
driver: smile.yaml
media_start: 01:00:00:30
start: 1s
shots:
  sh030: {strength: 2}
  sh010_2: {media_start: 01:00:00:99, source: x.mov}
"""
    found = mistakes_of(cut, text)
    assert [line.split(":")[1] for line in found] == ["1", "1", "5", "7", "8", "8"]
    assert "shot 1 (sh010): '01:00:00:30' is no timecode at 24 frames per second" in found[0]
    assert "shot 2 (sh020): no media called sh020 or B in plates; check the folder" in found[1]
    assert found[2].endswith("start: a shot's range is the timeline's; use 'handles'")
    assert found[3].endswith("cut.edl has no shot sh030; did you mean sh020?")
    assert "unknown key 'source'" in found[4]
    assert "'01:00:00:99' is no timecode" in found[5]
    assert mistakes_of(cut, "timeline: gone.edl\ndriver: smile.yaml\n")[0].startswith(
        "jobs.yaml:1: gone.edl: cannot be"
    )
    assert mistakes_of(cut, "source: a.mov\ndriver: smile.yaml\nshots: {a: {strength: 1}}\n") == [
        "jobs.yaml:3: 'shots' are those of a timeline; add 'timeline: CUT.edl'"
    ]
    assert mistakes_of(cut, "timeline: cut.edl\nmedia: plates\nhandles: -1\n")[0] == (
        "jobs.yaml:1: has no driver; add 'driver: smile.yaml'"
    )


def test_scene_lists(folder: Path) -> None:
    (folder / "a-Scenes.csv").write_text(
        "00:00:01.000\nScene Number,Start Frame,Start Timecode,End Frame\n"
        "1,1,00:00:00.000,24\n2,25,00:00:01.000,48\n"
    )
    expected = [("a-Scene-001", None, 1.0), ("a-Scene-002", 1.0, None)]
    for jobs in (
        jobs_of(folder, "scenes: a-Scenes.csv\nsource: a.mov\ndriver: smile.yaml\n"),
        load_jobs(folder / "a-Scenes.csv", defaults={"source": folder / "a.mov", "driver": folder / "smile.yaml"}),
    ):
        assert [(job.name, job.options.trim_start, job.options.trim_end) for job in jobs] == expected
    assert mistakes_of(folder, "scenes: a-Scenes.csv\ndriver: smile.yaml\n") == [
        "jobs.yaml:1: a-Scenes.csv: a scene list does not name its film; add 'source: FILM'"
    ]


# The whole


def test_the_sample_sheet(samples: Path) -> None:
    batch = load_sheet(samples / "batch.yaml")
    assert [job.name for job in batch.jobs] == [
        "01_actress--smile",
        "02_cut--smile",
        "added--actress",
        "added--smile",
    ]
    assert batch.output_dir == samples.resolve().parent / "batch-output"
    assert batch.jobs[0].options.trim_start == pytest.approx(10 * 1001 / 24000)


def test_a_thousand_jobs_are_read_at_once(folder: Path) -> None:
    lines = "".join(f"  - {{source: a.mov, output: o/{i}.mov, frames: {i % 40}-47}}\n" for i in range(1000))
    started = time.perf_counter()
    assert len(jobs_of(folder, f"driver: smile.yaml\njobs:\n{lines}")) == 1000
    assert time.perf_counter() - started < 10
