"""What an output depends on."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.batch.hashes import content_key
from retarget.pipeline.files import Contents
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
        ({"gains": {"AU12": 0.5}}, False),
        ({"trim_end": 0.16}, False),
        ({"source_neutral": 0.5}, False),
    ],
)
def test_what_the_key_is_of(job_of: Any, change: dict[str, Any], same: bool) -> None:
    one, other = job_of(1), job_of(1, options=replace(TINY, **change))
    assert (content_key(one, Contents()) == content_key(other, Contents())) is same


def test_the_key_is_of_content_and_not_of_names(job_of: Any, samples: Path, tmp_path: Path) -> None:
    shutil.copy(samples / "actress.mp4", tmp_path / "b.mp4")
    assert content_key(job_of(1), Contents()) == content_key(job_of(2, tmp_path / "b.mp4"), Contents())
