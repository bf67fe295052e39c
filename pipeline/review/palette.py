"""Colours that a person shows nowhere in the footage: what was painted that cannot be there."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.mesh import FACE_OVAL

from .face_view import REGIONS, VIEW, Mask, Picture, Regions, filled, grown
from .series import Series

CELL_LEVELS = (8, 4, 4)
"""A cell of CIELAB in its 8-bit form: 3 units of lightness, 4 of each other axis."""
NEAR_CELLS = 1
"""A colour that is in a cell beside one that was seen was seen: codecs, grain and warps make as much."""

OUTLINE_PX = 4
"""What is so near the outline of the face belongs to it: landmarks are no nearer, and skin moves."""

_BELOW_NOSE = 2
"""Landmark between the nose and the upper lip."""
_SHAPE = tuple(256 // levels for levels in CELL_LEVELS)
_OFFSETS = np.array(list(itertools.product(range(-NEAR_CELLS, NEAR_CELLS + 1), repeat=3)))
Cells = NDArray[np.int32]


def cells_of(picture: Picture) -> Cells:
    """(H, W) cell of each pixel's colour in a picture (H, W, 3) uint8 RGB."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    light, green_red, blue_yellow = (lab[..., i].astype(np.int32) // CELL_LEVELS[i] for i in range(3))
    return np.asarray((light * _SHAPE[1] + green_red) * _SHAPE[2] + blue_yellow, np.int32)


class Palette:
    """Colours that were seen, and those near them. 260 kB."""

    def __init__(self) -> None:
        self._seen = np.zeros(int(np.prod(_SHAPE)), np.bool_)
        self._near = np.zeros(_SHAPE, np.bool_)

    def add(self, cells: Cells) -> None:
        """These were seen."""
        fresh = np.unique(cells[~self._seen[cells]])
        if not len(fresh):
            return
        self._seen[fresh] = True
        around = np.stack(np.unravel_index(fresh, _SHAPE), axis=-1)[:, None] + _OFFSETS
        light, green_red, blue_yellow = np.moveaxis(np.clip(around, 0, np.array(_SHAPE) - 1), -1, 0)
        self._near[light, green_red, blue_yellow] = True

    def knows(self, cells: Cells) -> Mask:
        """Which of these were seen, or are near one that was."""
        return np.asarray(self._near.reshape(-1)[cells], np.bool_)


@dataclass(frozen=True, eq=False)
class Zones:
    """Which colours may be where in a face box, see `PersonColors`."""

    lower: Mask
    """(S, S) from the nose down."""
    inside: Mask
    """(S, S) within the outline of the face."""

    @classmethod
    def of(cls, points: Series) -> Zones:
        """Of `face_view.view_points`."""
        rows = np.arange(VIEW.size_px)[:, None] + 0.5
        lower = np.broadcast_to(rows >= points[_BELOW_NOSE, 1], (VIEW.size_px, VIEW.size_px))
        return cls(lower, filled(points[list(FACE_OVAL)]))


@dataclass(frozen=True, eq=False)
class _Strange:
    """k pixels of one moment whose colours were not known by then."""

    at: int
    zones: NDArray[np.uint8]
    """(k,) which palette judges them."""
    regions: NDArray[np.uint8]
    """(k,) a bit for each region."""
    cells: Cells


class PersonColors:
    """What one person's face shows in the source, so that what the output shows besides can be told.

    Four palettes: a face may show the colours of the face, not those of hair and wall, and above the lips not
    those of lips and mouth: no eye is as red. A moment is judged when all have been seen; until then its pixels of
    yet unknown colours are kept, which are few.
    """

    def __init__(self) -> None:
        self._palettes = [Palette() for _ in range(4)]
        self._strange: dict[int, list[_Strange]] = {}

    def add(self, track: int, at: int, source: Picture, output: Picture, zones: Zones, regions: Regions) -> None:
        """The moment `at` of one of the person's tracks, which may have any number of its own."""
        was, now = cells_of(source), cells_of(output)
        near = grown(zones.inside, OUTLINE_PX)
        for palette, may in zip(self._palettes, (~zones.lower & near, near, ~zones.lower, None), strict=True):
            palette.add(was.ravel() if may is None else was[may])
        zone = np.asarray(np.where(zones.inside, 0, 2) + zones.lower, np.uint8)
        strange = ~self._known(zone, now)
        if strange.any():
            bits = sum(regions[name].astype(np.uint8) << np.uint8(i) for i, name in enumerate(REGIONS))
            found = _Strange(at, zone[strange], np.asarray(bits, np.uint8)[strange], now[strange])
            self._strange.setdefault(track, []).append(found)

    def never_seen(self, track: int, moments: int) -> Series:
        """(moments, regions) per mille of the face box that are in that region and of a colour never seen."""
        out = np.zeros((moments, len(REGIONS)))
        for found in self._strange.get(track, ()):
            never = ~self._known(found.zones, found.cells)
            for i in range(len(REGIONS)):
                out[found.at, i] = np.count_nonzero(never & (found.regions >> i & 1 == 1))
        return out * (1000 / VIEW.size_px**2)

    def _known(self, zones: NDArray[np.uint8], cells: Cells) -> Mask:
        known = np.zeros(cells.shape, np.bool_)
        for zone, palette in enumerate(self._palettes):
            here = zones == zone
            known[here] = palette.knows(cells[here])
        return known
