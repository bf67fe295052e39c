"""Ctrl-C while the heavy libraries load."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Ends the process at once if it is interrupted in the block: nothing is open yet.

    A KeyboardInterrupt would now and then be swallowed by a callback of the import system, or be noted as
    unhandled where a library's C code runs Python (status -2).
    """
    is_ours = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    if not is_ours or before is not signal.default_int_handler:  # ignored, or somebody else's
        yield
        return
    signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # whoever reads it may be gone
        print("retarget: interrupted; nothing was written", file=sys.stderr, flush=True)
    os._exit(130)
