"""Prepared crops are the pipeline's crops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec
from retarget.model.images import to_model
from retarget.pipeline.edit import FaceRequest, Renderer
from retarget.pipeline.faces import FaceTracker, alignment, apply, crop_matrix
from retarget.pipeline.media import open_video
from retarget.train.data import Dataset
from retarget.train.prepare.crops import chroma_of, is_chosen, is_cut_off, sharpness_of
from retarget.train.prepare.options import FlagLimits

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
SPEC = CropSpec(size_px=128)


def test_chosen_frames_are_evenly_spread() -> None:
    assert [i for i in range(12) if is_chosen(i, 12, 4)] == [0, 3, 6, 9]
    assert [i for i in range(10) if is_chosen(i, 10, 4)] == [0, 3, 5, 8]
    assert [i for i in range(3) if is_chosen(i, 3, 4)] == [0, 1, 2]
    for total in (5, 119, 121, 1000):
        chosen = [i for i in range(total) if is_chosen(i, total, 120)]
        assert len(chosen) == min(total, 120)
        assert max(np.diff(chosen)) <= -(-total // 120)


def test_sharpness_falls_with_blur_and_not_with_light(astronaut: np.ndarray) -> None:
    face = np.ascontiguousarray(astronaut[20:276, 95:351, ::-1])
    corners = np.array([[60.0, 40, 0], [200, 220, 0]])
    sharp = sharpness_of(face, corners)
    blurred = [sharpness_of(cv2.GaussianBlur(face, (0, 0), sigma), corners) for sigma in (1, 2, 4)]
    assert sharp > 1.5 * blurred[0] > 3 * blurred[1] > 4.5 * blurred[2]
    darker = (face * 0.5).astype(np.uint8)
    assert sharpness_of(darker, corners) == pytest.approx(sharp, rel=0.05)
    assert sharpness_of(np.zeros_like(face), corners) == 0


def test_chroma_tells_colour_from_gray_and_tint(astronaut: np.ndarray) -> None:
    gray = cv2.cvtColor(cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2RGB)
    sepia = (30 + 0.7 * gray + np.array([20, 0, -20])).astype(np.uint8)
    limit = FlagLimits().min_chroma
    assert chroma_of(astronaut[..., ::-1]) > 3 * limit
    assert chroma_of(gray) == 0
    assert chroma_of(sepia) < limit


def test_a_jpeg_without_its_end_is_told_from_a_whole_one(astronaut: np.ndarray, tmp_path: Path) -> None:
    for settings in ([], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 4]):
        data = cv2.imencode(".jpg", astronaut, settings)[1].tobytes()
        path = tmp_path / "a.jpg"
        path.write_bytes(data)
        assert not is_cut_off(path)
        path.write_bytes(data + b"trailing bytes of a camera")
        assert not is_cut_off(path)
        for length in (len(data) - 2, len(data) // 2):
            path.write_bytes(data[:length])
            assert is_cut_off(path)
    assert not is_cut_off(SAMPLES / "astronaut.png")
    assert not is_cut_off(tmp_path / "gone.jpg")


def test_prepared_crops_are_what_the_renderer_is_fed(
    prepared: tuple[Dataset, Any], make_checkpoint: Callable[..., Any]
) -> None:
    dataset, _ = prepared
    rows = np.flatnonzero([dataset.clips[c] == "man--smile.mp4" for c in dataset.clip])
    assert dataset.frame[rows].tolist() == [0, 18, 36, 54]
    with open_video(SAMPLES / "smile.mp4") as reader, FaceTracker(reader.info) as tracker:
        frames = {frame.index: frame for frame in reader if frame.index in dataset.frame[rows]}
        tracked = list(tracker.track((frame, 0) for frame in frames.values()))
        renderer = Renderer(make_checkpoint(crop_px=128, width=4), reader.info, device="cpu")
        for row, found in zip(rows, tracked, strict=True):
            face = found.faces[0]
            matrix = crop_matrix(alignment(face.landmarks), SPEC)
            landmarks = apply(matrix, face.landmarks).astype(np.float32)
            nothing = np.zeros(action_units.COUNT, np.float32)
            request = FaceRequest(matrix, landmarks, delta_au=nothing, source_au=nothing)
            fed = renderer._crops([(frames[found.index], request)])
            np.testing.assert_array_equal(to_model(dataset.image(int(row))[None]).numpy(), fed.numpy())
            np.testing.assert_array_equal(dataset.landmarks[row], landmarks)
            np.testing.assert_allclose(dataset.action_units[row], face.action_units, atol=5.1e-5)
            np.testing.assert_allclose(dataset.angles[row, 0], face.yaw_degrees, atol=1e-3)
            assert dataset.seconds[row] == pytest.approx(found.index / 30, abs=1e-3)
