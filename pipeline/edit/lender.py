"""Further clips of the people who are edited: whom each of them shows, told by the face descriptor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retarget.model.face_chip import SAME_PERSON

from ..errors import NoFaceError
from ..faces import ClipAnalysis, FaceTrack, Person


@dataclass(frozen=True, eq=False)
class Lender:
    """A clip to borrow from."""

    analysis: ClipAnalysis
    tracks: Mapping[int, tuple[FaceTrack, ...]]
    """Where it shows each of those who are edited, by their numbers in the source."""


def lender_of(reference: ClipAnalysis, edited: Sequence[Person], *, anybody: bool = False) -> Lender:
    """A reference as a lender: for each of the edited people whoever looks most like them.

    Nobody in the reference is taken for two. `anybody`: where it shows none of them, its largest face is taken for
    the one that it looks most like.

    Raises:
        NoFaceError: the reference shows none of them.
    """
    distances = sorted(
        (float(np.linalg.norm(seen.descriptor - person.descriptor)), person.number, seen.number)
        for person in edited
        for seen in reference.persons
    )
    tracks: dict[int, tuple[FaceTrack, ...]] = {}
    taken: set[int] = set()
    persons = {person.number: person for person in reference.persons}
    for distance, number, other in distances:
        if distance <= SAME_PERSON and number not in tracks and other not in taken:
            tracks[number] = persons[other].tracks
            taken.add(other)
    if not tracks and distances and anybody:
        largest = max(reference.persons, key=lambda seen: max(float(np.median(t.size_px)) for t in seen.tracks))
        nearest = next(number for _, number, other in distances if other == largest.number)
        tracks = {nearest: largest.tracks}
    if not tracks and distances:
        raise NoFaceError(
            f"{reference.info.path}: shows nobody who is edited; the nearest is at a distance of "
            f"{distances[0][0]:.2f}, where {SAME_PERSON:g} is the limit; use another --reference, or insist with "
            "--reference-any"
        )
    return Lender(reference, tracks)
