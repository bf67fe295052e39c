"""Which frame shows best what is wanted."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.edit.choice import PLATE, Wanted, candidates, choose
from retarget.pipeline.edit.looks import Looks, Seen, looks_of
from retarget.pipeline.edit.parts import MOUTH_PART


@pytest.fixture
def seen(analysed: Any, open_mouth: Any) -> Looks:
    """Mouths that open from 0 to 0.35 in steps of 0.05."""
    analysis = analysed([(open_mouth(0.05 * i),) for i in range(8)])
    looks = looks_of([Seen(0, analysis, track) for track in analysis.tracks], MOUTH_PART)
    return replace(looks, speeds=np.zeros(len(looks)))


def wanted_of(looks: Looks, after: list[int], plate: list[int]) -> Wanted:
    """Asks for the shapes of some looks, on plates that show those of others."""
    return Wanted(
        seconds=np.arange(len(after)) / 25,
        shapes=tuple(shape[after] for shape in looks.shapes),
        gaps=looks.gaps[after],
        plate_shapes=tuple(shape[plate] for shape in looks.shapes),
        plate_gaps=looks.gaps[plate],
        rotations=looks.rotations[after],
        sizes_px=looks.sizes_px[after],
    )


def test_where_the_plate_fits_nothing_is_borrowed(seen: Looks) -> None:
    chosen = choose(wanted_of(seen, [2] * 5, [2] * 5), seen)
    assert (chosen.look == PLATE).all()
    assert (chosen.shares == 0).all()


def test_the_frame_that_shows_what_is_wanted_is_taken_whole(seen: Looks) -> None:
    chosen = choose(wanted_of(seen, [6] * 5, [0] * 5), seen)
    assert (chosen.look == 6).all()
    assert (chosen.shares == 1).all()


def test_a_mouth_that_shuts_is_borrowed_from_a_shut_one(seen: Looks) -> None:
    assert (choose(wanted_of(seen, [0] * 5, [6] * 5), seen).look == 0).all()


def test_a_choice_is_held_where_another_is_hardly_better(seen: Looks) -> None:
    trembling = [6, 6, 6, 5, 6, 6, 6]
    assert len(set(choose(wanted_of(seen, trembling, [0] * 7), seen).look)) == 1


def test_it_changes_where_what_is_wanted_does(seen: Looks) -> None:
    look = choose(wanted_of(seen, [3] * 12 + [7] * 12, [0] * 24), seen).look
    assert look[0] == 3
    assert look[-1] == 7
    assert (np.diff(look) != 0).sum() == 1


@pytest.mark.parametrize("spoil", ["speeds", "sizes_px", "rotations"])
def test_of_two_alike_the_better_picture_wins(seen: Looks, spoil: str) -> None:
    twice = seen.only(np.array([6, 6]))
    values = getattr(twice, spoil).copy()
    values[0] = {"speeds": 0.3, "sizes_px": values[0] / 3, "rotations": values[0] + 0.5}[spoil]
    worse = replace(twice, **{spoil: values})
    assert (choose(wanted_of(seen, [6] * 4, [0] * 4), worse).look == 1).all()


def test_without_looks_it_is_the_plate(seen: Looks) -> None:
    chosen = choose(wanted_of(seen, [6] * 3, [0] * 3), seen.only(np.zeros(0, int)))
    assert (chosen.look == PLATE).all()


def test_candidates_cover_what_there_is(analysed: Any, open_mouth: Any) -> None:
    often = [0.0] * 40 + [0.1] * 40 + [0.3]
    analysis = analysed([(open_mouth(gap),) for gap in often])
    looks = replace(
        looks_of([Seen(0, analysis, track) for track in analysis.tracks], MOUTH_PART), speeds=np.zeros(81)
    )
    kept = candidates(looks, most=3)
    assert sorted({often[i] for i in kept}) == [0.0, 0.1, 0.3]
    assert len(candidates(looks, most=200)) == 81


def test_of_two_alike_the_clip_s_own_wins(seen: Looks) -> None:
    (one,) = seen.tracks
    both = replace(seen, tracks=(replace(one, clip=1), one))
    twice = both.only(np.array([6, 6]))
    twice = replace(twice, owner=np.array([0, 1]))
    chosen = choose(wanted_of(seen, [6] * 4, [0] * 4), twice)
    assert chosen.look.tolist() == [1] * 4
    assert choose(wanted_of(seen, [6] * 4, [0] * 4), twice.only(np.array([0]))).look.tolist() == [0] * 4
