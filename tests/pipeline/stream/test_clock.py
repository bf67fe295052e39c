import time
from collections.abc import Iterator
from typing import Any

import pytest

from retarget.pipeline.stream.clock import Clock


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Time:
    fake = Time()
    monkeypatch.setattr(time, "perf_counter", fake)
    return fake


def slow(items: Any, fake: Time, seconds: float) -> Iterator[Any]:
    for item in items:
        fake.passes(seconds)
        yield item


def test_a_stage_counts_the_making_and_not_the_using(fake: Time) -> None:
    clock = Clock()
    for _ in clock.stage("decode", slow(range(3), fake, 2)):
        fake.passes(50)
    assert clock.seconds() == {"decode": 6}


def test_nested_stages_count_their_own_time(fake: Time) -> None:
    clock = Clock()
    decoded = clock.stage("decode", slow(range(3), fake, 1))
    tracked = clock.stage("track", slow(decoded, fake, 10))
    rendered = clock.stage("render", slow(tracked, fake, 100))
    assert list(rendered) == [0, 1, 2]
    assert clock.seconds() == {"decode": 3, "track": 30, "render": 300}


def test_a_context_within_a_stage_is_taken_off_it(fake: Time) -> None:
    clock = Clock()

    def blending() -> Iterator[int]:
        with clock.running("blend"):
            fake.passes(4)
        fake.passes(1)
        yield 0

    list(clock.stage("render", blending()))
    assert clock.seconds() == {"blend": 4, "render": 1}


def test_the_same_name_adds_up(fake: Time) -> None:
    clock = Clock()
    for _ in range(2):
        with clock.running("encode"):
            fake.passes(0.25)
    assert clock.seconds() == {"encode": 0.5}


def test_time_until_an_error_counts_and_the_nesting_survives(fake: Time) -> None:
    clock = Clock()

    def failing() -> Iterator[int]:
        fake.passes(3)
        raise OSError("gone")
        yield 0

    with pytest.raises(OSError, match="gone"), clock.running("outer"):
        list(clock.stage("decode", failing()))
    with clock.running("encode"):
        fake.passes(1)
    assert clock.seconds() == {"outer": 0, "decode": 3, "encode": 1}


def test_closing_a_stage_closes_what_it_times() -> None:
    closed = []

    def upstream() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    stage: Any = Clock().stage("decode", upstream())
    assert next(stage) == 1
    stage.close()
    assert closed == [True]


def test_rounded_to_a_millisecond(fake: Time) -> None:
    clock = Clock()
    with clock.running("plan"):
        fake.passes(0.12345)
    assert clock.seconds() == {"plan": 0.123}


def test_another_threads_work_is_not_nested_in_this_ones(fake: Time) -> None:
    from retarget.pipeline.stream.prefetch import prefetched

    clock = Clock()
    ahead = prefetched(clock.stage("decode", slow([1], fake, 5)), 1)
    with clock.running("track"):
        list(ahead)
    # Both were busy for five seconds of this clock: waiting for another thread is not taken off.
    assert clock.seconds() == {"decode": 5, "track": 5}
