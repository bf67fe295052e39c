"""Signals that end a run: it unwinds, so that half-written files go, and is ended where it does not."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import NoReturn

from retarget.model.files import drop_parts

GRACE_SECONDS = 20.0
"""For a run that was told to end; then it hangs in something that cannot be interrupted."""

_NAMES = ("SIGTERM", "SIGHUP", "SIGQUIT")


@contextlib.contextmanager
def ending_signals() -> Iterator[None]:
    """SIGTERM, SIGHUP and SIGQUIT raise SystemExit in the block; a process that does not unwind is ended.

    Those that somebody ignores (nohup) or handles stay so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    ours = [number for number in numbers if before[number] is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _unwind)
    try:
        with _deadline():
            yield
    finally:
        for number in ours:
            signal.signal(number, before[number])


def _unwind(signum: int, frame: object) -> NoReturn:  # noqa: ARG001 - the signal module's signature
    raise SystemExit(128 + signum)


@contextlib.contextmanager
def _deadline() -> Iterator[None]:
    """A thread that hears of signals even while the main one is deep in a library."""
    if os.name == "nt":  # which has neither such signals nor pipes for them
        yield
        return
    heard, told = os.pipe()
    os.set_blocking(told, False)
    before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    is_over = threading.Event()
    threading.Thread(target=_end_when_told, args=(heard, is_over), name="deadline", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()
        signal.set_wakeup_fd(before)
        os.close(told)  # which ends the thread


def _end_when_told(heard: int, is_over: threading.Event) -> None:
    with contextlib.closing(os.fdopen(heard, "rb", buffering=0)) as signals:
        while number := signals.read(1):
            if _is_ours(number[0]) and not is_over.wait(GRACE_SECONDS):
                drop_parts()
                os._exit(128 + number[0])


def _is_ours(number: int) -> bool:
    return signal.getsignal(number) in (_unwind, signal.default_int_handler)
