"""What is said, and that it does not matter whether anybody hears it."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from retarget.pipeline.stream import Unminded, is_terminal, printable, say, say_aside, say_on


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("é.mp4: ok\n\tnext", "é.mp4: ok\n\tnext"),
        ("a\x1b]0;own\x07b", "a\\x1b]0;own\\x07b"),
        ("a\x9b31mb", "a\\x9b31mb"),
        ("a\rb\x00\x7f", "a\\rb\\x00\\x7f"),
        ("a\u202egpm.b", "a\\u202egpm.b"),
        ("می\u200cخواهم.mp4", "می\u200cخواهم.mp4"),
        ("\ud800", "\ud800"),
    ],
)
def test_a_name_does_not_command_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_said(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\x1b")
    say_aside("b\x1b")
    assert capsys.readouterr() == ("a\\x1b\n", "b\\x1b\n")


def test_deaf_ears_change_nothing(tmp_path: Path) -> None:
    say_on(None, "a")
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as broken:
        for _ in range(3):
            say_on(broken, "a")
    with open("/dev/full", "w") as full:
        say_on(full, "a")
    closed = (tmp_path / "x").open("w")
    closed.close()
    say_on(closed, "a")
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    say_on(ascii_only, "é\ud800")
    assert ascii_only.buffer.getvalue() == b"\\xe9\\ud800\n"  # type: ignore[attr-defined]


def test_bars_go_on_where_the_terminal_is_gone() -> None:
    with open("/dev/full", "w", buffering=1) as full:
        bar = Unminded(full)
        bar.write("a\n")
        bar.flush()
        assert bar.encoding == full.encoding
        say_on(full, "")
    assert not is_terminal(None)
    assert not is_terminal(full)
