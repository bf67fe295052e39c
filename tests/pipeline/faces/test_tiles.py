"""The pyramid of tiles: it covers the picture, and every face is large in some tile."""

from __future__ import annotations

import numpy as np
import pytest

from retarget.pipeline.faces.tiles import SMALLEST_FACE_IN_TILE, TILE_OVERLAP, _starts, tiles


@pytest.mark.parametrize("length", [64, 100, 360, 361, 719, 1080, 1920])
@pytest.mark.parametrize("side", [64, 90, 360])
def test_starts_cover_the_length_and_overlap(length: int, side: int) -> None:
    starts = _starts(length, side)
    if side >= length:
        assert starts == [0]
        return
    assert starts[0] == 0
    assert starts[-1] == length - side
    assert max(np.diff(starts)) <= side * (1 - TILE_OVERLAP) + 1


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (720, 1280), (640, 640), (1920, 800), (300, 40)])
def test_tiles_lie_within_the_picture_and_begin_with_the_whole(width: int, height: int) -> None:
    places = list(tiles(width, height, 0.06 * height))
    assert places[0] == (0, 0, width, height)
    for left, top, wide, high in places:
        assert left >= 0
        assert top >= 0
        assert left + wide <= width
        assert top + high <= height
        assert min(wide, high) > 0


@pytest.mark.parametrize(("width", "height", "face_px"), [(1280, 720, 40), (720, 1280, 60), (640, 640, 32)])
def test_every_face_is_whole_and_large_enough_in_some_tile(width: int, height: int, face_px: int) -> None:
    places = np.array(list(tiles(width, height, face_px)))
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, (width - face_px, height - face_px), (300, 2))
    for x, y in corners:
        holds = (places[:, 0] <= x) & (places[:, 1] <= y)
        holds &= (x + face_px <= places[:, 0] + places[:, 2]) & (y + face_px <= places[:, 1] + places[:, 3])
        smallest = np.minimum(places[holds, 2], places[holds, 3]).min()
        # One level more than needed at most: a tile twice as large as the limit still holds it at half of it.
        assert face_px / smallest >= SMALLEST_FACE_IN_TILE / 2


def test_tiles_end_though_no_face_is_too_small() -> None:
    assert len(list(tiles(1920, 1080, 1))) < 3000
