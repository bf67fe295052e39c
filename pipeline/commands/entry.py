"""Where the `retarget` command starts: light, so that Ctrl-C is answered from the first moment."""

from __future__ import annotations

import sys

from .loading import loading


def main() -> int:
    """Runs the command line and returns the exit status."""
    with loading():
        from .main import main as command_line

    return command_line()


if __name__ == "__main__":
    sys.exit(main())
