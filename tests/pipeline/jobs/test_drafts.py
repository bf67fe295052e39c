"""Rows made into drafts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retarget.pipeline.faces import FaceSelection


def test_a_picture_of_a_person_counts_from_the_sheet(folder: Path, jobs_of: Any, mistakes_of: Any) -> None:
    (folder / "cast").mkdir()
    (folder / "cast/anna.png").write_bytes(b"picture")
    text = "jobs:\n  - source: a.mov\n    driver: smile.yaml\n    face: cast/anna.png\n"
    (job,) = jobs_of(folder, text + "    driver_face: person:2\n")
    assert job.options.faces == FaceSelection(picture=folder / "cast/anna.png")
    assert job.options.driver_faces == FaceSelection(person=2)
    assert mistakes_of(folder, text.replace("anna", "bert")) == [
        "jobs.yaml:4: face: cast/bert.png: no such file; correct the path"
    ]
    assert mistakes_of(folder, text.replace("cast/anna.png", "person:0")) == [
        "jobs.yaml:4: face: person:0 is nobody; persons are numbered from 1"
    ]
    clash = text.replace("driver: smile.yaml", "drivers: [smile.yaml, face.mov]")
    assert mistakes_of(folder, clash) == [
        "jobs.yaml:4: face: cast/anna.png is one face for several drivers; use ORDER:all"
    ]


def test_references_count_from_the_sheet(folder: Path, film: Any, jobs_of: Any, mistakes_of: Any) -> None:
    film("takes/one.mov")
    text = "jobs:\n  - source: a.mov\n    driver: smile.yaml\n"
    (job,) = jobs_of(folder, text + "    reference: [b.mov, takes]\n    reference_any: true\n")
    assert job.options.references == (folder / "b.mov", folder / "takes")
    assert job.options.any_reference
    (job,) = jobs_of(folder, text + "    reference: takes\n")
    assert job.options.references == (folder / "takes",)
    (job,) = jobs_of(folder, text + "    reference: b.mov|takes\n")
    assert job.options.references == (folder / "b.mov", folder / "takes")
    (folder / "empty").mkdir()
    assert mistakes_of(folder, text + "    reference: [c.mov, empty]\n") == [
        "jobs.yaml:4: reference c.mov: no such file; correct the path",
        "jobs.yaml:4: empty: has no films or pictures in it; name another folder, or files",
    ]
    assert mistakes_of(folder, text + "    reference: takes\n    output: takes/new.mov\n") == [
        "jobs.yaml:2: output takes/new.mov: lies in takes, which is read for jobs.yaml:2; write elsewhere"
    ]
    assert mistakes_of(folder, text + "    reference: b.mov\n    output: b.mov\n") == [
        "jobs.yaml:2: output b.mov: is read for jobs.yaml:2; write to another name"
    ]


def test_several_drivers(folder: Path, jobs_of: Any, mistakes_of: Any) -> None:
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
