"""What judges other than the tracker say of a film: the judges of pictures, and the second witness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec
from retarget.pipeline.faces import FaceTrack, chain, crop_matrix
from retarget.pipeline.media import open_video, sample_rgb
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.report import Report
from retarget.pipeline.review import ClipQuality, QcInput, measure_quality

from .bench import Witness

WORST_MOMENTS = 24

_CROP = CropSpec()
"""As the crops of a dataset."""


@dataclass(frozen=True, eq=False)
class WorstMoment:
    """One moment of a film that a judge found."""

    caption: str
    before: NDArray[np.uint8]
    """RGB, the face in the source."""
    after: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class FilmVerdict:
    """What the report of a batch would say of the pictures of a film, see `retarget.pipeline.review`."""

    never_seen: float
    """Per mille of the face box in colours that the person never shows, in the worst frame."""
    never_seen_frame: int
    boiling: Mapping[str, float]
    """By region, of the source's."""
    detail: Mapping[str, float]
    """Of open mouth and eyes, of the source's."""
    new_edges: float
    """Per mille of the face box, in the worst frame."""
    flags: tuple[str, ...]
    """Reasons, each once."""
    moments: tuple[WorstMoment, ...]
    """Of painted colours and of boiling, the worst one each."""


def film_verdict(source: Path, output: Path, report: Report, options: RetargetOptions) -> FilmVerdict | None:
    """None where no frame was edited, or the output cannot be read again.

    Args:
        report, options: of the run that made `output`.
    """
    item = QcInput(
        name=source.stem,
        source=source,
        output=output,
        report=report,
        state="done",
        error="",
        seconds={},
        options=options,
    )
    quality = measure_quality(item)
    found = quality.pictures
    if found is None:
        return None
    return FilmVerdict(
        found.never_seen,
        found.never_seen_frame,
        found.boiling,
        found.detail,
        found.new_edges,
        tuple(dict.fromkeys(flag.reason for flag in quality.flags)),
        _moments(source.stem, quality),
    )


def _moments(name: str, quality: ClipQuality) -> tuple[WorstMoment, ...]:
    worst = {flag.worst_frame: flag for flag in quality.flags if flag.reason in ("painted", "boiling")}
    return tuple(
        WorstMoment(
            f"{name}\n{worst[moment.frame].reason} {moment.frame}",
            *map(_rgb, (moment.face_before, moment.face_after)),
        )
        for moment in quality.moments
        if moment.frame in worst and moment.face_before and moment.face_after
    )


def _rgb(jpeg: bytes) -> NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def worst_moments(verdicts: Sequence[FilmVerdict]) -> list[WorstMoment]:
    """The worst films' first, by the colours that were never seen; up to `WORST_MOMENTS`."""
    worst = sorted(verdicts, key=lambda verdict: -verdict.never_seen)
    return [moment for verdict in worst for moment in verdict.moments][:WORST_MOMENTS]


def film_openings(
    path: Path, track: FaceTrack, witness: Witness, *, trim_end: float | None
) -> NDArray[np.float64]:
    """(n, 2) how far mouth and eyes are open at the moments of a clip's track, as the witness sees it.

    The clip is read again; one frame is held.
    """
    at = {frame: i for i, frame in enumerate(track.frames.tolist())}
    out = np.full((len(track.frames), 2), np.nan)
    with open_video(path, trim_end=trim_end) as reader:
        for frame in reader:
            if (row := at.get(frame.index)) is not None:
                matrix = chain(crop_matrix(track.alignments[row], _CROP), reader.info.display_from_coded)
                crop = sample_rgb(frame, reader.info.color, matrix, (_CROP.size_px, _CROP.size_px))
                seen = witness.openings(crop, _CROP)
                out[row] = seen.mouth, seen.eyes
    return out
