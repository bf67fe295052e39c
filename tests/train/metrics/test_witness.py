"""The second witness: on points made up, and on the samples' people, whose mouths another tracker knows."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from retarget.model.crop_spec import CropSpec
from retarget.pipeline.faces import chain, crop_matrix, read_faces
from retarget.pipeline.media import open_video, sample_rgb
from retarget.train.metrics import witness
from retarget.train.metrics.witness import find_witness, openings_of

needs_dlib = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("dlib", "face_recognition_models")),
    reason="needs retarget[evaluate]",
)


def test_openings_of_points_set_by_hand() -> None:
    points = np.zeros((68, 2))
    points[[36, 45]], points[[39, 42]] = [[0, 0], [90, 0]], [[30, 0], [60, 0]]  # eyes 30 wide
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        points[upper], points[lower] = (15, -3), (15, 3)
    for (upper, lower), gap in zip(((61, 67), (62, 66), (63, 65)), (9, 18, 27), strict=True):
        points[lower] = points[upper] + (0, gap)
    found = openings_of(points)
    assert (found.mouth, found.eyes) == (pytest.approx(0.2), pytest.approx(0.2))


def test_without_the_packages_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "_WEIGHTS", "models/none.dat")
    assert find_witness() is None


@needs_dlib
def test_it_follows_a_laugh_as_the_mesh_does_at_any_size(samples: Path) -> None:
    spec, seen = CropSpec(), find_witness()
    assert seen is not None
    with open_video(samples / "actress.mp4") as reader:
        analysis = read_faces(reader)
    (track,) = analysis.tracks
    rows = dict(zip(track.frames.tolist(), range(len(track.frames)), strict=True))
    found, mesh = [], []
    with open_video(samples / "actress.mp4") as reader:
        for frame in reader:
            if frame.index % 4 == 0 and (row := rows.get(frame.index)) is not None:
                matrix = chain(crop_matrix(track.alignments[row], spec), reader.info.display_from_coded)
                crop = sample_rgb(frame, reader.info.color, matrix, (256, 256))
                small = np.asarray(cv2.resize(crop, (128, 128), interpolation=cv2.INTER_AREA), np.uint8)
                found.append([seen.openings(picture, spec).mouth for picture in (crop, small)])
                points = analysis.landmarks(track, row)[:, :2]
                gap, width = (np.linalg.norm(points[a] - points[b]) for a, b in ((13, 14), (33, 263)))
                mesh.append(gap / width)
    large, reduced = np.array(found).T
    assert np.corrcoef(large, mesh)[0, 1] > 0.8
    assert np.corrcoef(large, reduced)[0, 1] > 0.8
    assert 0.1 < large.min() < large.max() < 0.3
