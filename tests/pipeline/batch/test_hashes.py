"""What an output depends on."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.batch.hashes import content_key, request_hash
from retarget.pipeline.faces import FaceSelection
from retarget.pipeline.files import Contents
from retarget.pipeline.jobs import Job
from retarget.pipeline.media import EncodeOptions

from .conftest import TINY


def test_a_curve_file_s_clips_count(job_of: Any, samples: Path, tmp_path: Path) -> None:
    shutil.copy(samples / "smile.csv", tmp_path / "take.csv")
    curve = tmp_path / "curve.yaml"
    curve.write_text("driver: {file: take.csv}\ncurves:\n  AU12:\n    00:00:00:12: 0.5\n")
    job = job_of(1, drivers=(curve,))
    contents = Contents()
    before = content_key(job, contents)
    assert str(tmp_path / "take.csv") in contents.used
    with (tmp_path / "take.csv").open("a") as stream:
        stream.write("\n")
    assert content_key(job, Contents()) != before


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"device": "cuda:1"}, True),
        ({"batch": 3}, True),
        ({"overwrite": True}, True),
        ({"encode": EncodeOptions(threads=2)}, True),
        ({"encode": EncodeOptions(crf=20)}, False),
        ({"strength": 0.9}, False),
        ({"refine": 2}, False),
        ({"gains": {"AU12": 0.5}}, False),
        ({"trim_end": 0.16}, False),
        ({"source_neutral": 0.5}, False),
    ],
)
def test_what_the_key_is_of(job_of: Any, change: dict[str, Any], same: bool) -> None:
    one, other = job_of(1), job_of(1, options=replace(TINY, **change))
    assert (content_key(one, Contents()) == content_key(other, Contents())) is same


def test_a_picture_of_a_person_counts_by_its_content(job_of: Any, samples: Path, tmp_path: Path) -> None:
    def job(picture: Path) -> Job:
        made: Job = job_of(1, options=replace(TINY, faces=FaceSelection(picture=picture)))
        return made

    anna, original = tmp_path / "anna.png", samples / "astronaut.png"
    shutil.copy(original, anna)
    before = content_key(job(anna), Contents())
    assert before == content_key(job(original), Contents()) != content_key(job_of(1), Contents())
    assert request_hash(job(anna)) != request_hash(job(original))
    with anna.open("ab") as stream:
        stream.write(b"more")
    assert content_key(job(anna), Contents()) != before


def test_references_count_by_what_is_in_them(job_of: Any, samples: Path, tmp_path: Path) -> None:
    def job(*references: Path) -> Job:
        made: Job = job_of(1, options=replace(TINY, references=references))
        return made

    takes = tmp_path / "takes"
    takes.mkdir()
    shutil.copy(samples / "astronaut.png", takes / "a.png")
    before, asked = content_key(job(takes), Contents()), request_hash(job(takes))
    assert before == content_key(job(samples / "astronaut.png"), Contents()) != content_key(job_of(1), Contents())
    with (takes / "a.png").open("ab") as stream:
        stream.write(b"more")
    changed = content_key(job(takes), Contents())
    assert changed != before
    assert request_hash(job(takes)) == asked, "by name"
    shutil.copy(samples / "preview.jpg", takes / "b.jpg")
    assert content_key(job(takes), Contents()) not in (before, changed)
    assert request_hash(job(takes)) != asked, "one more in the folder"
    shutil.rmtree(takes)
    takes.mkdir()
    assert request_hash(job(takes)) != asked, "and nothing there is no failure yet"


def test_the_key_is_of_content_and_not_of_names(job_of: Any, samples: Path, tmp_path: Path) -> None:
    shutil.copy(samples / "actress.mp4", tmp_path / "b.mp4")
    assert content_key(job_of(1), Contents()) == content_key(job_of(2, tmp_path / "b.mp4"), Contents())
