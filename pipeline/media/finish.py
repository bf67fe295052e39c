"""A film's last steps, when all packets are in: its header made whole, and what is lost told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from av.container import InputContainer

from ..errors import RetargetError
from ..records import VideoInfo
from .boxes import BoxError
from .containers import MUXER_BY_SUFFIX, main_video
from .encode import Encoding
from .kept import losses, lost_tags
from .movie_header import HeaderChanges, MovieSource, finish_movie

_HDR_IN_STREAM = frozenset({"libx264", "libx265"})
"""These write the HDR mastering metadata themselves."""

_TOLD_BEFORE = ("field order", "alpha", "pixel aspect", "HDR mastering metadata")
"""Of what is lost, what an earlier note has told if it says these words."""


@dataclass(frozen=True)
class Written:
    """A film whose packets are all in its hidden file."""

    part: Path
    path: Path
    """Its name to be."""
    info: VideoInfo
    """Of the source, in frames."""
    encoding: Encoding
    source: InputContainer
    movie: MovieSource
    described_by: dict[int, int]
    """Data tracks by their place in the output, and their numbers in the source."""
    chapters: int
    seconds: float
    """That its pictures last."""


def complete_header(film: Written) -> list[str]:
    """Puts in what the writer left out, where the kind of file can hold it. Returns notes.

    Raises:
        OSError: the file cannot be written.
    """
    muxer = MUXER_BY_SUFFIX[film.path.suffix.lower()]
    if muxer not in ("mov", "mp4"):
        return []
    number, encoding, info = main_video(film.source, film.info.path).id, film.encoding, film.info
    keeps_size = encoding.size == (info.width, info.height)
    changes = HeaderChanges(
        tags=lost_tags(film.source, info.path, film.part),
        described_by={place: film.movie.tracks[track] for place, track in film.described_by.items()},
        video=0,
        clean_aperture=film.movie.clean_aperture(number) if keeps_size else b"",
        reel_boxes=film.movie.reel_boxes(),
        hdr_parameters="" if encoding.encoder in _HDR_IN_STREAM else encoding.hdr_parameters,
        is_quicktime=muxer == "mov",
    )
    try:
        finish_movie(film.part, changes)
    except BoxError:
        return ["its header could not be put before the pictures, nor made whole"]
    return []


def told_losses(film: Written, notes: list[str]) -> list[str]:
    """What the film lacks of its source, but for what the notes tell already."""
    try:
        lost = list(
            losses(
                film.source,
                film.info,
                film.part,
                written_as=MUXER_BY_SUFFIX[film.path.suffix.lower()],
                hdr=film.encoding.hdr_parameters,
                chapters=film.chapters,
                seconds=film.seconds,
            )
        )
    except RetargetError as error:
        return [f"what it keeps could not be looked at ({error})"]
    told = [words for words in _TOLD_BEFORE if any(words in note for note in notes)]
    return [line for line in lost if not any(words in line for words in told)]
