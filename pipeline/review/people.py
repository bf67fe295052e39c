"""Who is in a clip: in which shots, for how long, how large. A value, a table, a sheet of portraits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import VideoReadError
from ..faces import ClipAnalysis, FaceTrack, Person, TrackingCache, no_face, read_faces
from ..files import check_output, check_suffix, suffixes, write_whole
from ..media import VideoReader
from ..options import RetargetOptions
from ..session import open_source
from ..smoothing import runs
from ..stream import Progress, no_progress
from .contact_sheet import encoded
from .drawing import Rgb
from .people_sheet import PORTRAIT_PX, PeopleSheet, Portrait
from .view import square_view

MARGIN_FACTOR = 1.75
"""Side of a portrait, relative to the face's longer side: the head, and a little around it."""
MOST_MOMENTS = 6
"""Portraits of a person who is in one shot only."""


@dataclass(frozen=True)
class PersonInShot:
    """One person in one shot."""

    shot: int
    """Number of the shot, from 0, as in reports."""
    first_seconds: float
    """When the face is first seen, from the clip's first frame."""
    last_seconds: float
    seconds: float
    """For how long it is seen, gaps apart."""
    size_px: int
    """Median of the longer side of the face, in display pixels."""
    spans: tuple[tuple[float, float], ...]
    """(start, end) of each unbroken appearance, in seconds."""


@dataclass(frozen=True)
class PersonInClip:
    """One person of a clip: `--face person:NUMBER` chooses that one in every shot."""

    number: int
    """From 1: who is seen longest, then who is seen first."""
    seconds: float
    """For how long the face is seen."""
    fraction: float
    """[0, 1]: of the clip."""
    smallest_px: int
    """The face's longer side in display pixels: of 5 % of its frames it is smaller ..."""
    size_px: int
    """... of half of them ..."""
    largest_px: int
    """... and of 5 % it is larger."""
    shots: tuple[PersonInShot, ...]


@dataclass(frozen=True)
class People:
    """Who is in a clip."""

    clip: str
    width: int
    """Of the picture as it is shown, in pixels."""
    height: int
    frames: int
    seconds: float
    shots: tuple[tuple[float, float], ...]
    """(start, end) of each, in seconds from the clip's first frame."""
    persons: tuple[PersonInClip, ...]

    @property
    def headline(self) -> str:
        """The clip and how many are in it."""
        counts = (_count(len(self.shots), "shot"), _count(len(self.persons), "person", "people"))
        return f"{Path(self.clip).name}: {_count(self.frames, 'frame')}, {self.seconds:.1f} s, {', '.join(counts)}"

    def table(self) -> Iterator[str]:
        """Lines of text: a heading, and one a person."""
        yield f"{'--face':<12}{'seconds':>8}{'of clip':>9}{'size px':>9}  {'from..to':<11}shots"
        for person in self.persons:
            sizes = f"{person.smallest_px}..{person.largest_px}"
            shots = _ranges([part.shot for part in person.shots])
            yield (
                f"{f'person:{person.number}':<12}{person.seconds:>8.2f}{person.fraction:>9.0%}{person.size_px:>9}"
                f"  {sizes:<11}{shots}"
            )


def list_people(
    clip: str | Path,
    output: str | Path | None = None,
    options: RetargetOptions | None = None,
    *,
    progress: Progress[Any] = no_progress,
    cache: TrackingCache | None = None,
) -> People:
    """Who is in a clip, picture or sequence: faces tracked, those of one person put together.

    The numbers hold for `--face person:1` as long as the same part of the clip is looked at.

    Args:
        clip: film, picture or sequence of pictures.
        output: a sheet (.png, .jpg) with portraits of everybody, and who is seen when.
        options: those count that say which part of the clip is read and how small a face may be, and `overwrite`.
        cache: what it has is not tracked.

    Raises:
        OptionError: another suffix.
        VideoWriteError: the output exists, is the clip, or cannot be written.
        RetargetError: the clip cannot be read, or shows no face.
    """
    clip, options = Path(clip), options or RetargetOptions()
    target = None if output is None else Path(output)
    if target is not None:
        check_suffix(target, suffixes.CONTACT_SHEETS, "a sheet of portraits")
        check_output(target, inputs={clip: "the clip itself"}, overwrite=options.overwrite)
    with open_source(clip, options) as reader:
        analysis = read_faces(reader, options.track_options(), progress=progress, cache=cache)
        if not analysis.tracks:
            raise no_face(clip, analysis.largest_rejected_px, is_trimmed=options.is_trimmed)
    people = people_of(analysis)
    if target is not None:
        with open_source(clip, options) as reader:
            sheet = PeopleSheet(people, portraits_of(analysis, reader))
        write_whole(target, encoded(sheet.picture(), target), overwrite=options.overwrite)
    return people


def people_of(analysis: ClipAnalysis) -> People:
    """What an analysis says of who is in the clip."""
    info, shown = analysis.info, _shown_seconds(analysis)
    shots = tuple(
        (round(shot.start_seconds, 3), round(shot.end_seconds + float(shown[shot.last_frame]), 3))
        for shot in analysis.shots
    )
    persons = tuple(_in_clip(person, shown) for person in analysis.persons)
    return People(
        clip=str(info.path),
        width=info.display_width,
        height=info.display_height,
        frames=analysis.frame_count // analysis.info.pictures_per_frame,
        seconds=round(float(shown.sum()), 3),
        shots=shots,
        persons=persons,
    )


def _in_clip(person: Person, shown: NDArray[np.float64]) -> PersonInClip:
    seconds = sum(float(shown[track.frames].sum()) for track in person.tracks)
    sizes = np.concatenate([track.size_px for track in person.tracks])
    low, middle, high = (round(float(size)) for size in np.quantile(sizes, (0.05, 0.5, 0.95)))
    return PersonInClip(
        number=person.number,
        seconds=round(seconds, 3),
        fraction=round(seconds / float(shown.sum()), 4),
        smallest_px=low,
        size_px=middle,
        largest_px=high,
        shots=tuple(_in_shot(track, shown) for track in person.tracks),
    )


def _in_shot(track: FaceTrack, shown: NDArray[np.float64]) -> PersonInShot:
    ends = track.seconds + shown[track.frames]
    spans = [(track.seconds[start], ends[stop - 1]) for start, stop in runs(track.frames.astype(np.float64), 0.5)]
    return PersonInShot(
        shot=track.shot,
        first_seconds=round(float(track.seconds[0]), 3),
        last_seconds=round(float(track.seconds[-1]), 3),
        seconds=round(float(shown[track.frames].sum()), 3),
        size_px=round(float(np.median(track.size_px))),
        spans=tuple((round(float(start), 3), round(float(end), 3)) for start, end in spans),
    )


def _shown_seconds(analysis: ClipAnalysis) -> NDArray[np.float64]:
    """(frames,) for how long each frame is shown; the last as long as usual."""
    steps = np.diff(analysis.seconds)
    usual = float(np.median(steps)) if len(steps) else 1 / float(analysis.info.picture_rate)
    return np.append(steps, usual)


# Portraits


def portraits_of(analysis: ClipAnalysis, reader: VideoReader) -> list[Portrait]:
    """A portrait of each person in each shot; of who is in one shot only, several moments.

    Reads the clip once more, up to the last of them.

    Raises:
        VideoReadError: the clip has changed since.
    """
    wanted: dict[int, list[tuple[Person, FaceTrack]]] = {}
    for person in analysis.persons:
        for track in person.tracks:
            for index in good_frames(track, person)[: 1 if len(person.tracks) > 1 else MOST_MOMENTS]:
                wanted.setdefault(index, []).append((person, track))
    found: list[Portrait] = []
    for frame in reader:
        for person, track in wanted.pop(frame.index, []):
            at = int(np.searchsorted(track.frames, frame.index))
            center, size = square_of(analysis, track, at)
            picture: Rgb = square_view(frame, reader.info, center, size, PORTRAIT_PX).picture
            found.append(Portrait(person.number, track.shot, float(track.seconds[at]), picture))
        if not wanted:
            return found
    raise VideoReadError(f"{analysis.info.path}: changed while it was read; run again")


def good_frames(track: FaceTrack, person: Person) -> list[int]:
    """The track's portraits as indices of frames: first those that look most like the person at large.

    A descriptor of a blurred or covered face is shorter.
    """
    distance = np.linalg.norm(track.descriptors - person.descriptor, axis=1)
    length = np.linalg.norm(track.descriptors, axis=1)
    return [int(track.portraits[i]) for i in np.argsort(distance - length, kind="stable")]


def square_of(analysis: ClipAnalysis, track: FaceTrack, at: int) -> tuple[NDArray[np.float64], float]:
    """Centre and side of the part of the frame to show, in display pixels, inside the picture."""
    info = analysis.info
    shape = np.array([info.display_width, info.display_height], np.float64)
    size = min(MARGIN_FACTOR * float(track.size_px[at]), float(shape.min()))
    center = track.centers[at] - (0, 0.08 * track.size_px[at])  # hair is above the mesh
    return np.clip(center, size / 2, shape - size / 2), size


# Words


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"


def _ranges(numbers: Sequence[int]) -> str:
    """0, 2, 3, 4 -> "0, 2-4"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{p[0]}" if len(p) == 1 else f"{p[0]}{'-' if len(p) > 2 else ', '}{p[-1]}" for p in parts)
