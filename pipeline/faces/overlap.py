"""How much of each other the boxes of two faces cover."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Corner = NDArray[np.floating]
"""(2,) x and y"""


def share_of_smaller(low: Corner, high: Corner, low2: Corner, high2: Corner) -> float:
    """Intersection of two boxes over the smaller area, in [0, 1]: a part of a face counts as the face."""
    shared = np.clip(np.minimum(high, high2) - np.maximum(low, low2), 0, None).prod()
    return float(shared / max(min((high - low).prod(), (high2 - low2).prod()), 1e-9))
