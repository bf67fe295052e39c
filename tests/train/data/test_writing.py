"""A dataset comes back from disk as it went there."""

from __future__ import annotations

import json

import numpy as np

from retarget.train.data.dataset import Dataset
from retarget.train.data.reading import open_dataset

COUNT = 6


def test_what_is_saved_comes_back(saved: Dataset) -> None:
    opened = open_dataset(saved.folder)
    for name in ("files", "identities", "clips", "crop", "au_source"):
        assert getattr(opened, name) == getattr(saved, name)
    for name in ("identity", "clip", "frame", "is_eval", "known", "landmarks"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(saved, name))
        assert getattr(opened, name).dtype == getattr(saved, name).dtype
    for name in ("seconds", "action_units", "angles", "residual", "face_px", "sharpness"):
        np.testing.assert_allclose(getattr(opened, name), getattr(saved, name), atol=5.1e-5)
        assert getattr(opened, name).dtype == getattr(saved, name).dtype
    assert {name: flag.tolist() for name, flag in opened.flags.items()} == {
        name: flag.tolist() for name, flag in saved.flags.items()
    }
    assert isinstance(opened.landmarks, np.memmap)
    assert json.loads((saved.folder / "dataset.json").read_text())["counts"] == {"crops": COUNT}
    assert repr(opened).endswith("6 crops of 3 people)")
