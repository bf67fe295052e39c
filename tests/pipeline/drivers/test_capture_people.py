"""Which numbers of faces are one person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retarget.pipeline.drivers.capture_people import people, place_columns
from retarget.pipeline.drivers.capture_table import Header, Table


def people_of(
    faces: list[tuple[int, int, float]], columns: tuple[str, ...] = ("facerectx", "facerecty", "facerectwidth")
) -> list[tuple[float, ...]]:
    """`faces`: (number, moment, x)."""
    ids, when, x = np.array(faces, np.float64).T
    cells = {"facerectx": x, "facerecty": np.zeros(len(x)), "facerectwidth": np.full(len(x), 50.0)}
    table = Table(
        Path("a.csv"), tuple(range(len(x))), {n: [str(v) for v in c] for n, c in cells.items() if n in columns}
    )
    return people(ids, when, np.ones(len(x), np.bool_), table)


def test_a_number_that_begins_where_another_ended() -> None:
    assert people_of([(0, 0, 10), (0, 1, 12), (3, 5, 20), (3, 6, 22)]) == [(0, 3)]


def test_a_chain_of_numbers_and_somebody_else() -> None:
    faces = [(0, 0, 10), (1, 0, 300), (2, 1, 20), (1, 1, 300), (5, 2, 30), (1, 2, 300)]
    assert people_of(faces) == [(0, 2, 5), (1,)]


@pytest.mark.parametrize(
    "faces",
    [
        [(0, 0, 10), (3, 1, 200)],  # elsewhere
        [(0, 0, 10), (0, 2, 10), (3, 1, 10), (3, 3, 10)],  # both at once
    ],
)
def test_two_people(faces: list[tuple[int, int, float]]) -> None:
    assert people_of(faces) == [(0,), (3,)]


def test_without_places_nothing_is_known() -> None:
    assert people_of([(0, 0, 10), (3, 1, 10)], ()) == [(0,), (3,)]
    assert place_columns(Header(("face_id", "pose_tx", "pose_ty"))) == ("pose_tx", "pose_ty")
