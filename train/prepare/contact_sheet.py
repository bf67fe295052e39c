"""The contact sheet of a dataset: random crops to look at, by split, and what each flag catches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from ..data import Dataset

COLUMNS = 16
TILE_PX = 112
CAPTION_PX = 26
_INK, _PAPER, _WARNING = (230, 230, 230), (24, 24, 24), (255, 170, 90)


def contact_sheet(
    dataset: Dataset, *, rows_per_split: int = 4, rows_per_flag: int = 2, seed: int = 0
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: bands of random crops, each with its identity and its flags.

    One band a split (of usable crops), then one a flag (of crops that have it).
    """
    rng = np.random.default_rng(seed)
    bands = []
    for title, which, rows in _bands(dataset, rows_per_split, rows_per_flag):
        indices = np.flatnonzero(which)
        shown = _spread(dataset, rng.permutation(indices))[: rows * COLUMNS]
        bands += [_heading(f"{title}: {len(indices)} of {len(dataset)}"), *_grid(dataset, np.sort(shown))]
    return np.concatenate(bands)


def _bands(
    dataset: Dataset, rows_per_split: int, rows_per_flag: int
) -> Iterator[tuple[str, NDArray[np.bool_], int]]:
    yield "train", dataset.usable & ~dataset.is_eval, rows_per_split
    yield "eval", dataset.usable & dataset.is_eval, rows_per_split
    for name, flag in dataset.flags.items():
        yield name, flag, rows_per_flag


def _spread(dataset: Dataset, shuffled: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same rows, so ordered that every person comes once before any comes twice."""
    seen: Counter[int] = Counter()
    turn = []
    for person in dataset.identity[shuffled].tolist():
        turn.append(seen[person])
        seen[person] += 1
    return shuffled[np.argsort(turn, kind="stable")]


def _grid(dataset: Dataset, shown: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(shown), COLUMNS):
        tiles = [_tile(dataset, int(i)) for i in shown[start : start + COLUMNS]]
        tiles += [np.full_like(tiles[0], _PAPER)] * (COLUMNS - len(tiles))
        yield np.concatenate(tiles, axis=1)


def _tile(dataset: Dataset, row: int) -> NDArray[np.uint8]:
    tile = np.full((TILE_PX + CAPTION_PX, TILE_PX, 3), _PAPER, np.uint8)
    tile[:TILE_PX] = cv2.resize(dataset.image(row), (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA)
    _write(tile, dataset.identities[dataset.identity[row]][-18:], TILE_PX + 11, _INK)
    caught = [name for name, flag in dataset.flags.items() if flag[row]]
    _write(tile, " ".join(caught), TILE_PX + 22, _WARNING)
    return tile


def _heading(text: str) -> NDArray[np.uint8]:
    band = np.full((24, COLUMNS * TILE_PX, 3), _PAPER, np.uint8)
    cv2.putText(band, text, (4, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return band


def _write(tile: NDArray[np.uint8], text: str, baseline_px: int, ink: tuple[int, int, int]) -> None:
    plain = text.encode("ascii", "replace").decode()  # cv2's fonts have no other letters
    cv2.putText(tile, plain, (2, baseline_px), cv2.FONT_HERSHEY_SIMPLEX, 0.3, ink, 1, cv2.LINE_AA)
