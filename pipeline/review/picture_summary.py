"""What the judges of pictures say of a whole clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .boiling import boiling_ratio
from .face_view import REGIONS
from .quality import ASKED_FLOOR, PictureSummary
from .series import FaceSeries, Series

_OPENINGS = {"mouth": np.s_[0:1], "eyes": np.s_[1:3]}


def picture_summary(faces: Sequence[FaceSeries]) -> PictureSummary | None:
    """Over the frames with an edit of all faces and shots; over all frames where what was asked is unknown."""
    if not faces:
        return None
    edited = [np.nan_to_num(face.edit) >= ASKED_FLOOR if face.units else face.in_source for face in faces]
    if not any(rows.any() for rows in edited):
        return None

    def all_of(values: Sequence[NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([series[rows] for series, rows in zip(values, edited, strict=True)])

    never, frames = all_of([face.never_seen for face in faces]), all_of([face.frames for face in faces])
    boiling, detail = all_of([face.boiling for face in faces]), all_of([face.detail for face in faces])
    shown, edges = np.nan_to_num(never), np.nan_to_num(all_of([face.new_edges for face in faces]))
    worst = int(shown[:, 0].argmax())
    own = np.concatenate([face.detail[..., 0] for face in faces])
    ratios = boiling_ratio(np.sqrt(_mean(np.square(boiling))))
    return PictureSummary(
        never_seen=round(float(shown[worst, 0]), 3),
        never_seen_frame=int(frames[worst]),
        never_seen_regions={name: round(float(shown[:, i].max()), 3) for i, name in enumerate(REGIONS) if i},
        boiling={name: round(float(ratios[i]), 3) for i, name in enumerate(REGIONS)},
        detail={
            name: round(_median(detail[:, part, 1]) / _median(own[:, part]), 3) for name, part in _OPENINGS.items()
        },
        new_edges=round(float(edges.max()), 3),
    )


def _mean(values: Series) -> Series:
    """(n, ...) -> (...) over the known; NaN where none is."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _median(values: Series) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")
