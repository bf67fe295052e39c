"""What the detector's numbers mean: faces with a box and a turn, each once.

The network looks at 896 anchors and says for each how sure it is of a face, where its box lies and where six
points of it do. One face raises several anchors: those that overlap are averaged, weighted by their scores. All
of it is as MediaPipe's face detector graph defines it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

DETECTOR_PX = 128
"""Side of the picture the detector sees."""

LEAST_SCORE = 0.5
MOST_OVERLAP = 0.3
"""Intersection over union above which two boxes are one face, where all faces are asked for."""


@dataclass(frozen=True, eq=False)
class Detection:
    """A face that the detector sees."""

    score: float
    low: NDArray[np.float64]
    """(2,) upper left corner of the box, brows to chin, in pixels."""
    high: NDArray[np.float64]
    """(2,) lower right corner."""
    roll_radians: float
    """In-plane turn of the line between the eyes; positive is clockwise in the picture."""

    @property
    def center(self) -> NDArray[np.float64]:
        return (self.low + self.high) / 2

    @property
    def size_px(self) -> float:
        return float((self.high - self.low).max())


def moved(face: Detection, corner: tuple[int, int], scale: float) -> Detection:
    """A tile's face in a picture `scale` times larger than the one the tile was cut from at `corner` (x, y)."""
    low, high = (scale * (point + corner) for point in (face.low, face.high))
    return replace(face, low=low, high=high)


@cache
def anchors() -> NDArray[np.float32]:
    """(896, 2) x and y of the anchors as fractions of the picture: two at each of 16 x 16 places, six of 8 x 8."""
    rows = []
    for side, each in ((16, 2), (8, 6)):
        y, x = np.divmod(np.arange(side * side), side)
        rows.append(np.repeat((np.c_[x, y] + 0.5) / side, each, axis=0))
    return np.concatenate(rows).astype(np.float32)


def decoded(
    raw: NDArray[np.float32], logits: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The anchors that see a face, best first.

    Args:
        raw: (896, 16) the network's boxes and points; logits: (896,) its scores.

    Returns:
        (n,) scores in [0.5, 1]; (n, 8, 2) x and y as fractions of the picture: the box's corners, right eye, left
        eye, nose tip, mouth, right and left tragion.
    """
    scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -100, 100)))
    sure = np.flatnonzero(scores >= LEAST_SCORE)
    sure = sure[np.argsort(-scores[sure], kind="stable")]
    values = raw[sure].reshape(-1, 8, 2).astype(np.float64) / DETECTOR_PX
    at = anchors()[sure].astype(np.float64)
    center, half = values[:, 0] + at, values[:, 1] / 2
    points = values[:, 2:] + at[:, None]
    return scores[sure], np.concatenate([np.stack([center - half, center + half], 1), points], 1)


def merged(
    scores: NDArray[np.float64], places: NDArray[np.float64], most_overlap: float = MOST_OVERLAP
) -> list[tuple[float, NDArray[np.float64]]]:
    """(score, (8, 2) place) of each face: weighted averages of what overlaps the best that is left."""
    found = []
    left = np.arange(len(scores))
    while len(left):
        best = left[0]
        same = _intersection_over_union(places[best], places[left]) > most_overlap
        same[0] = True
        weights = scores[left[same]]
        found.append((float(scores[best]), np.tensordot(weights / weights.sum(), places[left[same]], 1)))
        left = left[~same]
    return found


def detection_of(score: float, place: NDArray[np.float64]) -> Detection:
    """A face from its place (8, 2) in pixels."""
    across = place[3] - place[2]
    return Detection(score, place[0], place[1], float(np.arctan2(across[1], across[0])))


def _intersection_over_union(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) of a place with others (n, 8, 2)."""
    low, high = np.maximum(box[0], others[:, 0]), np.minimum(box[1], others[:, 1])
    shared = np.clip(high - low, 0, None).prod(1)
    areas = (others[:, 1] - others[:, 0]).prod(1)
    return shared / np.maximum((box[1] - box[0]).prod() + areas - shared, 1e-12)
