"""Clips without anybody, films whose frame numbers and timecodes are known, people who pass each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from retarget.pipeline.media import EncodeOptions, create_video, open_video, proxy


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


# People from the samples, where one wants them

STAGE_PX = (800, 300)
HEADS = {"actress": (275, 15, 350), "smile": (165, 65, 265)}
"""(left, top, side) of the square around the head of a sample's clip."""
HEAD_PX = 220


@pytest.fixture(scope="session")
def heads(samples: Path) -> dict[str, list[Any]]:
    """By sample, its head in 60 frames, (220, 220, 3) uint8 RGB: a woman, and a man."""
    found: dict[str, list[Any]] = {}
    for name, (left, top, side) in HEADS.items():
        with open_video(samples / f"{name}.mp4") as reader:
            pictures = [proxy(frame, reader.info, 640) for frame, _ in zip(reader, range(60), strict=False)]
        cut = [picture[top : top + side, left : left + side] for picture in pictures]
        found[name] = [cv2.resize(head, (HEAD_PX, HEAD_PX), interpolation=cv2.INTER_AREA) for head in cut]
    return found


@pytest.fixture(scope="session")
def stage_clip(tmp_path_factory: Any, heads: dict[str, list[Any]]) -> Callable[..., Path]:
    """`stage_clip([{"actress": x, ...}, ...], bars=[x or None, ...])`: a film at 25 frames a second of heads that
    are centred at those x on gray ground, the later named in front; a bar of a head's width before them."""

    def make(frames: Sequence[dict[str, float]], bars: Sequence[float | None] | None = None) -> Path:
        folder = tmp_path_factory.mktemp("stage")
        for i, places in enumerate(frames):
            picture = np.full((STAGE_PX[1], STAGE_PX[0], 3), 120, np.uint8)
            for name, x in places.items():
                _paste(picture, heads[name][i % 60], x)
            if bars is not None and bars[i] is not None:
                left = round(bars[i] - HEAD_PX / 2)
                picture[:, max(left, 0) : left + HEAD_PX] = 60
            cv2.imwrite(str(folder / f"stage.{i:04d}.png"), picture[..., ::-1])
        film = folder / "stage.mp4"
        with (
            open_video(folder / "stage.%04d.png", sequence_rate=Fraction(25)) as reader,
            create_video(film, like=reader, options=EncodeOptions(crf=12, preset="ultrafast")) as writer,
        ):
            for frame in reader:
                writer.write(frame)
        return film

    return make


def _paste(picture: Any, head: Any, x: float) -> None:
    """A head with soft round edges, centred at x and half the height."""
    y, side = np.mgrid[:HEAD_PX, :HEAD_PX] - HEAD_PX / 2, HEAD_PX / 2
    alpha = np.clip((1 - np.hypot(y[1] / side, y[0] / side)) * 12, 0, 1)[..., None]
    left, top = round(x - side), (STAGE_PX[1] - HEAD_PX) // 2
    first, last = max(0, -left), min(HEAD_PX, STAGE_PX[0] - left)
    if last <= first:
        return
    part = picture[top : top + HEAD_PX, left + first : left + last]
    part[:] = (part + (head[:, first:last] - part.astype(float)) * alpha[:, first:last]).astype(np.uint8)


@pytest.fixture(scope="session")
def crossing_clip(stage_clip: Callable[..., Path]) -> Path:
    """80 frames: the actress walks from left to right, the man from right to left; she passes in front."""
    way = np.linspace(120, 680, 80)
    return stage_clip([{"smile": 800 - x, "actress": x} for x in way])


@pytest.fixture(scope="session")
def occlusion_clip(stage_clip: Callable[..., Path]) -> Path:
    """100 frames: both stand there; from frame 30 to 69 a bar stands before the man, who is on the right and moves
    80 px meanwhile."""
    places = [{"actress": 200.0, "smile": 520.0 if i < 50 else 600.0} for i in range(100)]
    return stage_clip(places, [560.0 if 30 <= i < 70 else None for i in range(100)])
