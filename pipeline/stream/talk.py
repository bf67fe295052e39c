"""What a command says to people. Whether anybody hears it changes nothing of what is made, nor the exit status."""

from __future__ import annotations

import contextlib
import os
import sys
import unicodedata
from typing import IO, Any

_TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def say(text: str) -> None:
    """A line, or several, on stdout."""
    say_on(sys.stdout, text)


def say_aside(text: str) -> None:
    """A line, or several, on stderr."""
    say_on(sys.stderr, text)


def hand_over(text: str) -> None:
    """Prints on stdout what was asked for: unlike what is only said, it must arrive. Raises OSError."""
    try:
        print(text, flush=True)
    except OSError:
        _silence(sys.stdout)
        raise


def say_on(stream: IO[str] | None, text: str) -> None:
    """On a stream that may be closed, full, or read by nobody; it is silent from then on."""
    if stream is None:
        return
    try:
        print(printable(text), file=stream, flush=True)
    except UnicodeEncodeError:  # a terminal of few letters
        print(ascii(text)[1:-1], file=stream, flush=True)
    except (OSError, ValueError):
        _silence(stream)


def printable(text: str) -> str:
    r"""The text without what a terminal obeys or hides in place of showing it: such characters as "\x1b"."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or not _is_control(c) else _escaped(c) for c in text)


def _is_control(character: str) -> bool:
    # control characters, line and paragraph separators, and what turns the direction of writing
    return unicodedata.category(character) in ("Cc", "Zl", "Zp") or character in _TURNS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _silence(stream: IO[str]) -> None:
    """What is still in its buffer goes nowhere, so that nothing complains at the end either."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
        stream.flush()


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether somebody looks at it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return stream is not None and stream.isatty()
    return False


class Unminded:
    """A stream for progress bars: where it cannot be written to, nothing happens."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """As of a file."""
        with contextlib.suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """As of a file."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()
