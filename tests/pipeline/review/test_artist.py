"""What is drawn of a frame, looked up on a contact sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.review.artist import MESH, OUTLINE
from retarget.pipeline.review.preview_job import preview


def test_debug_draws_landmarks_on_the_source_and_the_edit_on_the_result(
    clips: Any, read_rgb: Any, cell: Any, has_color: Any, plant: Any, source: Path, smile: Path, tmp_path: Path
) -> None:
    preview(source, smile, tmp_path / "sheet.png", moments=2, debug=True)
    sheet = read_rgb(tmp_path / "sheet.png")
    x, y = np.floor(clips.face().landmarks[152, :2]).astype(int)  # the chin
    assert tuple(cell(sheet, 0, 0)[y, x]) == MESH
    assert not has_color(cell(sheet, 0, 0), OUTLINE)
    assert has_color(cell(sheet, 2, 0), OUTLINE)
    assert not has_color(cell(sheet, 2, 0), MESH)


def test_driver_row_shows_the_clip_and_darkens_it_when_it_is_over(
    clips: Any, read_rgb: Any, cell: Any, plant: Any, source: Path, tmp_path: Path
) -> None:
    plant(driver=lambda seconds: {"AU12": 0.2 + seconds})
    clip = clips.make(tmp_path / "driver.mkv", 6)
    preview(source, clip, tmp_path / "sheet.png", RetargetOptions(release_seconds=0.2), moments=20)
    sheet = read_rgb(tmp_path / "sheet.png")
    shown = [int(cell(sheet, 1, column)[5, 5, 0]) for column in range(20)]
    assert shown[:7] == [clips.gray(index) for index in (0, 1, 2, 3, 4, 5, 5)]
    assert shown[10:] == [clips.gray(5) // 3] * 10
