"""What the face descriptor sees and says: dlib's chip of 150 px, 128 numbers, a threshold. Loads no torch.

The corners of the eyes and the base of the nose place the face; they hardly move with expression.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DESCRIPTOR = "dlib-resnet-v1/uint8/mirrored"
"""Identifies the network that sees the chip; descriptors of another one are not comparable."""

DESCRIPTOR_SIZE = 128

SAME_PERSON = 0.6
"""l2 distance of two pictures' descriptors up to which dlib takes them for one person: right for 99.4 % of the
pairs of Labeled Faces in the Wild."""

CHIP_PX = 150
"""Side of the chip; the descriptor's input size."""

FIVE_POINTS = (263, 362, 33, 133, 2)
"""Mesh points in the order of dlib's five: outer and inner corner of the subject's left eye, of the right one, and
the base of the nose."""

_PLACES = np.array(
    [
        (0.8595674595992, 0.2134981538014),
        (0.6460604764104, 0.2289674387677),
        (0.1205750620789, 0.2137274526848),
        (0.3340850613712, 0.2290642403242),
        (0.4901123135679, 0.6277975316475),
    ]
)
"""Of the five in dlib's mean face (`get_face_chip_details`), relative to the face's box."""

_PADDING = 0.25
"""Around that box on each side, relative to it: what dlib's `compute_face_descriptor` takes."""


def chip_matrix(landmarks: NDArray[np.floating], size_px: int = CHIP_PX) -> NDArray[np.float64]:
    """(2, 3) float64 similarity: the pixels that landmarks (478, >= 2) count -> the chip's; corner-based both.

    The least-squares one of the five points (Umeyama 1991), as dlib's.
    """
    places = (_PLACES + _PADDING) / (1 + 2 * _PADDING) * size_px
    points = np.asarray(landmarks, np.float64)[list(FIVE_POINTS), :2]
    center, middle = points.mean(0), places.mean(0)
    a, b = points - center, places - middle
    spread = max(float((a**2).sum()), 1e-9)
    cos = float((a * b).sum()) / spread
    sin = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.c_[turn, middle - turn @ center]
