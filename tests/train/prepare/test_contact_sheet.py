"""The contact sheet shows what may be used and what was flagged."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from retarget.train.data import Dataset
from retarget.train.prepare.contact_sheet import COLUMNS, TILE_PX, contact_sheet

COUNT = 6


def test_the_sheet_shows_usable_crops_by_split_and_flagged_ones_by_flag(saved: Dataset, picture_of: Any) -> None:
    sheet = contact_sheet(saved)
    assert sheet.shape[1] == COLUMNS * TILE_PX
    shown = {row for row in range(COUNT) if (sheet == picture_of(row)[0, 0]).all(-1).sum() >= TILE_PX**2}
    assert shown == set(range(COUNT))
    # train, blurred and gray: Ann's second is in the band of the blurred alone
    places = np.flatnonzero((sheet == picture_of(1)[0, 0]).all(-1).any(1))
    assert len(places) == TILE_PX
    np.testing.assert_array_equal(sheet, contact_sheet(saved))


def test_a_sheet_of_nothing_usable_has_its_headings(saved: Dataset) -> None:
    flags = {"blurred": np.ones(COUNT, np.bool_)}
    assert contact_sheet(dataclasses.replace(saved, flags=flags)).shape[0] == 3 * 24 + TILE_PX + 26
