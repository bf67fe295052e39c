"""What ends a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retarget.pipeline.commands import signals
from retarget.pipeline.commands.signals import ending_signals


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_run_unwinds(name: str) -> None:
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit, match=str(128 + number)), ending_signals():
            signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_what_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with ending_signals():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


STUCK = """
import hashlib, sys
from pathlib import Path
from retarget.model.files import Part
from retarget.pipeline.commands import signals
signals.GRACE_SECONDS = 0.3
with signals.ending_signals():
    part = Part(Path(sys.argv[1]))
    print("stuck", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"a", b"b", 2**31 - 1)  # deep in C, where no handler of Python's runs
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_cannot_unwind_is_ended_and_leaves_no_part(tmp_path: Path, number: int) -> None:
    part = tmp_path / ".a.part.mp4"
    child = subprocess.Popen([sys.executable, "-c", STUCK, str(part)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "stuck\n"
    assert part.exists()
    time.sleep(0.3)  # from the word to the deed
    child.send_signal(number)
    assert child.wait(timeout=20) == 128 + number
    assert not part.exists()


def test_in_another_thread_nothing_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals.threading, "current_thread", object)
    before = signal.getsignal(signal.SIGTERM)
    with ending_signals():
        assert signal.getsignal(signal.SIGTERM) is before
