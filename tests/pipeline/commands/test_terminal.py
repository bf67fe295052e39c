import contextlib
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator

import pytest

from retarget.pipeline.commands.terminal import Parser, bars, parser, run_command
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


@pytest.fixture
def flags() -> Parser:
    parser_ = parser("retarget", "words")
    parser_.add_argument("--strength")
    parser_.add_argument("--source", required=True)
    return parser_


@pytest.mark.parametrize("time", ["-1s", "-36f", "-00:00:01:12", "-.5", "-500ms"])
def test_a_time_before_zero_is_a_value(flags: Parser, time: str) -> None:
    assert flags.parse_args(["--source", "a", "--strength", time]).strength == time


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (["--strenght", "1"], "there is no --strenght; did you mean --strength?; see retarget --help"),
        (["--surce=a"], "there is no --surce; did you mean --source?; see retarget --help"),
        (["--zzz"], "there is no --zzz; see retarget --help"),
    ],
)
def test_a_misspelt_flag_goes_before_what_is_missing(
    flags: Parser, said: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        flags.parse_args(said)
    assert capsys.readouterr().err == f"retarget: {hint}\n"


def test_flags_of_a_command_are_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    flags = parser("retarget-train", "words")
    commands = flags.add_subparsers(dest="command")
    commands.add_parser("run").add_argument("--data")
    assert flags.parse_args(["run", "--data", "x"]).data == "x"
    with pytest.raises(SystemExit, match="2"):
        flags.parse_args(["run", "--dta", "x"])
    assert "there is no --dta; did you mean --data?" in capsys.readouterr().err


def test_a_terminal_without_a_size_shows_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `script` and some CI give it: 0 columns and rows would leave nothing of a bar."""
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))  # not on Windows
    screen, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, bytes(8))
    with open(other, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        assert list(bars(quiet=False)(range(3), "track", 3)) == [0, 1, 2]
        terminal.flush()
        readable, _, _ = select.select([screen], [], [], 5)
        assert readable
        shown = os.read(screen, 4096)
    os.close(screen)
    assert b"track:" in shown
    assert b"frame/s" in shown
