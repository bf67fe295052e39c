"""Who in a further clip is whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.edit.lender import lender_of
from retarget.pipeline.errors import NoFaceError
from retarget.pipeline.faces import ClipAnalysis

Cast = Callable[..., ClipAnalysis]


@pytest.fixture
def cast(analysed: Any, make_face: Any) -> Cast:
    """`cast((looks, size), ...)`: a clip of people whose descriptors lie that far along one axis."""

    def make(*people: tuple[float, float]) -> ClipAnalysis:
        faces = [make_face(i, (100.0 + 100 * i, 100), size) for i, (_, size) in enumerate(people)]
        found: ClipAnalysis = analysed([tuple(faces)] * 3)
        tracks = []
        for track, (looks, _) in zip(found.tracks, people, strict=True):
            descriptor = np.zeros((1, 128), np.float32)
            descriptor[:, 0] = looks
            tracks.append(replace(track, person=track.face_id + 1, descriptors=descriptor))
        return replace(found, tracks=tuple(tracks))

    return make


def test_each_person_borrows_from_whoever_looks_most_alike(cast: Cast) -> None:
    source, reference = cast((0, 40), (1, 40), (2, 40)), cast((2.1, 30), (0.2, 30), (0.1, 50), (9, 90))
    lender = lender_of(reference, source.persons)
    assert {number: [t.face_id for t in tracks] for number, tracks in lender.tracks.items()} == {1: [2], 3: [0]}
    assert lender.analysis is reference


def test_nobody_is_taken_for_two(cast: Cast) -> None:
    source = cast((0, 40), (0.5, 40))
    assert list(lender_of(cast((0.3, 30)), source.persons).tracks) == [2]


def test_only_those_who_are_edited_count(cast: Cast) -> None:
    source, reference = cast((0, 40), (2, 40)), cast((2, 30))
    with pytest.raises(
        NoFaceError, match=r"clip\.mp4: shows nobody who is edited; the nearest is at a distance of "
    ):
        lender_of(reference, source.persons[:1])


def test_somebody_else_is_refused_unless_one_insists(cast: Cast) -> None:
    source, reference = cast((0, 40), (4, 40)), cast((1, 30), (3, 60))
    message = (
        r"a distance of 1\.00, where 0\.6 is the limit; use another --reference, or insist with --reference-any"
    )
    with pytest.raises(NoFaceError, match=message):
        lender_of(reference, source.persons)
    lender = lender_of(reference, source.persons, anybody=True)
    assert {number: [t.face_id for t in tracks] for number, tracks in lender.tracks.items()} == {2: [1]}
    assert lender_of(cast((0.1, 20), (3, 90)), source.persons[:1], anybody=True).tracks[1][0].face_id == 0
