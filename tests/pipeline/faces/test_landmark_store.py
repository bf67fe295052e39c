"""Landmarks on disk: they come back exactly, from any thread, and are gone with the store."""

from __future__ import annotations

import io
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from retarget.pipeline.faces.landmark_store import LANDMARK_BYTES, LandmarkStore


def rows(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(0, 100, (478, 3)).astype(np.float32) for _ in range(count)]


def test_rows_come_back_in_any_order_and_more_may_be_added_between() -> None:
    store, known = LandmarkStore(), rows(5)
    assert [store.add(row) for row in known[:3]] == [0, 1, 2]
    np.testing.assert_array_equal(store.read(2), known[2])
    np.testing.assert_array_equal(store.read(0), known[0])
    assert [store.add(row.astype(np.float64)) for row in known[3:]] == [3, 4]
    assert len(store) == 5
    for i in (4, 1, 3):
        np.testing.assert_array_equal(store.read(i), known[i])


def test_several_threads_read_at_once() -> None:
    store, known = LandmarkStore(), rows(40)
    for row in known:
        store.add(row)
    with ThreadPoolExecutor(8) as pool:
        for i, row in enumerate(pool.map(store.read, list(range(40)) * 10)):
            np.testing.assert_array_equal(row, known[i % 40])


@pytest.mark.parametrize("cut_bytes", [0, 1, LANDMARK_BYTES - 1])
def test_a_copy_has_every_whole_row(cut_bytes: int) -> None:
    store, known, copied = LandmarkStore(), rows(3), io.BytesIO()
    for row in known:
        store.add(row)
    store.copy_to(copied)
    data = copied.getvalue()
    assert len(data) == 3 * LANDMARK_BYTES
    again = LandmarkStore.copied_from(io.BytesIO(data[: len(data) - cut_bytes]))
    assert len(again) == (3 if cut_bytes == 0 else 2)
    for i in range(len(again)):
        np.testing.assert_array_equal(again.read(i), known[i])
    again.add(known[0])
    np.testing.assert_array_equal(again.read(len(again) - 1), known[0])


def test_its_file_is_closed_when_nobody_knows_of_it() -> None:
    store = LandmarkStore()
    store.add(rows(1)[0])
    file = weakref.ref(store._file)
    del store
    assert file() is None or file().closed  # type: ignore[union-attr]
