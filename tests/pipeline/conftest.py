"""Clips in which there is nobody."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.pipeline.media import EncodeOptions, create_video, open_video


@pytest.fixture(scope="session")
def disc_clip(tmp_path_factory: Any, make_frame: Any, disc: Any) -> Path:
    """Twelve frames, 160x120 at 25 fps, of a disc on gray: a PNG sequence and no face anywhere."""
    folder = tmp_path_factory.mktemp("disc")
    for i in range(12):
        drawn = make_frame(160, 120, "gbrp", disc(40 + 5 * i, 60, 20)).planes[0]
        cv2.imwrite(str(folder / f"disc.{i:04d}.png"), np.repeat(drawn[..., None], 3, 2))
    with open_video(folder / "disc.%04d.png", sequence_rate=Fraction(25)) as reader:
        film = folder / "disc.mp4"
        with create_video(film, like=reader, options=EncodeOptions()) as writer:
            for frame in reader:
                writer.write(frame)
    return film
