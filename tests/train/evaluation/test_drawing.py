"""Each picture stands in its place, each label beside it."""

from __future__ import annotations

import numpy as np

from retarget.train.evaluation.drawing import draw_grid


def test_a_grid_puts_each_picture_in_its_place() -> None:
    colors = [[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (9, 9, 9)]]
    rows = [[np.full((32, 32, 3), color, np.uint8) for color in row] for row in colors]
    grid = draw_grid(rows, columns=["", ""], labels=["", ""], cell_px=32)
    assert grid.shape == (68, 68, 3)
    for i in range(2):
        for j in range(2):
            cell = grid[34 * i : 34 * i + 32, 34 * j : 34 * j + 32]
            assert (cell == colors[i][j]).all()
    assert (grid[32:34] == 255).all()


def test_labels_get_a_margin_of_their_own() -> None:
    row = [np.zeros((64, 64, 3), np.uint8)]
    grid = draw_grid([row], columns=["source"], labels=["ED 0.50\nof 1.00"], cell_px=32)  # reduced to its cell
    top, left = grid.shape[0] - 34, grid.shape[1] - 34
    assert (grid[top : top + 32, left : left + 32] == 0).all()
    assert (grid[top:, : left - 1] < 128).any()  # the label
    assert (grid[:top] < 128).any()  # the column's head
