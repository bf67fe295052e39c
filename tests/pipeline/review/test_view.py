from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from retarget.pipeline.review.contact_sheet import HEADER_PX, LABELS_PX
from retarget.pipeline.review.preview_job import preview


def test_rotated_source_is_shown_upright(
    clips: Any, read_rgb: Any, plant: Any, smile: Path, tmp_path: Path
) -> None:
    clip = clips.make(tmp_path / "turned.mp4", 3, turn=90)
    preview(clip, smile, tmp_path / "sheet.png", moments=1)
    sheet = read_rgb(tmp_path / "sheet.png")
    width = round(np.sqrt(320 * 240 * 240 / 320))
    height = round(width * 4 / 3)
    shown = sheet[HEADER_PX : HEADER_PX + height, LABELS_PX : LABELS_PX + width].astype(float).mean(-1)
    # Coded, the stripes are at the top right; turned clockwise they stand, to the right and at the bottom.
    assert np.diff(shown[height * 2 // 3]).std() > 10
    assert np.diff(shown[: height // 3].T).std() < 3
