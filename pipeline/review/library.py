"""What takes and stills hold of each actor to borrow from, and what they lack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retarget.model.face_chip import SAME_PERSON

from ..edit import EYES_PART, MOUTH_PART, Seen, looks_of
from ..errors import VideoReadError
from ..faces import ClipAnalysis, Person, TrackingCache
from ..files import check_output, check_suffix, suffixes, write_whole
from ..media import open_video
from ..options import RetargetOptions
from ..session import read_references
from ..stream import Progress, no_progress
from .contact_sheet import encoded
from .drawing import Rgb
from .library_sheet import SHOWN_PX, LibrarySheet
from .people import square_of
from .view import square_view

MOUTH_OPEN, MOUTH_SHUT, EYES_OPEN, EYES_SHUT = 0.6, 0.06, 0.35, 0.13
"""Gaps over the width that a library should reach: what a strong driver asks, and what the tracker says of those
that are shut (lashes keep an eye's gap from 0)."""

TURNED_DEGREES = 20.0
"""Yaw to either side that it should reach: a frame serves heads up to about 24 degrees away, and edits fade out
beyond about twice that."""


@dataclass(frozen=True)
class Extreme:
    """The frame that shows most of something."""

    what: str
    value: float
    """A gap over the width, or degrees."""
    file: str
    frame: int
    """Its index."""
    seconds: float


@dataclass(frozen=True)
class Holding:
    """What there is of one person."""

    number: int
    """From 1, in order of appearance in the files."""
    frames: int
    files: tuple[str, ...]
    extremes: tuple[Extreme, ...]
    """Mouth widest and shut, eyes widest and shut, turned most to the left and to the right of the picture."""
    lacks: tuple[str, ...]
    """What no frame shows."""


@dataclass(frozen=True)
class Library:
    """What some takes and stills hold."""

    files: tuple[str, ...]
    persons: tuple[Holding, ...]

    @property
    def headline(self) -> str:
        """How much there is."""
        people = f"{len(self.persons)} {'person' if len(self.persons) == 1 else 'people'}"
        return f"{len(self.files)} file{'s' * (len(self.files) != 1)}, {people}"

    def table(self) -> Iterator[str]:
        """Lines of text: some for each person."""
        for person in self.persons:
            yield f"person {person.number}: {person.frames} frames in {', '.join(person.files)}"
            for extreme in person.extremes:
                where = f"{Path(extreme.file).name} at {extreme.seconds:.2f} s"
                yield f"  {extreme.what:<22}{shown(extreme):>9}  {where}"
            yield f"  lacks: {'; '.join(person.lacks) or 'nothing'}"


def shown(extreme: Extreme) -> str:
    """Its value with the unit."""
    return f"{extreme.value:+.0f} deg" if extreme.what.startswith("turned") else f"{extreme.value:.2f}"


def list_library(
    clips: Sequence[str | Path],
    output: str | Path | None = None,
    options: RetargetOptions | None = None,
    *,
    progress: Progress[Any] = no_progress,
    cache: TrackingCache | None = None,
) -> Library:
    """What takes, stills and folders of them hold of each person, for `--reference`.

    Args:
        output: a sheet (.png, .jpg) with the frames that show most.
        options: those count that say how small a face may be, and `overwrite`.

    Raises:
        OptionError: another suffix.
        VideoWriteError: the output exists, is one of the clips, or cannot be written.
        RetargetError: a clip cannot be read, or shows no face.
    """
    options = replace(options or RetargetOptions(), references=tuple(Path(clip) for clip in clips))
    target = None if output is None else Path(output)
    if target is not None:
        check_suffix(target, suffixes.CONTACT_SHEETS, "a sheet of what is there")
        inputs = dict.fromkeys(options.references, "one of the clips")
        check_output(target, inputs=inputs, overwrite=options.overwrite)
    analyses = read_references(options, progress=progress, cache=cache)
    library = library_of(analyses)
    if target is not None:
        sheet = LibrarySheet(library, _pictures(library, analyses))
        write_whole(target, encoded(sheet.picture(), target), overwrite=options.overwrite)
    return library


def library_of(analyses: Sequence[ClipAnalysis]) -> Library:
    """What some clips hold."""
    files = tuple(str(analysis.info.path) for analysis in analyses)
    groups = _people(analyses)
    return Library(files, tuple(_holding(number, tracks) for number, tracks in enumerate(groups, 1)))


def _people(analyses: Sequence[ClipAnalysis]) -> list[list[Seen]]:
    """The tracks of each person over all clips; of two who are alike in one clip, the likest is taken."""
    first: list[Person] = []
    tracks: list[list[Seen]] = []
    for clip, analysis in enumerate(analyses):
        known = range(len(first))
        distances = sorted(
            (float(np.linalg.norm(person.descriptor - first[group].descriptor)), group, person.number)
            for person in analysis.persons
            for group in known
        )
        group_of: dict[int, int] = {}
        for distance, group, number in distances:
            if distance <= SAME_PERSON and number not in group_of and group not in group_of.values():
                group_of[number] = group
        for person in analysis.persons:
            if person.number not in group_of:
                group_of[person.number] = len(first)
                first.append(person)
                tracks.append([])
            tracks[group_of[person.number]] += [Seen(clip, analysis, track) for track in person.tracks]
    return tracks


def _holding(number: int, tracks: Sequence[Seen]) -> Holding:
    mouth, eyes = looks_of(tracks, MOUTH_PART), looks_of(tracks, EYES_PART)
    yaw = np.concatenate([seen.track.yaw_degrees for seen in tracks])
    everywhere = [(seen, at) for seen in tracks for at in range(len(seen.track.frames))]
    looked = [mouth.track_of(i) for i in range(len(mouth))]
    extremes = []
    if looked:
        extremes = [
            _extreme("mouth widest", mouth.gaps[:, 0], 1, looked),
            _extreme("mouth shut most", mouth.gaps[:, 0], -1, looked),
            _extreme("eyes widest", eyes.gaps.min(1), 1, looked),
            _extreme("eyes shut most", eyes.gaps.max(1), -1, looked),
            _extreme("turned left most", yaw, -1, everywhere),
            _extreme("turned right most", yaw, 1, everywhere),
        ]
    return Holding(
        number=number,
        frames=len(everywhere),
        files=tuple(dict.fromkeys(seen.analysis.info.path.name for seen in tracks)),
        extremes=tuple(extremes),
        lacks=tuple(_lacks([extreme.value for extreme in extremes])),
    )


def _extreme(what: str, values: NDArray[np.floating], sign: int, where: Sequence[tuple[Seen, int]]) -> Extreme:
    at = int((sign * values).argmax())
    seen, moment = where[at]
    track, path = seen.track, seen.analysis.info.path
    seconds = round(float(track.seconds[moment]), 3)
    return Extreme(what, round(float(values[at]), 3), str(path), int(track.frames[moment]), seconds)


def _lacks(values: Sequence[float]) -> Iterator[str]:
    if not values:
        yield "any frame in which the face is surely seen"
        return
    wide, shut, open_eyes, shut_eyes, left, right = values
    if wide < MOUTH_OPEN:
        yield f"no frame with the mouth open beyond {wide:.2f}"
    if shut > MOUTH_SHUT:
        yield f"no frame with the mouth shut (at least {shut:.2f} open)"
    if open_eyes < EYES_OPEN:
        yield f"no frame with both eyes open beyond {open_eyes:.2f}"
    if shut_eyes > EYES_SHUT:
        yield f"no frame with both eyes shut (at least {shut_eyes:.2f} open)"
    if left > -TURNED_DEGREES:
        yield f"no frame turned to the left beyond {max(0.0, -left):.0f} degrees"
    if right < TURNED_DEGREES:
        yield f"no frame turned to the right beyond {max(0.0, right):.0f} degrees"


def _pictures(library: Library, analyses: Sequence[ClipAnalysis]) -> dict[tuple[int, int], Rgb]:
    """By number of the person and place among its extremes, the face. Reads each clip once more."""
    out: dict[tuple[int, int], Rgb] = {}
    for clip, analysis in enumerate(analyses):
        wanted: dict[int, list[tuple[int, int]]] = {}
        for person in library.persons:
            for place, extreme in enumerate(person.extremes):
                if extreme.file == library.files[clip]:
                    wanted.setdefault(extreme.frame, []).append((person.number, place))
        if wanted:
            out |= _pictures_of(analysis, wanted, _people(analyses))
    return out


def _pictures_of(
    analysis: ClipAnalysis, wanted: dict[int, list[tuple[int, int]]], people: Sequence[Sequence[Seen]]
) -> dict[tuple[int, int], Rgb]:
    out: dict[tuple[int, int], Rgb] = {}
    with open_video(analysis.info.path) as reader:
        for frame in reader:
            for number, place in wanted.pop(frame.index, ()):
                track, at = next(
                    (seen.track, int(np.searchsorted(seen.track.frames, frame.index)))
                    for seen in people[number - 1]
                    if seen.analysis is analysis and frame.index in seen.track.frames
                )
                center, size = square_of(analysis, track, at)
                out[number, place] = square_view(frame, reader.info, center, size, SHOWN_PX).picture
            if not wanted:
                return out
    raise VideoReadError(f"{analysis.info.path}: changed while it was read; run again")
