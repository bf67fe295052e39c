"""Where the `retarget` command starts: light, so that Ctrl-C is answered while the heavy libraries load."""

from __future__ import annotations

import sys


def main() -> int:
    """Runs the command line and returns the exit status."""
    try:
        from .cli import main as command_line
    except KeyboardInterrupt:
        print("retarget: interrupted; nothing was written", file=sys.stderr)
        return 130
    return command_line()


if __name__ == "__main__":
    sys.exit(main())
