from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from retarget.pipeline.review.artist import FACE_MARGIN
from retarget.pipeline.review.contact_sheet import CAPTION_PX, HEADER_PX, LABELS_PX, MARGIN_PX
from retarget.pipeline.review.preview_job import preview
from retarget.pipeline.review.request_bars import BAR


def test_sheet_shows_source_driver_and_result(
    clips: Any, read_rgb: Any, cell: Any, has_color: Any, plant: Any, source: Path, smile: Path, tmp_path: Path
) -> None:
    report = preview(source, smile, tmp_path / "sheet.png", moments=4)
    sheet = read_rgb(tmp_path / "sheet.png")
    assert sheet.shape == (
        HEADER_PX + 3 * (clips.HEIGHT + MARGIN_PX) + CAPTION_PX,
        LABELS_PX + 4 * (clips.WIDTH + MARGIN_PX),
        3,
    )
    for column, seconds in enumerate(report.details["moments"]):
        before, bars, after = (cell(sheet, row, column) for row in range(3))
        np.testing.assert_array_equal(before, clips.picture(round(seconds * clips.RATE)))
        np.testing.assert_array_equal(after[:, :60], before[:, :60])  # beside the face nothing is touched
        assert np.abs(after[130:200, 130:270].astype(int) - before[130:200, 130:270]).max() > 50
        assert has_color(bars, BAR)


def test_small_faces_are_shown_enlarged(
    clips: Any, read_rgb: Any, plant: Any, source: Path, smile: Path, tmp_path: Path
) -> None:
    plant(eyes_px=25.0)  # the mesh is about 1.6 times as high
    preview(source, smile, tmp_path / "sheet.png", moments=1)
    sheet = read_rgb(tmp_path / "sheet.png")
    assert sheet.shape[0] == HEADER_PX + 3 * (clips.HEIGHT + MARGIN_PX) + 2 * (300 + MARGIN_PX) + CAPTION_PX
    top = HEADER_PX + 3 * (clips.HEIGHT + MARGIN_PX)
    face = sheet[top : top + 300, LABELS_PX + 10 : LABELS_PX + 310]
    rows = (face.mean(axis=(1, 2)) > 150).astype(int)
    stripes = int((np.diff(rows) == 1).sum())
    side_px = clips.face(25.0).size_px * FACE_MARGIN
    assert abs(stripes - side_px / 8) <= 1  # one stripe every 8 pixels


def test_jpeg_sheet(plant: Any, source: Path, smile: Path, tmp_path: Path) -> None:
    preview(source, smile, tmp_path / "sheet.JPG", moments=1)
    assert (tmp_path / "sheet.JPG").read_bytes()[:3] == b"\xff\xd8\xff"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sheet.JPG", "smile.yaml", "source.mkv"]
