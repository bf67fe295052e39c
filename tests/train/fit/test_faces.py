"""Pairs are frames of one clip; photos alone give none."""

from __future__ import annotations

import dataclasses
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


def test_the_view_is_the_face_as_it_was_seen_but_level(
    make_dataset: Callable[..., Any], still: GeometryModel
) -> None:
    drawn = make_dataset(people=2, frames=3, size_px=64)
    rows = usable_rows(drawn, is_eval=False)
    angle = np.radians(20)
    roll = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    yaw = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    turned, rolled = drawn.landmarks @ yaw.T, drawn.landmarks @ yaw.T @ roll.T
    views = []
    for landmarks in (turned, rolled):
        faces = Faces.of(dataclasses.replace(drawn, landmarks=landmarks.astype(np.float32)), still, rows)
        seen = (faces.shape @ faces.view.transpose(1, 2)).numpy()
        seen, level = (points - points.mean(1, keepdims=True) for points in (seen, turned[rows]))
        size = np.linalg.norm(seen, axis=(1, 2)) / np.linalg.norm(level, axis=(1, 2))
        np.testing.assert_allclose(seen, level * size[:, None, None], atol=0.01)
        views.append(faces.view)
    assert (views[0] - views[1]).abs().max() < 1e-3
