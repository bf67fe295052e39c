"""`retarget-train export`: checkpoint -> half the size, for the pipeline."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from retarget.pipeline.stream import say


def add_to(commands: Any) -> None:
    """Its flags."""
    flags = commands.add_parser(
        "export",
        help="checkpoint -> half the size, for the pipeline",
        description="Write a checkpoint in half precision; the geometry stays exact.",
    )
    flags.add_argument("checkpoint", type=Path)
    flags.add_argument(
        "--geometry", type=Path, metavar="FILE", help="checkpoint whose geometry model takes the place of its own"
    )
    flags.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.safetensors")
    flags.add_argument("--overwrite", action="store_true")
    flags.set_defaults(do=_export)


def _export(arguments: argparse.Namespace) -> int:
    from ..gan import export_checkpoint

    export_checkpoint(
        arguments.checkpoint, arguments.output, geometry=arguments.geometry, overwrite=arguments.overwrite
    )
    say(f"{arguments.output}: {arguments.output.stat().st_size / 2**20:.1f} MiB")
    return 0
