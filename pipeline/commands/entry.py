"""Where the `retarget` command starts: light, so that Ctrl-C is answered while the heavy libraries load."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Runs the command line and returns the exit status."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    from .main import main as command_line

    signal.signal(signal.SIGINT, before)
    return command_line()


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """Ends the process at once: nothing is open yet. A KeyboardInterrupt would now and then be swallowed by a
    callback of the import system, or be noted as unhandled where a library's C code runs Python (status -2)."""
    print("retarget: interrupted; nothing was written", file=sys.stderr, flush=True)
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
