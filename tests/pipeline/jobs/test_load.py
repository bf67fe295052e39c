"""Sheets and globs made into jobs; and every mistake told at its line, all at once."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.faces import FaceSelection
from retarget.pipeline.jobs.cells import JobSheetError
from retarget.pipeline.jobs.job import Job
from retarget.pipeline.jobs.load import jobs_from_globs, load_sheet
from retarget.pipeline.media import EncodeOptions
from retarget.pipeline.options import RetargetOptions

MakeFilm = Callable[..., Path]


def test_a_job_in_full(folder: Path, jobs_of: Any, one: Any) -> None:
    job = jobs_of(
        folder,
        one(
            "output: out/x.mov\nstart: 12f\nend: 00:00:01:12\nmode: add\nstrength: 0.5\n"
            "gain: {AU12: 0.5, lip corner depressor: 0}\nregion: [mouth, AU06]\nsmooth: 0\ndriver-neutral: none\n"
            "source_neutral: 3f\ngaze: true\ndriver_offset: -1\nafter: loop\nrelease: 250ms\nrefine: 2\n"
            "face: left-right:1\n"
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
            release_seconds=0.25, refine=2,
            faces=FaceSelection("left-right", 1), driver_faces=FaceSelection(index=2),
            min_face_px=40, device="cpu", batch=2, sequence_rate=Fraction(24000, 1001), overwrite=True,
            encode=EncodeOptions(codec="prores", profile="hq", pixel_format="yuv422p10le"),
        ),
    )  # fmt: skip
    assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301 - our own; jobs go to other processes


def test_paths_of_defaults_count_from_the_current_folder(
    folder: Path, film: MakeFilm, monkeypatch: pytest.MonkeyPatch, jobs_of: Any
) -> None:
    film("elsewhere/face.mov")
    monkeypatch.chdir(folder / "elsewhere")
    jobs = jobs_of(folder, "source: a.mov", defaults={"driver": Path("face.mov")}, output_dir=Path("o"))
    assert jobs[0].drivers == (folder / "elsewhere/face.mov",)
    assert jobs[0].output == folder / "elsewhere/o/a--face.mov"
    assert load_sheet(folder / "jobs.yaml", defaults={"driver": "face.mov"}).output_dir == folder


def test_jobs_from_globs(folder: Path) -> None:
    options = RetargetOptions(strength=0.5)
    out = folder / "out"
    globs = [f"{folder}/[ab].mov", f"{folder}/a.*"]
    asked: list[Path] = []

    def options_of(source: Path) -> RetargetOptions:
        asked.append(source)
        return options

    jobs = jobs_from_globs(
        globs, folder / "smile.yaml", output_dir=out, pattern="{index}-{source_name}", options_of=options_of
    )
    assert {path.name for path in asked} == {"a.mov", "b.mov"}  # each source its own times, no glob as a file
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


def test_all_mistakes_at_once(folder: Path, mistakes_of: Any) -> None:
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
        "left-right, right-left, top-bottom, bottom-top, best-worst, worst-best, ORDER:NUMBER, "
        "person:NUMBER, or a picture of the face",
        "jobs.yaml:18: trim_end: frame 77 does not exist at 25 frames per second",
        "jobs.yaml:19: has no source; add 'source: plate.mov'",
    ]


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


def test_a_thousand_jobs_are_read_at_once(folder: Path, jobs_of: Any) -> None:
    lines = "".join(f"  - {{source: a.mov, output: o/{i}.mov, frames: {i % 40}-47}}\n" for i in range(1000))
    started = time.process_time()
    assert len(jobs_of(folder, f"driver: smile.yaml\njobs:\n{lines}")) == 1000
    assert time.process_time() - started < 10
