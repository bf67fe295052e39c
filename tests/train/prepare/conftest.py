"""One small dataset, with everything that can happen to an input in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from retarget.model.crop_spec import CropSpec
from retarget.train.data import Dataset, open_dataset
from retarget.train.prepare.options import PrepareOptions
from retarget.train.prepare.prepare import prepare_dataset
from retarget.train.prepare.report import PrepareReport

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
OPTIONS = PrepareOptions(crop=CropSpec(size_px=128), frames_per_clip=4, jobs=1, jpeg_quality=0)


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    picture = cv2.imread(str(SAMPLES / "astronaut.png"))
    assert picture is not None
    return picture


@pytest.fixture(scope="session")
def inputs(astronaut: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: a clip, a cut, pictures of the astronaut each with another flaw, and files that are no use."""
    folder = tmp_path_factory.mktemp("inputs")
    shutil.copy(SAMPLES / "smile.mp4", folder / "man--smile.mp4")
    shutil.copy(SAMPLES / "cut.mov", folder / "man--cut.mov")
    head = astronaut[0:300, 70:370]
    pictures = {
        "plain": astronaut,
        "gray": cv2.cvtColor(cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
        "blurred": cv2.GaussianBlur(astronaut, (0, 0), 4),
        "two": np.concatenate([head, head[:, ::-1]], axis=1),
        "edge": astronaut[70:190, 165:285],
        "nobody": np.full((200, 300, 3), 90, np.uint8),
    }
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / f"{name}.png"), picture)
    (folder / "text.jpg").write_bytes(b"no picture at all")
    data = cv2.imencode(".jpg", astronaut)[1].tobytes()
    (folder / "half.jpg").write_bytes(data[: len(data) // 2])
    return folder


@pytest.fixture(scope="session")
def prepared(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, PrepareReport]:
    output = tmp_path_factory.mktemp("out") / "data"
    seen: list[tuple[str, int, int]] = []

    def progress(items: Iterable[None], label: str, total: int) -> Iterable[None]:
        seen.append((label, total, sum(1 for _ in items)))
        return []

    report = prepare_dataset([inputs], output, OPTIONS, progress=progress)
    assert seen == [("prepare", 10, 10)]
    return open_dataset(output), report


@pytest.fixture
def cheap(inputs: Path, tmp_path: Path) -> Path:
    """A folder of two clips, which are two tasks."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a", "b"):
        shutil.copy(inputs / "plain.png", folder / f"{name}.mp4")  # FFmpeg looks at what is in it
    return folder


@pytest.fixture(scope="session")
def snapshot() -> Callable[[Path], dict[str, bytes]]:
    """What the dataset in a folder says, file by file."""

    def read(folder: Path) -> dict[str, bytes]:
        kept = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix in (".csv", ".npy", ".png")]
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in kept}

    return read
