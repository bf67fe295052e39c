"""Where a film cuts: PySceneDetect's adaptive detector, fed frame by frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from scenedetect.detectors import AdaptiveDetector

from ..records import Frame

WINDOW_FRAMES = 2
"""Frames on either side that a frame's change is compared with."""

PROXY_PX = 160
"""Longer side of the picture the detector sees."""

MIN_SHOT_FRAMES = 2
"""A cut sooner than this after another, or after the start, is taken for a flash."""


def detect_shots(
    frames: Iterable[Frame], small: Callable[[Frame], NDArray[np.uint8]]
) -> Iterator[tuple[Frame, int]]:
    """Pairs each frame with the number of its shot, from 0. Holds `2 * WINDOW_FRAMES` frames.

    A cut is where the picture changes more than three times as much as around it (and by 15 of 255 at least),
    so that fast movement and pans are none.

    Args:
        small: gives an RGB uint8 proxy of a frame, about `PROXY_PX` wide.
    """
    detector = AdaptiveDetector(min_scene_len=MIN_SHOT_FRAMES, window_width=WINDOW_FRAMES)
    waiting: deque[Frame] = deque()
    cuts: set[int] = set()
    shot = 0
    for position, frame in enumerate(frames):
        picture = cv2.cvtColor(small(frame), cv2.COLOR_RGB2BGR)
        cuts.update(int(cut) for cut in detector.process_frame(position, picture))
        waiting.append(frame)
        if len(waiting) > 2 * WINDOW_FRAMES:
            first = position - len(waiting) + 1
            shot += first in cuts
            yield waiting.popleft(), shot
    start = position - len(waiting) + 1 if waiting else 0
    for offset, frame in enumerate(waiting):
        shot += (start + offset) in cuts
        yield frame, shot
