"""Rows made into drafts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retarget.pipeline.faces import FaceSelection


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
