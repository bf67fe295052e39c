"""A job a shot."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.jobs.load import load_jobs, load_sheet

MakeFilm = Callable[..., Path]

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


def test_a_job_a_shot(cut: Path, sheet: Any) -> None:
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


def test_shots_alone_and_left_out(cut: Path, jobs_of: Any) -> None:
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


def test_mistakes_in_timelines(cut: Path, mistakes_of: Any) -> None:
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


def test_scene_lists(folder: Path, jobs_of: Any, mistakes_of: Any) -> None:
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
