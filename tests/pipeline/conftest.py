"""Clips in which there is nobody, and films whose every frame number and timecode is known."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
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


@pytest.fixture(scope="session")
def make_film() -> Callable[..., Path]:
    """`make_film(path, frames, rate, timecode)`: a tiny film; the suffix chooses the container."""

    def make(path: Path, frames: int = 48, rate: Fraction | int = 24, timecode: str = "") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            if timecode:
                container.metadata["timecode"] = timecode
            stream = container.add_stream("mpeg4", rate=rate)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            picture = np.full((48, 64, 3), 90, np.uint8)
            for _ in range(frames):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        return path

    return make
