"""Where the `retarget` command starts: light, so that Ctrl-C is answered while the heavy libraries load."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Runs the command line and returns the exit status."""
    try:
        from .cli import main as command_line
    except KeyboardInterrupt:
        print("retarget: interrupted; nothing was written", file=sys.stderr, flush=True)
        # Where Ctrl-C came while a library's C code ran Python, the interpreter notes it as unhandled and would end
        # by the signal, whatever is returned here. Nothing is open yet.
        os._exit(130)
    return command_line()


if __name__ == "__main__":
    sys.exit(main())
