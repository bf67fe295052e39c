"""`retarget-train`: from a folder of clips and photos to a checkpoint, and how good it is.

Each command loads what it needs when it runs, so that help and usage errors come at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from retarget.pipeline.commands import parser, run_command

from . import evaluate, export, fit_geometry, fit_response, prepare, run

DESCRIPTION = """\
Train and measure networks for `retarget`.

  retarget-train prepare clips/ photos/ -o data            faces -> aligned crops, action units, landmarks
  retarget-train fit-geometry data -o geometry.safetensors how action units move a face, in closed form
  retarget-train fit-response data geometry.safetensors -o motion.safetensors  ... and how far this face moves
  retarget-train run default --data data -o runs/mine      the GAN (or paper, ganimation, a YAML of your own)
  retarget-train evaluate runs/mine/checkpoint.safetensors data -o report
  retarget-train export runs/mine/checkpoint.safetensors -o mine.safetensors

The result works at once: retarget --checkpoint mine.safetensors -s video.mp4 -d clip.mp4
`retarget-train COMMAND --help` explains each.
"""

COMMANDS = (prepare, fit_geometry, fit_response, run, evaluate, export)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status."""
    arguments = arguments_of(list(sys.argv[1:] if argv is None else argv))
    do: Callable[[argparse.Namespace], int] = arguments.do
    return run_command("retarget-train", lambda: do(arguments))


def arguments_of(argv: Sequence[str]) -> argparse.Namespace:
    """A command line, read: `do` of it does it."""
    flags = parser("retarget-train", DESCRIPTION)
    commands = flags.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(commands)
    return flags.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
