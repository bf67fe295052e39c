"""Who is who: stretches grouped over tracks and shots, tracks cut and joined, numbers that stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.faces.analysis import ClipAnalysis
from retarget.pipeline.faces.persons import SAME_PERSON, SAME_TRACK, SINGLE_PORTRAIT, group, with_persons
from retarget.pipeline.faces.portraits import Stretch


def looks(angle: float) -> Any:
    """A descriptor; two of them lie about as far apart as their angles differ."""
    out = np.zeros(128, np.float32)
    out[:2] = np.cos(angle), np.sin(angle)
    return out


def stretch(
    shot: int,
    face_id: int,
    span: tuple[int, int],
    angle: float,
    *,
    portraits: int = 3,
    sure_until: int = -1,
) -> Stretch:
    return Stretch(
        shot=shot,
        face_id=face_id,
        first_frame=span[0],
        last_frame=span[1],
        sure_until_frame=span[1] if sure_until < 0 else sure_until,
        frames=np.arange(span[0], span[0] + portraits),
        descriptors=np.stack([looks(angle)] * portraits),
        qualities=np.linspace(0.5, 0.4, portraits),
    )


# Grouping


def test_near_ones_are_one_and_far_ones_are_not() -> None:
    stretches = [stretch(0, 0, (0, 9), 0.0), stretch(1, 0, (10, 19), 1.0), stretch(2, 0, (20, 29), 0.3)]
    one, other, again = group(stretches)
    assert one == again != other
    near, far = SAME_PERSON - 0.02, SAME_PERSON + 0.02
    assert len(set(group([stretch(0, 0, (0, 9), 0), stretch(1, 0, (10, 19), near)]))) == 1
    assert len(set(group([stretch(0, 0, (0, 9), 0), stretch(1, 0, (10, 19), far)]))) == 2


def test_a_chain_of_near_ones_does_not_join_its_ends() -> None:
    found = group([stretch(i, 0, (10 * i, 10 * i + 9), 0.3 * i) for i in range(6)])
    assert found[0] != found[-1]


def test_who_is_seen_at_the_same_time_is_not_one_person() -> None:
    twins = [stretch(0, 0, (0, 9), 0.0), stretch(0, 1, (5, 14), 0.01)]
    assert len(set(group(twins))) == 2
    third = stretch(1, 0, (20, 29), 0.0)  # is one of them, and brings them no nearer
    assert len(set(group([*twins, third]))) == 2
    assert len(set(group([stretch(0, 0, (0, 9), 0.0), stretch(0, 1, (10, 19), 0.01)]))) == 1


def test_in_a_meeting_nobody_is_sure_who_is_seen() -> None:
    # the first track's end and the second's beginning overlap, while both are mixed up with somebody
    before, after = stretch(0, 0, (0, 40), 0.0, sure_until=25), stretch(0, 1, (36, 80), 0.1)
    assert len(set(group([before, after]))) == 1


def test_one_track_is_one_person_more_easily_and_a_single_portrait_less() -> None:
    apart = SAME_PERSON + SAME_TRACK / 2
    assert len(set(group([stretch(0, 0, (0, 9), 0), stretch(0, 0, (20, 29), apart)]))) == 1
    assert len(set(group([stretch(0, 0, (0, 9), 0), stretch(0, 1, (20, 29), apart)]))) == 2
    near = SAME_PERSON - SINGLE_PORTRAIT / 2
    assert len(set(group([stretch(0, 0, (0, 9), 0), stretch(1, 0, (20, 29), near, portraits=1)]))) == 2
    assert len(set(group([stretch(0, 0, (0, 9), 0), stretch(1, 0, (20, 29), near, portraits=2)]))) == 1


# Tracks

ANNA, BERT = 0.0, 1.0


@pytest.fixture
def walk(tracked: Any, collected: Any, make_face: Any) -> Callable[..., ClipAnalysis]:
    """`walk({0: [x or None, ...], 1: [...]})`: the x of each face id, frame by frame, in one shot."""

    def make(places: dict[int, list[float | None]]) -> ClipAnalysis:
        count = len(next(iter(places.values())))
        frames = []
        for i in range(count):
            faces = [make_face(key, (xs[i], 100), 60) for key, xs in places.items() if xs[i] is not None]
            frames.append(tracked(i, 0, *faces))
        analysis: ClipAnalysis = collected(frames)
        return analysis

    return make


def seen(analysis: ClipAnalysis) -> dict[int, list[int]]:
    """The frames of each person."""
    return {track.person: track.frames.tolist() for track in analysis.tracks}


def test_whoever_comes_back_is_the_same_track(walk: Callable[..., ClipAnalysis]) -> None:
    before, after = [100.0] * 10 + [None] * 20, [None] * 20 + [140.0] * 10
    analysis = with_persons(
        walk({0: before, 1: after}), [stretch(0, 0, (0, 9), ANNA), stretch(0, 1, (20, 29), ANNA + 0.2)]
    )
    (track,) = analysis.tracks
    assert track.frames.tolist() == [*range(10), *range(20, 30)]
    assert (track.person, track.face_id) == (1, 0)
    assert track.centers[[0, -1], 0].tolist() == pytest.approx([100, 140], abs=3)
    np.testing.assert_allclose(analysis.landmarks(track, 10)[:, 0].mean(), track.centers[10, 0], atol=5)
    assert track.portraits.tolist() == [0, 20, 1, 21, 2, 22]


def test_a_track_that_goes_on_with_another_face_is_cut_where_it_jumps(walk: Callable[..., ClipAnalysis]) -> None:
    # id 0 follows Anna to the right up to frame 13, then Bert to the left; id 1 is Anna from frame 18 on
    first = [100.0 + 8 * i for i in range(14)] + [160.0 - 8 * i for i in range(16)]
    second = [None] * 18 + [250.0 + 8 * i for i in range(12)]
    stretches = [
        stretch(0, 0, (0, 16), ANNA, sure_until=8),
        stretch(0, 0, (17, 29), BERT),
        stretch(0, 1, (18, 29), ANNA + 0.1),
    ]
    analysis = with_persons(walk({0: first, 1: second}), stretches)
    assert seen(analysis) == {1: [*range(14), *range(18, 30)], 2: list(range(14, 30))}


def test_a_moment_that_two_pieces_have_counts_once(walk: Callable[..., ClipAnalysis]) -> None:
    one, other = [100.0] * 20 + [None] * 10, [None] * 18 + [104.0] * 12
    stretches = [stretch(0, 0, (0, 19), ANNA, sure_until=9), stretch(0, 1, (18, 29), ANNA)]
    (track,) = with_persons(walk({0: one, 1: other}), stretches).tracks
    assert track.frames.tolist() == list(range(30))
    assert (np.diff(track.seconds) > 0).all()


def test_numbers_go_by_time_on_screen_then_by_appearance(tracked: Any, collected: Any, make_face: Any) -> None:
    left, right = make_face(0, (100, 100), 40), make_face(1, (400, 100), 40)
    frames = [tracked(i, 0, left, right) for i in range(5)]
    frames += [tracked(5 + i, 1, make_face(0)) for i in range(8)]
    frames += [tracked(13 + i, 2, right) for i in range(4)]
    stretches = [
        stretch(0, 0, (0, 4), 0.0),
        stretch(0, 1, (0, 4), 1.0),
        stretch(1, 0, (5, 12), 2.0),
        stretch(2, 1, (13, 16), 1.1),
    ]
    analysis = with_persons(collected(frames), stretches)
    assert [(t.shot, t.person) for t in analysis.tracks] == [(0, 3), (0, 1), (1, 2), (2, 1)]
    assert [(p.number, p.frame_count, [t.shot for t in p.tracks]) for p in analysis.persons] == [
        (1, 9, [0, 2]), (2, 8, [1]), (3, 5, [0]),
    ]  # fmt: skip
    again = with_persons(collected(frames), stretches[::-1])
    assert [t.person for t in again.tracks] == [t.person for t in analysis.tracks]


def test_nothing_seen_stays_nothing(collected: Any, tracked: Any) -> None:
    analysis = collected([tracked(0, 0)])
    assert with_persons(analysis, []) is analysis
    assert analysis.persons == ()
