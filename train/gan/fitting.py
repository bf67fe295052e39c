"""Whether a dataset fits what a run is asked for: told before anything heavy is loaded."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec
from retarget.model.errors import RetargetError

from ..data import Dataset
from .options import TrainOptions


def check_fit(options: TrainOptions, dataset: Dataset) -> None:
    """
    Raises:
        RetargetError: the dataset lacks action units that the network is trained on, or its crops are smaller.
    """
    if options.generator.crop_px > dataset.crop.size_px:
        raise RetargetError(
            f"{dataset.folder}: its crops are {dataset.crop.size_px} px, and enlarged ones teach nothing; prepare "
            f"it with --crop-px {options.generator.crop_px}, or set generator.crop_px={dataset.crop.size_px}"
        )
    _check_units(options, dataset)


def fitting_crop(options: TrainOptions, dataset: Dataset) -> CropSpec:
    """The dataset's crop at the network's size."""
    theirs = dataset.crop
    return CropSpec(options.generator.crop_px, theirs.eye_distance_fraction, theirs.eyes_y_fraction)


def data_mark(dataset: Dataset, rows: NDArray[np.int64]) -> str:
    """Of everything a run learns from those rows but the pixels: 16 hexadecimal digits. The folder may move."""
    mark = hashlib.sha256(repr((dataset.crop, dataset.au_source)).encode())
    for row in rows.tolist():
        who, where = dataset.identities[dataset.identity[row]], dataset.clips[dataset.clip[row]]
        mark.update(f"{dataset.files[row]}\0{who}\0{where}\n".encode())
    mark.update(np.ascontiguousarray(dataset.action_units[rows]).tobytes())
    return mark.hexdigest()[:16]


def _check_units(options: TrainOptions, dataset: Dataset) -> None:
    missing = [name for name in options.au_names if not all(dataset.known[i] for i in action_units.resolve(name))]
    if missing:
        raise RetargetError(
            f"{dataset.folder}: has no values of {', '.join(missing)}, which this network is trained on; prepare "
            "it without OpenFace labels, or set action_units=openface"
        )
