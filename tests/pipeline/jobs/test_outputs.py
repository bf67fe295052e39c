"""Outputs that cannot be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MakeFilm = Callable[..., Path]


def test_outputs_that_meet(folder: Path, film: MakeFilm, mistakes_of: Any) -> None:
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


def test_outputs_that_are_read(folder: Path, samples: Path, mistakes_of: Any) -> None:
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


def test_folders_that_cannot_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, mistakes_of: Any, one: Any
) -> None:
    (folder / "ro").mkdir()
    access = os.access  # permissions themselves do not hold root back
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "ro" and access(path, mode))
    assert mistakes_of(folder, one("output: ro/new/x.mov")) == [
        "jobs.yaml:2: output ro/new/x.mov: the folder ro is not writable; check its permissions"
    ]


def test_outputs_of_an_earlier_run_are_no_mistake(folder: Path, jobs_of: Any, one: Any) -> None:
    (folder / "a--smile.mov").write_bytes(b"made before")
    assert len(jobs_of(folder, one(""))) == 1
