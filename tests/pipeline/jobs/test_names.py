"""What jobs and outputs are called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.errors import OptionError
from retarget.pipeline.jobs.names import fill_name

MakeFilm = Callable[..., Path]


def test_names_are_unique_where_case_does_not_count(
    folder: Path, jobs_of: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    text = (
        f"driver: smile.yaml\njobs:\n  - {{source: a.mov, output: '{elsewhere}/x/T.mov'}}\n"
        f"  - {{source: b.mov, output: '{elsewhere}/y/t.mov'}}\n"
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


def test_outputs_take_a_suffix_that_fits(folder: Path, film: MakeFilm, jobs_of: Any) -> None:
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


@pytest.mark.parametrize(
    "pattern",
    [
        "{index:1000000000d}",
        "{index:%01000000000d}",
        "{source_name:>1000000000}",
        "{index:.1000000000f}",
        "{index:{index}}",
    ],
)
def test_a_width_is_bounded(pattern: str) -> None:
    with pytest.raises(OptionError):
        fill_name(pattern, {"index": 7, "source_name": "a", "ext": "mov"})
