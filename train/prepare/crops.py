"""The crops of one input: its largest face in evenly spread frames, measured and cut out.

Through the very calls that feed a network in the pipeline.
"""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec
from retarget.pipeline.errors import VideoReadError
from retarget.pipeline.faces import (
    PROXY_PX,
    FaceTracker,
    Landmarker,
    TrackOptions,
    alignment,
    apply,
    chain,
    crop_matrix,
    detect_shots,
    head_pose,
)
from retarget.pipeline.media import VideoReader, open_video, proxy, sample_rgb
from retarget.pipeline.records import Frame, TrackedFrame, VideoInfo

from .options import PrepareOptions
from .report import DAMAGED, NO_FACE


@dataclass(frozen=True, eq=False)
class Crop:
    """One face of one frame, measured and cut out."""

    picture: NDArray[np.uint8]
    frame: int
    shot: int
    seconds: float
    action_units: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    """(478, 3) crop pixels."""
    angles: tuple[float, float, float]
    residual: float
    face_px: float
    enlargement: float
    """Crop pixels per source pixel."""
    rival: float
    """Size of the next largest face relative to this one."""
    outside: float
    """Share of the crop beyond the picture's edge."""


def crops_of(path: Path, options: PrepareOptions, landmarker: Landmarker, skipped: Counter[str]) -> Iterator[Crop]:
    """The crops of one input, and in `skipped` how many frames gave none, by reason. Holds a few frames.

    Raises:
        RetargetError: it cannot be opened or read.
    """
    if is_cut_off(path):
        raise VideoReadError(f"{path}: {DAMAGED}, its end is missing")
    with open_video(path) as reader:
        info = reader.info
        tracker = FaceTracker(info, TrackOptions(min_face_px=options.min_face_px), landmarker=landmarker)
        held: deque[Frame] = deque()
        with tracker, contextlib.closing(_chosen(reader, options.frames_per_clip, skipped)) as chosen:
            for tracked in tracker.track(_held(chosen, held)):
                frame = held.popleft()
                assert frame.index == tracked.index
                if tracked.faces:
                    yield _cut(frame, info, tracked, options.crop)
                else:
                    skipped[NO_FACE] += 1


def _cut(frame: Frame, info: VideoInfo, tracked: TrackedFrame, crop: CropSpec) -> Crop:
    """The largest face of a frame, through the very calls that feed a network in the pipeline."""
    face = max(tracked.faces, key=lambda face: face.size_px)
    matrix = crop_matrix(alignment(face.landmarks), crop)
    size = (crop.size_px, crop.size_px)
    pose = head_pose(face.landmarks)
    return Crop(
        picture=sample_rgb(frame, info.color, chain(matrix, info.display_from_coded), size),
        frame=frame.index,
        shot=tracked.shot,
        seconds=frame.seconds - info.start_seconds,
        action_units=face.action_units,
        landmarks=apply(matrix, face.landmarks).astype(np.float32),
        angles=(face.yaw_degrees, face.pitch_degrees, float(np.degrees(pose.roll_radians))),
        residual=pose.residual,
        face_px=face.size_px,
        enlargement=float(np.hypot(matrix[0, 0], matrix[1, 0])),
        rival=max((other.size_px for other in tracked.faces if other is not face), default=0.0) / face.size_px,
        outside=_outside(matrix, info, crop.size_px),
    )


def _outside(matrix: NDArray[np.float64], info: VideoInfo, size_px: int) -> float:
    """The share of a crop that lies beyond the picture's edge."""
    back = cv2.invertAffineTransform(matrix)
    x, y = np.meshgrid(*[(np.arange(32) + 0.5) * size_px / 32] * 2)
    there = np.stack([x, y], -1) @ back[:, :2].T + back[:, 2]
    inside = ((there >= 0) & (there <= (info.display_width, info.display_height))).all(-1)
    return float(1 - inside.mean())


def _chosen(reader: VideoReader, count: int, skipped: Counter[str]) -> Generator[tuple[Frame, int], None, None]:
    """Up to `count` evenly spread sound frames with their shots."""
    info = reader.info
    total = 1 if info.is_still else info.frame_count_from_header or sum(1 for _ in reader)
    shots = (
        ((frame, 0) for frame in reader)
        if info.is_still
        else detect_shots(reader, lambda frame: proxy(frame, info, PROXY_PX))
    )
    left = count
    for i, (frame, shot) in enumerate(shots):
        if left == 0 or not is_chosen(i, total, count):
            continue
        left -= 1
        if frame.is_corrupt:
            skipped[DAMAGED] += 1
            continue
        yield frame, shot


def _held(frames: Iterable[tuple[Frame, int]], held: deque[Frame]) -> Iterator[tuple[Frame, int]]:
    for frame, shot in frames:
        held.append(frame)
        yield frame, shot


def is_chosen(index: int, total: int, count: int) -> bool:
    """Whether frame `index` of `total` is one of `count` evenly spread ones (of all, if there are fewer)."""
    if total <= count:
        return True
    return index * count // total != (index - 1) * count // total


def is_cut_off(path: Path) -> bool:
    """Whether a JPEG file ends within its picture. FFmpeg fills the rest with gray and says nothing."""
    try:
        with path.open("rb") as file:
            if file.read(2) != b"\xff\xd8":
                return False
            data = file.read()
    except OSError:
        return False  # opening it as a picture says why
    # Within a scan 0xff is followed by 0 or a restart, so after the last scan's start only the end can be found.
    return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")


def sharpness_of(crop: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> float:
    """Share of the contrast of a face (S, S, 3) within its landmarks (478, 3) that is finest detail.

    The standard deviation of what a Gaussian of one crop pixel takes away, over that of all. Neither light nor
    contrast changes it; blur, compression and enlargement lower it.
    """
    gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = len(crop)
    left, top = np.floor(landmarks[:, :2].min(0)).astype(int).clip(0, size - 2)
    right, bottom = np.ceil(landmarks[:, :2].max(0)).astype(int).clip(2, size)
    detail = gray - cv2.GaussianBlur(gray, (0, 0), 1)
    part = (slice(top, max(bottom, top + 2)), slice(left, max(right, left + 2)))
    return float(detail[part].std() / max(float(gray[part].std()), 1.0))


def chroma_of(crop: NDArray[np.uint8]) -> float:
    """How much colour varies over a crop (S, S, 3): about 0 for black and white, tinted or not."""
    channels = cv2.cvtColor(crop, cv2.COLOR_RGB2YCrCb)[..., 1:].reshape(-1, 2)
    return float(np.sqrt(channels.astype(np.float32).var(0).sum()))
