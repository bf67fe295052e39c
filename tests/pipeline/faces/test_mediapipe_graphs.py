"""Our own runner against MediaPipe's, on real faces turned, scaled, darkened, blurred and cut."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from retarget.pipeline.errors import FaceModelError
from retarget.pipeline.faces import mediapipe_graphs
from retarget.pipeline.faces.landmarker import Landmarker
from retarget.pipeline.faces.models import read_models
from retarget.pipeline.faces.networks import Networks
from retarget.pipeline.media import open_video, proxy

Picture = NDArray[np.uint8]

VIEWS = {
    "as it is": (0, 1.0),
    "turned right": (25, 1.0),
    "turned left": (-30, 1.1),
    "lying": (75, 1.0),
    "close": (0, 1.5),
    "far": (5, 0.55),
}
"""Turn in degrees and size."""
LIGHTS = {"": (1.0, 0), "dark": (0.22, 4), "pale": (0.35, 140)}
"""Gain and offset of the pixels."""


def faces(samples: Path) -> Iterator[tuple[str, Picture, tuple[float, float], float]]:
    """(name, picture, middle of the face, its size)."""
    yield "astronaut", np.asarray(cv2.imread(str(samples / "astronaut.png"))[..., ::-1]), (225, 120), 130
    for name in ("actress", "smile"):
        with open_video(samples / f"{name}.mp4") as reader:
            pictures = [proxy(frame, reader.info, 10_000) for frame in reader]
        with Landmarker() as landmarker:
            for i in (5, len(pictures) // 2):
                seen = landmarker.landmark(pictures[i])
                assert seen is not None
                low, high = seen[0][:, :2].min(0), seen[0][:, :2].max(0)
                x, y = ((low + high) / 2).tolist()
                yield f"{name} {i}", pictures[i], (x, y), float((high - low).max())


def windows(samples: Path) -> Iterator[tuple[str, Picture]]:
    """(name, 256 px picture)."""
    for i, (name, picture, (x, y), size) in enumerate(faces(samples)):
        for k, (view, (turn, zoom)) in enumerate(VIEWS.items()):
            matrix = cv2.getRotationMatrix2D((x, y), turn, zoom * 128 / size)
            matrix[:, 2] += (128 - x, 128 - y)
            window = cv2.warpAffine(picture, matrix, (256, 256), borderMode=cv2.BORDER_REPLICATE)
            lights = LIGHTS.items() if k < 2 else list(LIGHTS.items())[i % 3 : i % 3 + 1]
            for light, (gain, offset) in lights:
                yield f"{name} {view} {light}", np.clip(window * gain + offset, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def mediapipe() -> Iterator[mediapipe_graphs.MediaPipe]:
    pytest.importorskip("mediapipe")
    graphs = mediapipe_graphs.MediaPipe.load(read_models())
    yield graphs
    graphs.close()


def test_both_see_the_same(samples: Path, mediapipe: mediapipe_graphs.MediaPipe) -> None:
    own = Networks(read_models())
    count = 0
    for name, window in windows(samples):
        here, there = own.find(window), mediapipe.find(window)
        assert (here is None) == (there is None), name
        if here is None or there is None:
            continue
        count += 1
        assert np.linalg.norm(here[0][:, :2] - there[0][:, :2], axis=1).max() < 0.3, name
        assert np.abs(here[0][:, 2] - there[0][:, 2]).max() < 0.5, name
        assert np.abs(here[1] - there[1]).max() < 0.02, name
    assert count >= 40


@pytest.mark.parametrize("size_px", [226, 301, 448])
def test_both_sample_pictures_of_any_size_alike(
    samples: Path, mediapipe: mediapipe_graphs.MediaPipe, size_px: int
) -> None:
    own = Networks(read_models())
    astronaut = cv2.cvtColor(cv2.imread(str(samples / "astronaut.png")), cv2.COLOR_BGR2RGB)
    picture = cv2.resize(astronaut[:300, 80:380], (size_px, size_px), interpolation=cv2.INTER_AREA)
    here, there = own.find(picture), mediapipe.find(picture)
    assert here is not None
    assert there is not None
    assert np.linalg.norm(here[0][:, :2] - there[0][:, :2], axis=1).max() < 0.02 * size_px / 256
    assert np.abs(here[1] - there[1]).max() < 0.002


def test_both_detect_the_same(samples: Path, mediapipe: mediapipe_graphs.MediaPipe) -> None:
    own = Networks(read_models())
    for name, picture, *_ in faces(samples):
        for size in ((256, 256), (200, 320), (480, 300)):
            small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            here = sorted(own.detect(small), key=lambda face: -face.score)
            there = sorted(mediapipe.detect(small), key=lambda face: -face.score)
            assert len(here) == len(there), (name, size)
            for one, other in zip(here, there, strict=True):
                assert one.score == pytest.approx(other.score, abs=0.01)
                np.testing.assert_allclose(one.low, other.low, atol=1.1)  # mediapipe gives whole pixels
                np.testing.assert_allclose(one.high, other.high, atol=2.1)
                assert one.roll_radians == pytest.approx(other.roll_radians, abs=0.04)


def test_where_it_is_not_installed_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(FaceModelError, match="--tracker mediapipe: mediapipe is not installed; pip install"):
        Landmarker("mediapipe").__enter__()


@pytest.mark.parametrize(
    ("version", "is_quiet"), [("0.10.32", True), ("0.10.33", True), ("0.10.35", False), ("1.2.3", False)]
)
def test_a_release_that_reports_its_use_is_refused(
    version: str, is_quiet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: version)
    if is_quiet:
        assert mediapipe_graphs.backend() == f"mediapipe {version}"
        return
    with pytest.raises(FaceModelError, match="reports its use over the network"):
        mediapipe_graphs.backend()
