"""What is not installed is named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from retarget.train.data import Dataset
from retarget.train.evaluation import bench
from retarget.train.evaluation.bench import open_tools
from retarget.train.metrics import Measured


@dataclass(frozen=True)
class Seen:
    action_units: np.ndarray
    landmarks: np.ndarray


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "find_identity_network", lambda: None)
    monkeypatch.setattr(bench, "find_inception_network", lambda: "not measured: no weights")
    with open_tools() as tools:
        assert tools.identity is None
        assert tools.packaged is not None
        assert tools.inception is None
        assert tools.missing["ACD"] == "not measured: install retarget[evaluate]"
        assert tools.missing["IS"] == "not measured: no weights"
        assert tools.meter.measure(np.zeros((64, 64, 3), np.uint8), np.full((478, 3), 32, np.float32)) is None


def test_the_gallery_measures_once_and_holds_few_pictures(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured, read = list[int](), list[int]()

    class Counting:
        def measure(self, crop: np.ndarray, near: np.ndarray) -> Measured:
            measured.append(1)
            return Seen(crop[0, :46, 0] / np.float32(255), np.asarray(near, np.float32))

    monkeypatch.setattr(bench, "PLATES", 2)
    image = Dataset.image

    def counted(self: Dataset, row: int) -> np.ndarray:
        read.append(row)
        return image(self, row)

    monkeypatch.setattr(Dataset, "image", counted)
    gallery = bench.Gallery(dataset, bench.Tools(Counting()))
    first = [gallery.plate(row) for row in range(4)]
    again = [gallery.plate(row) for row in range(4)]
    assert (len(measured), len(read)) == (4, 8)
    gallery.plate(3)
    assert len(read) == 8  # one of the two that are held
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.picture, other.picture)
        np.testing.assert_array_equal(one.action_units, other.action_units)
