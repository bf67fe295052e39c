"""Files, globs and globs of sequences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

MakeFilm = Callable[..., Path]


def test_globs(folder: Path, film: MakeFilm, jobs_of: Any) -> None:
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


def test_globs_of_sequences(folder: Path, samples: Path, jobs_of: Any) -> None:
    for name in ("p/one/x.0001.png", "p/one/x.0002.png", "p/one/y.0001.png", "p/two/x.0001.png", "p/two/x.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((samples / "astronaut.png").read_bytes())
    text = "driver: smile.yaml\nname: '{source_folder}_{source_name}.%04d.png'\nsource: 'p/*/*.%04d.png'\n"
    jobs = jobs_of(folder, text)
    assert [job.source.relative_to(folder / "p").as_posix() for job in jobs] == [
        "one/x.%04d.png", "one/y.%04d.png", "two/x.%04d.png"
    ]  # fmt: skip
    assert jobs[0].output == folder / "one_x.%04d.png"


def test_a_name_with_glob_signs_is_a_file_first(folder: Path, film: MakeFilm, jobs_of: Any) -> None:
    film("take[1].mov")
    assert jobs_of(folder, "driver: smile.yaml\nsource: 'take[1].mov'\n")[0].source.name == "take[1].mov"
