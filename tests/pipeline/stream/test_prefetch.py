import gc
import itertools
import threading
import time
from collections.abc import Iterable, Iterator

import pytest

from retarget.pipeline.stream import prefetch
from retarget.pipeline.stream.prefetch import Watch, prefetched


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    assert threads() == []
    yield
    assert threads() == []


def soon(condition: object) -> bool:
    """Whether a callable comes true within two seconds."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.005)
    return False


def listed(items: Iterable[int]) -> list[int]:
    """All items of a prefetch of `items`; fails instead of waiting for ever."""
    out: list[int] = []
    failure: list[BaseException] = []

    def consume() -> None:
        try:
            out.extend(prefetched(items, 2))
        except BaseException as error:
            failure.append(error)

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    consumer.join(timeout=5)
    assert not consumer.is_alive(), "the consumer waits for ever"
    if failure:
        raise failure[0]
    return out


@pytest.mark.parametrize("depth", [1, 3, 100])
def test_the_same_items_in_the_same_order(depth: int) -> None:
    assert list(prefetched(range(50), depth)) == list(range(50))
    assert list(prefetched([], depth)) == []
    assert list(prefetched([None, None], depth)) == [None, None]


def test_it_works_in_another_thread() -> None:
    def names() -> Iterator[str]:
        yield threading.current_thread().name

    assert list(prefetched(names(), 1)) == ["prefetch"]


def test_an_exception_comes_at_its_place() -> None:
    def failing() -> Iterator[int]:
        yield from range(3)
        raise OSError("disk gone")

    taken: list[int] = []
    with pytest.raises(OSError, match="disk gone"):
        taken.extend(prefetched(failing(), 10))
    assert taken == [0, 1, 2]


def test_an_iterable_that_cannot_even_start_raises() -> None:
    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise OSError("cannot open")

    with pytest.raises(OSError, match="cannot open"):
        listed(Broken())


def test_an_iterator_that_fails_to_close_raises() -> None:
    class Stubborn:
        def __iter__(self) -> "Stubborn":
            return self

        def __next__(self) -> int:
            raise StopIteration

        def close(self) -> None:
            raise OSError("still busy")

    with pytest.raises(OSError, match="still busy"):
        listed(Stubborn())


def test_closing_early_closes_upstream_and_joins() -> None:
    closed = []

    def endless() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.append(threading.current_thread().name)

    ahead = prefetched(endless(), 2)
    assert [next(ahead) for _ in range(3)] == [0, 1, 2]
    assert len(threads()) == 1
    ahead.close()
    assert closed == ["prefetch"]


def test_a_consumer_that_fails_leaves_no_thread() -> None:
    def consume() -> None:
        for item in prefetched(itertools.count(), 2):
            if item == 3:
                raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        consume()
    gc.collect()


def test_ten_of_an_endless_stream() -> None:
    ahead = prefetched(itertools.count(), 4)
    assert list(itertools.islice(ahead, 10)) == list(range(10))
    ahead.close()


def test_it_runs_ahead_but_no_further_than_said() -> None:
    made = []

    def count() -> Iterator[int]:
        for i in itertools.count():
            made.append(i)
            yield i

    ahead = prefetched(count(), 3)
    assert next(ahead) == 0
    assert soon(lambda: len(made) == 5)  # the one taken, three waiting, one at the door
    time.sleep(0.25)  # longer than the put's own timeout
    assert len(made) == 5
    ahead.close()


def test_a_depth_without_bound_is_our_bug() -> None:
    with pytest.raises(AssertionError):
        next(prefetched([1], 0))


def test_nothing_runs_before_the_first_item_is_asked_for() -> None:
    ahead = prefetched(itertools.count(), 2)
    assert threads() == []
    ahead.close()


def test_an_interrupt_while_the_thread_starts_leaves_upstream_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    touched, start = [], threading.Thread.start

    def upstream() -> Iterator[int]:
        touched.append(0)
        yield 0

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt("while it waits for the thread")

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt, match="while it waits"):
        next(prefetched(upstream(), 1))
    assert soon(lambda: threads() == [])
    assert touched == []


def test_what_makes_no_progress_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "PATIENCE_SECONDS", 0.1)
    release, steps = threading.Event(), [0]

    def slow_then_stuck() -> Iterator[int]:
        for _ in range(5):  # slower than the patience, but moving
            time.sleep(0.06)
            steps[0] += 1
        yield 1
        release.wait()

    watch = Watch(lambda: steps[0], lambda: OSError("nothing came"))
    items = prefetched(slow_then_stuck(), 1, watch=watch)
    assert next(items) == 1
    with pytest.raises(OSError, match="nothing came"):
        next(items)
    release.set()
    assert soon(lambda: not threads())
