"""The face mesh by numbers: which of MediaPipe's 478 landmarks lie where. Plain tuples; loads nothing.

Left and right are the subject's. An index counts along the landmark axis of arrays (..., 478, 2 or 3).
"""

from __future__ import annotations

LANDMARKS = 478
"""Of MediaPipe's mesh, irises included."""

STABLE = (33, 133, 362, 263, 168, 6, 197, 195, 127, 356, 234, 454)
"""Landmarks that no expression moves much: eye corners, nose bridge, temples. They carry the head's pose."""

Opening = tuple[tuple[int, ...], tuple[int, ...]]
"""(upper, lower) chains of landmarks along the edges of an opening, each from corner to corner, of one length."""

MOUTH: Opening = (
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
)
"""The inner edges of the lips, from the subject's right to the left."""
RIGHT_EYE: Opening = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133),
    (33, 7, 163, 144, 145, 153, 154, 155, 133),
)
"""The edges of the lids, from the outer corner to the inner one."""
LEFT_EYE: Opening = (
    (263, 466, 388, 387, 386, 385, 384, 398, 362),
    (263, 249, 390, 373, 374, 380, 381, 382, 362),
)
OPENINGS: tuple[Opening, ...] = (MOUTH, RIGHT_EYE, LEFT_EYE)
"""What skin slides over something else in."""

RIGHT_IRIS = (468, 469, 470, 471, 472)
"""The pupil's centre and four points of the iris' edge."""
LEFT_IRIS = (473, 474, 475, 476, 477)

OUTER_LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185,
)  # fmt: skip
"""The outline of the red of the lips, by MediaPipe's numbering."""

FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The face's outline, clockwise in the picture, from the middle of the forehead."""

FOREHEAD, CHIN = 10, 152
"""The top and the bottom of that outline, in the middle."""
