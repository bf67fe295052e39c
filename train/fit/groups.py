"""The parts of the face by which a fit is judged: their action units, and the landmarks that show them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.mesh import LEFT_EYE, LEFT_IRIS, MOUTH, OUTER_LIPS, RIGHT_EYE, RIGHT_IRIS


@dataclass(frozen=True)
class Group:
    """Action units of one part of the face, and the landmarks that show it."""

    name: str
    units: tuple[str, ...]
    landmarks: tuple[int, ...]

    @property
    def entries(self) -> list[int]:
        """Its units' places in the vector."""
        return [i for name in self.units for i in action_units.resolve(name)]

    @property
    def coordinates(self) -> NDArray[np.int64]:
        """Its landmarks' places among 478 * 3 coordinates."""
        return (3 * np.array(self.landmarks)[:, None] + np.arange(3)).ravel()


def _joined(*chains: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({i for chain in chains for i in chain}))


_NOSE = (48, 49, 64, 98, 129, 278, 279, 294, 327, 358)
_CHEEKS = (36, 50, 101, 117, 118, 187, 205, 266, 280, 330, 346, 347, 411, 425)
_BROWS = (46, 52, 53, 55, 63, 65, 66, 70, 105, 107, 276, 282, 283, 285, 293, 295, 296, 300, 334, 336)
_CHIN = (148, 149, 150, 152, 175, 176, 199, 200, 377, 378, 379, 400)
_LIP_UNITS = "AU10 AU12 AU14 AU15 AU16 AU18 AU20 AU22 AU23 AU24 AU25 AU28 MouthShift"

GROUPS = (
    Group("brows", ("AU01", "AU02", "AU04"), _BROWS),
    Group("eyes", ("AU05", "AU07", "AU45"), _joined(*RIGHT_EYE, *LEFT_EYE)),
    Group("nose and cheeks", ("AU06", "AU09"), (*_NOSE, *_CHEEKS)),
    Group("lips", tuple(_LIP_UNITS.split()), _joined(*MOUTH, OUTER_LIPS)),
    Group("jaw", ("AU17", "AU26", "AU29", "AU30"), _CHIN),
    Group("gaze", ("AU61", "AU62", "AU63", "AU64"), (*RIGHT_IRIS, *LEFT_IRIS)),
)
"""Every action unit is in one of them."""
