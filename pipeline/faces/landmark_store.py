"""The landmarks of a clip's faces, on disk: one row a face and frame."""

from __future__ import annotations

import shutil
import tempfile
import threading
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ..records import LANDMARKS

LANDMARK_BYTES = LANDMARKS * 3 * 4
"""Of one face in one frame: (478, 3) float32."""


class LandmarkStore:
    """Rows of landmarks in a temporary file without a name, which goes with the last who knows of it.

    Rows are only ever added, and may be read by several threads.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="retarget-landmarks-")  # noqa: SIM115 - lives as long as this
        self._lock = threading.Lock()
        self._row_count = 0

    def __len__(self) -> int:
        """Rows that are in it."""
        return self._row_count

    def add(self, landmarks: NDArray[np.floating]) -> int:
        """Keeps (478, 3) display pixels as float32; returns their row."""
        with self._lock:
            self._file.seek(self._row_count * LANDMARK_BYTES)
            self._file.write(np.ascontiguousarray(landmarks, np.float32).tobytes())
            self._row_count += 1
            return self._row_count - 1

    def read(self, row: int) -> NDArray[np.float32]:
        """(478, 3) float32 display pixels of a row."""
        with self._lock:
            self._file.seek(row * LANDMARK_BYTES)
            return np.frombuffer(self._file.read(LANDMARK_BYTES), np.float32).reshape(LANDMARKS, 3)

    def copy_to(self, target: IO[bytes]) -> None:
        """Writes all rows, as float32 one after another."""
        with self._lock:
            self._file.seek(0)
            shutil.copyfileobj(self._file, target, 1 << 20)

    @classmethod
    def copied_from(cls, source: IO[bytes]) -> LandmarkStore:
        """One with the rows that `copy_to` wrote; what is left of a broken row is no row."""
        store = cls()
        shutil.copyfileobj(source, store._file, 1 << 20)
        store._row_count = store._file.tell() // LANDMARK_BYTES
        return store
