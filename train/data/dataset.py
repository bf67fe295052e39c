"""A dataset in memory: aligned crops of faces and what is known of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec
from retarget.model.errors import RetargetError
from retarget.model.mesh import LANDMARKS


class DatasetError(RetargetError, ValueError):
    """A dataset folder that is missing something, damaged, or of another version."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Aligned crops of faces and what is known of them; one row a crop. Pictures stay on disk until asked for."""

    folder: Path
    crop: CropSpec
    au_source: str
    """How the action units were measured, as in checkpoints."""
    files: tuple[str, ...]
    """Crop pictures, relative to the folder; S x S RGB."""
    identities: tuple[str, ...]
    """Names of the people that occur."""
    identity: NDArray[np.int64]
    """(n,) index into `identities`."""
    clips: tuple[str, ...]
    """Names of the recordings that occur."""
    clip: NDArray[np.int64]
    """(n,) index into `clips`. Frames of one clip show one person in one setting, and can be paired."""
    frame: NDArray[np.int64]
    """(n,) number of the frame in its clip."""
    seconds: NDArray[np.float64]
    """(n,) from the clip's first frame."""
    is_eval: NDArray[np.bool_]
    """(n,) the split; no identity is in both."""
    action_units: NDArray[np.float32]
    """(n, 46) in [0, 1]; 0 in columns that are not known."""
    known: NDArray[np.bool_]
    """(46,) the columns that are filled."""
    angles: NDArray[np.float32]
    """(n, 3) yaw, pitch, roll in degrees."""
    residual: NDArray[np.float32]
    """(n,) misfit of the head pose, canonical units."""
    face_px: NDArray[np.float32]
    """(n,) longer side of the face in the source picture, display pixels."""
    sharpness: NDArray[np.float32]
    """(n,) share of the face's contrast that is finest detail, see prepare/crops.py."""
    flags: Mapping[str, NDArray[np.bool_]]
    """Per reason not to use a row, (n,)."""
    landmarks: NDArray[np.float32]
    """(n, 478, 3) crop pixels; of an opened dataset a memory map."""

    def __post_init__(self) -> None:
        n, units = len(self.files), action_units.COUNT
        shapes: dict[str, tuple[int, ...]] = {
            "action_units": (n, units),
            "known": (units,),
            "angles": (n, 3),
            "landmarks": (n, LANDMARKS, 3),
        }
        shapes |= dict.fromkeys(_ROW_FIELDS, (n,))
        columns = {name: getattr(self, name) for name in shapes}
        columns |= {f"flags[{name}]": flag for name, flag in self.flags.items()}
        for name, array in columns.items():
            wanted = shapes.get(name, (n,))
            if array.shape != wanted:
                raise ValueError(f"Dataset.{name} has shape {array.shape}, expected {wanted}")

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        return f"Dataset({self.folder}, {len(self)} crops of {len(self.identities)} people)"

    @property
    def usable(self) -> NDArray[np.bool_]:
        """(n,) rows without any flag."""
        flagged = np.zeros(len(self), np.bool_)
        for flag in self.flags.values():
            flagged |= flag
        return ~flagged

    def subset(self, rows: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Dataset:
        """The rows at those indices, or where True, with the identities and clips that still occur."""
        indices = np.flatnonzero(rows) if rows.dtype == np.bool_ else np.asarray(rows, np.int64)
        identities, identity = _that_occur(self.identities, self.identity[indices])
        clips, clip = _that_occur(self.clips, self.clip[indices])
        picked = {name: getattr(self, name)[indices] for name in (*_ROW_FIELDS, *_MATRIX_FIELDS)}
        picked |= {"identity": identity, "clip": clip}
        return dataclasses.replace(
            self,
            files=tuple(self.files[i] for i in indices),
            identities=identities,
            clips=clips,
            flags={name: flag[indices] for name, flag in self.flags.items()},
            **picked,
        )

    def image(self, row: int) -> NDArray[np.uint8]:
        """(S, S, 3) uint8 RGB of a row.

        Raises:
            DatasetError: the picture is gone, damaged, or of another size.
        """
        path = self.folder / self.files[row]
        try:
            data = np.frombuffer(path.read_bytes(), np.uint8)
        except OSError as error:
            raise DatasetError(
                f"{path}: the crop cannot be read ({error.strerror}); prepare the dataset again"
            ) from error
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if picture is None:
            raise DatasetError(f"{path}: the crop is damaged; remove its row or prepare the dataset again")
        size = self.crop.size_px
        if picture.shape != (size, size, 3):
            raise DatasetError(
                f"{path}: the crop is {picture.shape[1]}x{picture.shape[0]}, expected {size}x{size}; "
                "prepare the dataset again"
            )
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


_ROW_FIELDS = (
    "identity", "clip", "frame", "seconds", "is_eval", "residual", "face_px", "sharpness",
)  # fmt: skip
_MATRIX_FIELDS = ("action_units", "angles", "landmarks")


def index_names(names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """(distinct names in alphabetical order, (n,) index of each name among them)."""
    distinct = tuple(sorted(set(names)))
    place = {name: i for i, name in enumerate(distinct)}
    return distinct, np.array([place[name] for name in names], np.int64)


def _that_occur(names: Sequence[str], index: NDArray[np.int64]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    kept, compact = np.unique(index, return_inverse=True)
    return tuple(names[i] for i in kept), np.asarray(compact, np.int64)


def shared_identities(identities: Sequence[str], is_eval: Sequence[bool] | NDArray[np.bool_]) -> list[str]:
    """The identities that are in both splits, in alphabetical order."""
    both = zip(identities, is_eval, strict=True)
    splits: dict[str, set[bool]] = {}
    for name, evaluated in both:
        splits.setdefault(name, set()).add(bool(evaluated))
    return sorted(name for name, found in splits.items() if len(found) == 2)
