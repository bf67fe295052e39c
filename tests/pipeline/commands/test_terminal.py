import contextlib
import signal
from collections.abc import Callable, Iterator

import pytest

from retarget.pipeline.commands.terminal import run_command
from retarget.pipeline.errors import OptionError, VideoWriteError


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def failing(*errors: BaseException) -> Callable[[], int]:
    """A command that raises the first; each of the others comes up while the one before it unwinds."""

    def command() -> int:
        with contextlib.ExitStack() as stack:
            for error in reversed(errors[1:]):
                stack.callback(_raise, error)
            raise errors[0]

    return command


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("errors", "status", "said"),
    [
        ([OptionError("a.mp4: no")], 2, "retarget: a.mp4: no"),
        ([OSError(28, "No space left", "o.mp4")], 1, "retarget: o.mp4: No space left"),
        ([MemoryError()], 1, "retarget: out of memory; use a smaller batch"),
        ([KeyboardInterrupt()], 130, "retarget: interrupted; all is well"),
        ([KeyboardInterrupt(), ValueError("still executing")], 130, "retarget: interrupted; all is well"),
        ([KeyboardInterrupt(), OSError("a"), VideoWriteError("b")], 130, "retarget: interrupted; all is well"),
    ],
)  # fmt: skip
def test_one_line_and_the_status_of_what_came_first(
    errors: list[BaseException], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("retarget", failing(*errors), interrupted="all is well") == status
    assert capsys.readouterr().err.splitlines() == [said]


def test_an_error_on_the_way_out_of_a_termination_does_not_hide_it() -> None:
    with pytest.raises(SystemExit, match="143"):
        run_command("retarget", failing(SystemExit(143), ValueError("still busy")))


def test_a_mistake_of_ours_is_not_dressed_up() -> None:
    with pytest.raises(ValueError, match="ours"):
        run_command("retarget", failing(OSError("first"), ValueError("ours")))
