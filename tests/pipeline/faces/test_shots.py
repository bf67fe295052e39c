import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.faces.shots import MIN_SHOT_FRAMES, WINDOW_FRAMES, detect_shots
from retarget.pipeline.records import Frame

TEXTURE = np.random.default_rng(0).integers(0, 255, (64, 400, 3)).repeat(2, 0).repeat(2, 1).astype(np.uint8)
OTHER = 255 - TEXTURE[:, :, ::-1]


def window(texture: Any, left: int) -> Any:
    return np.ascontiguousarray(texture[:96, left : left + 128])


def shots_of(pictures: list[Any], make_frame: Any) -> list[int]:
    frames = [make_frame(2, 2, index=i) for i in range(len(pictures))]
    found = list(detect_shots(frames, lambda frame: pictures[frame.index]))
    assert [frame for frame, _ in found] == frames, "every frame, once, in order"
    return [shot for _, shot in found]


@pytest.mark.parametrize("cut", [4, 9, 15])
def test_a_cut_is_found_at_its_frame(make_frame: Any, cut: int) -> None:
    pictures = [window(TEXTURE, 0)] * cut + [window(OTHER, 60)] * (20 - cut)
    assert shots_of(pictures, make_frame) == [0] * cut + [1] * (20 - cut)


def test_two_cuts_number_three_shots(make_frame: Any) -> None:
    pictures = [window(TEXTURE, 0)] * 8 + [window(OTHER, 60)] * 8 + [window(TEXTURE, 200)] * 8
    assert shots_of(pictures, make_frame) == [0] * 8 + [1] * 8 + [2] * 8


def test_shots_may_be_as_short_as_said(make_frame: Any) -> None:
    inserted = [window(OTHER, 60)] * MIN_SHOT_FRAMES
    pictures = [window(TEXTURE, 0)] * 8 + inserted + [window(TEXTURE, 200)] * 8
    assert shots_of(pictures, make_frame) == [0] * 8 + [1] * MIN_SHOT_FRAMES + [2] * 8


def test_a_pan_is_no_cut(make_frame: Any) -> None:
    assert set(shots_of([window(TEXTURE, 8 * i) for i in range(30)], make_frame)) == {0}


def test_a_pan_that_sets_in_and_stops_is_no_cut(make_frame: Any) -> None:
    lefts = [0] * 8 + [3 * i for i in range(8)] + [21] * 8
    assert set(shots_of([window(TEXTURE // 4, left) for left in lefts], make_frame)) == {0}


@pytest.mark.parametrize("count", range(6))
def test_clips_shorter_than_the_window(make_frame: Any, count: int) -> None:
    assert shots_of([window(TEXTURE, 0)] * count, make_frame) == [0] * count


def test_an_endless_stream_is_read_only_as_far_as_needed(make_frame: Any) -> None:
    read = 0

    def endless() -> Iterator[Frame]:
        nonlocal read
        for i in itertools.count():
            read += 1
            yield make_frame(2, 2, index=i)

    picture = window(TEXTURE, 0)
    taken = list(itertools.islice(detect_shots(endless(), lambda _: picture), 10))
    assert [frame.index for frame, _ in taken] == list(range(10))
    assert read == 10 + 2 * WINDOW_FRAMES
