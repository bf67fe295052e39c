"""What both command lines share: one-line errors, exit codes, a quiet stderr, progress bars."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

from tqdm import tqdm

from retarget.model.suggestions import suggestion

from ..errors import RetargetError
from ..stream import Progress, Unminded, is_terminal, no_progress, say_aside
from .signals import ending_signals


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, like every other error; takes -1s and -00:00:01:12 for values, not flags."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, but a misspelt flag is named before what is missing without it."""
        said = sys.argv[1:] if args is None else list(args)
        words = () if self._subparsers else itertools.takewhile(lambda word: word != "--", said)
        for word in words:  # a command's own flags are for its own parser
            flag = word.partition("=")[0]
            if flag.startswith("--") and flag not in self._option_string_actions:
                self.error(f"there is no {flag}{did_you_mean(flag, self._option_string_actions)}")
        return super().parse_known_args(said, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ "; did you mean --strength?" where one of the known words is near, else nothing."""
    hint = suggestion(word, known, "")
    return f"; {hint}" if hint else ""


def parser(prog: str, description: str, epilog: str | None = None) -> Parser:
    """A parser whose description keeps its line breaks and whose flags are never abbreviated."""
    return Parser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def run_command(
    prog: str, command: Callable[[], int], *, interrupted: str = "nothing half-written is left"
) -> int:
    """The command's exit status, with every error in one line on stderr.

    SIGTERM and its like unwind, so that half-written files go.
    """
    whole_streams()
    if isinstance(
        sys.stdout, io.TextIOWrapper
    ):  # names of files may be in any encoding; they are said as they are
        sys.stdout.reconfigure(errors="surrogateescape")
    with own_stderr(), ending_signals():
        try:
            return _unwound(command)
        except RetargetError as error:
            return fail(prog, str(error), error.exit_code)
        except BrokenPipeError:  # whoever read the listing has enough of it
            return 1
        except OSError as error:
            return fail(prog, f"{error.filename or 'the system'}: {error.strerror or error}", 1)
        except MemoryError:
            return fail(prog, "out of memory; use a smaller batch", 1)
        except KeyboardInterrupt:
            return fail(prog, f"interrupted; {interrupted}", 130)


def _unwound(command: Callable[[], int]) -> int:
    """The command's exit status. An error that comes up while Ctrl-C or SIGTERM unwinds hides neither."""
    try:
        return command()
    except Exception as error:
        reason: BaseException | None = error
        while reason is not None and not isinstance(reason, KeyboardInterrupt | SystemExit):
            reason = reason.__context__
        if reason is None:
            raise
        raise reason from None


def fail(prog: str, message: str, status: int) -> int:
    """Prints the message in one line and returns the status."""
    say_aside(f"{prog}: {' '.join(message.split())}")
    return status


def bars(*, quiet: bool, unit: str = "frame") -> Progress[Any]:
    """Progress bars on a terminal; nothing when quiet or elsewhere."""
    if quiet or not is_terminal(sys.stderr):
        return no_progress
    stream = Unminded(sys.stderr)

    has_width = _columns() > 0

    def show(items: Iterable[Any], label: str, total: int) -> Iterable[Any]:
        return tqdm(
            items,
            desc=f"{label:>8}",
            total=total or None,
            file=stream,
            unit=unit,
            leave=False,
            ncols=None if has_width else _USUAL_COLUMNS,
            nrows=None if has_width else _USUAL_ROWS,
            dynamic_ncols=has_width,
        )

    return show


_USUAL_COLUMNS, _USUAL_ROWS = 80, 24


def _columns() -> int:
    """Of the terminal; 0 where it does not say, as under `script` and on CI."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError, AttributeError):
        return 0


@contextlib.contextmanager
def own_stderr() -> Iterator[None]:
    """Keeps the terminal to ourselves: LiteRT and mediapipe write to file descriptor 2; nothing turns that off.

    Python's stderr moves to a copy of it; native crashes still report there.
    """
    try:
        is_real = sys.stderr.fileno() == 2
    except (AttributeError, OSError, ValueError):  # no stderr, or one that a caller put in its place
        is_real = False
    if not is_real:
        yield
        return
    original = sys.stderr
    with contextlib.suppress(OSError):
        original.flush()
    saved = os.dup(2)
    with open(saved, "w", buffering=1, errors="backslashreplace", encoding=original.encoding) as ours:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        sys.stderr = ours
        faulthandler.enable(ours)
        try:
            yield
        finally:
            faulthandler.disable()
            sys.stderr = original
            os.dup2(saved, 2)


def whole_streams() -> None:
    """Opens what of stdin, stdout and stderr is closed, on nothing: the next file would be taken for it. Names of
    files may be in any encoding, and are said as they are."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free, which is this one
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
