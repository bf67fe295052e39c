"""Pairs are frames of one clip; photos alone give none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from retarget.model.errors import RetargetError
from retarget.model.geometry import GeometryModel
from retarget.train.fit.faces import Faces, usable_rows


@pytest.fixture(scope="module")
def still(make_geometry: Callable[..., GeometryModel]) -> GeometryModel:
    return make_geometry({})


def test_photos_alone_are_refused(make_dataset: Callable[..., Any], still: GeometryModel) -> None:
    dataset = make_dataset(people=3, frames=1, size_px=64)
    with pytest.raises(RetargetError, match="no clip has two usable frames"):
        Faces.of(dataset, still, usable_rows(dataset, is_eval=False))


def test_pairs_are_of_one_clip(make_dataset: Callable[..., Any], still: GeometryModel) -> None:
    dataset = make_dataset(people=4, frames=4, size_px=64)
    rows = usable_rows(dataset, is_eval=False)
    faces = Faces.of(dataset, still, rows)
    clips = dataset.clip[faces.rows]
    assert (clips[faces.first] == clips[faces.second]).all()
    assert (faces.first != faces.second).all()
    assert faces.pair_chance.sum() == pytest.approx(1)
    np.testing.assert_array_equal(faces.units.numpy(), dataset.action_units[faces.rows])
