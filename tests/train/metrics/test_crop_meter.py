"""The tracker sees in a crop what it saw in the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from retarget.train.data import open_dataset
from retarget.train.metrics.crop_meter import CropMeter
from retarget.train.prepare import PrepareOptions, prepare_dataset

SAMPLES = Path(__file__).resolve().parents[3] / "samples"


def test_the_meter_sees_in_a_crop_what_was_seen_in_the_picture(tmp_path: Path) -> None:
    prepare_dataset([SAMPLES / "astronaut.png"], tmp_path / "out", PrepareOptions(jobs=1, jpeg_quality=0))
    dataset = open_dataset(tmp_path / "out")
    with CropMeter() as meter:
        measured = meter.measure(dataset.image(0), dataset.landmarks[0])
        assert meter.measure(np.full((256, 256, 3), 128, np.uint8), dataset.landmarks[0]) is None
        elsewhere = dataset.landmarks[0] * 0.3
        assert meter.measure(dataset.image(0), elsewhere) is None
    assert measured is not None
    assert np.abs(measured.action_units - dataset.action_units[0]).max() < 0.1
    misfit = np.linalg.norm((measured.landmarks - dataset.landmarks[0])[:, :2], axis=1)
    assert misfit.mean() < 1
