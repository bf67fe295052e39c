"""Rows of a dataset: their pictures, which may be used, and a part of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.train.data.dataset import Dataset, DatasetError, shared_identities
from retarget.train.data.reading import open_dataset


def test_pictures_are_read_as_rgb(saved: Dataset, picture_of: Any) -> None:
    np.testing.assert_array_equal(open_dataset(saved.folder).image(4), picture_of(4))


def test_flagged_rows_are_not_usable(saved: Dataset) -> None:
    assert saved.usable.tolist() == [True, False, True, True, False, True]
    assert dataclasses.replace(saved, flags={}).usable.all()


@pytest.mark.parametrize(
    "rows", [np.array([4, 3]), np.array([False, False, False, True, True, False])], ids=["indices", "mask"]
)
def test_a_subset_holds_its_rows_and_their_names_alone(saved: Dataset, rows: Any, picture_of: Any) -> None:
    subset = open_dataset(saved.folder).subset(rows)
    picked = [4, 3] if rows.dtype != np.bool_ else [3, 4]
    assert subset.files == tuple(saved.files[i] for i in picked)
    assert subset.identities == ("Bob",)
    assert subset.clips == ("b",)
    assert subset.identity.tolist() == subset.clip.tolist() == [0, 0]
    np.testing.assert_array_equal(subset.landmarks, saved.landmarks[picked])
    assert subset.flags["gray"].tolist() == [i == 4 for i in picked]
    np.testing.assert_array_equal(subset.image(0), picture_of(picked[0]))
    assert len(subset.subset(np.zeros(2, np.bool_))) == 0


def test_arrays_of_another_length_are_our_own_mistake(tmp_path: Path, six_crops: Any) -> None:
    with pytest.raises(ValueError, match=r"Dataset.residual has shape \(2,\), expected \(6,\)"):
        dataclasses.replace(six_crops(tmp_path / "d"), residual=np.zeros(2, np.float32))
    with pytest.raises(ValueError, match=r"flags\[small\] has shape"):
        dataclasses.replace(six_crops(tmp_path / "e"), flags={"small": np.zeros(2, np.bool_)})


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda path: path.unlink(), "0.png: the crop cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:20]), "0.png: the crop is damaged"),
        (lambda path: path.write_bytes(b""), "0.png: the crop is damaged"),
        (
            lambda path: cv2.imwrite(str(path), np.zeros((16, 24, 3), np.uint8)),
            "0.png: the crop is 24x16, expected",
        ),
    ],
)
def test_a_crop_that_cannot_be_used_is_named(
    saved: Dataset, damage: Callable[[Path], Any], complaint: str
) -> None:
    opened = open_dataset(saved.folder)
    damage(saved.folder / saved.files[0])
    with pytest.raises(DatasetError, match=complaint):
        opened.image(0)


def test_identities_in_both_splits_are_found() -> None:
    assert shared_identities(["a", "b", "a", "c"], [False, True, True, False]) == ["a"]
