"""Films, and sheets about them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.jobs.cells import JobSheetError
from retarget.pipeline.jobs.job import Job
from retarget.pipeline.jobs.load import load_jobs

MakeFilm = Callable[..., Path]

CURVES = "version: 1\ncurves: {AU12: {0: 0, 1: 0.5}}\n"


@pytest.fixture(scope="session")
def film_bytes(tmp_path_factory: pytest.TempPathFactory, make_film: MakeFilm) -> Callable[[int, int, str], bytes]:
    """A film's bytes, made once."""
    made: dict[tuple[int, int, str], bytes] = {}

    def make(frames: int, rate: int, timecode: str) -> bytes:
        key = (frames, rate, timecode)
        if key not in made:
            made[key] = make_film(tmp_path_factory.mktemp("film") / "film.mov", *key).read_bytes()
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


@pytest.fixture(scope="session")
def sheet() -> Callable[..., Path]:
    """`sheet(folder, text)`: the text as a sheet there."""

    def write(folder: Path, text: str, name: str = "jobs.yaml") -> Path:
        path = folder / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def jobs_of(sheet: Callable[..., Path]) -> Callable[..., list[Job]]:
    """`jobs_of(folder, text)`: the jobs of such a sheet."""

    def load(folder: Path, text: str, **more: Any) -> list[Job]:
        return load_jobs(sheet(folder, text), **more)

    return load


@pytest.fixture(scope="session")
def mistakes_of(sheet: Callable[..., Path]) -> Callable[..., list[str]]:
    """`mistakes_of(folder, text)`: the lines of the error, with the sheet's path as its name alone."""

    def load(folder: Path, text: str, name: str = "jobs.yaml", **more: Any) -> list[str]:
        with pytest.raises(JobSheetError) as caught:
            load_jobs(sheet(folder, text, name), **more)
        assert caught.value.exit_code == 2
        return [line.replace(f"{folder}/", "") for line in caught.value.mistakes]

    return load


@pytest.fixture(scope="session")
def one() -> Callable[[str], str]:
    """`one(text)`: a sheet with one job of these lines besides source and driver (lines 2 and 3)."""

    def make(text: str) -> str:
        lines = "".join(f"    {line}\n" for line in text.splitlines())
        return f"jobs:\n  - source: a.mov\n    driver: smile.yaml\n{lines}"

    return make
