"""`retarget-train run`: train a network."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retarget.model.errors import RetargetError

from ..gan import recipes

if TYPE_CHECKING:
    from ..gan import TrainOptions


def add_to(commands: Any) -> None:
    """Its flags."""
    flags = commands.add_parser(
        "run",
        help="train a network",
        description="Train a network. CONFIG is a recipe's name "
        f"({', '.join(recipes())}) or a YAML file, which may begin with `base: RECIPE`. Several GPUs: torchrun "
        "--nproc-per-node N -m retarget.train.commands.entry run ...",
    )
    flags.add_argument("config", metavar="CONFIG")
    flags.add_argument("--data", type=Path, metavar="DATASET", help="folder that `prepare` made")
    flags.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="default runs/CONFIG")
    flags.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="such as generator.width=16; may be repeated",
    )
    flags.add_argument("--print", action="store_true", help="print all options with their values, and stop")
    flags.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    flags.add_argument("--max-minutes", type=float, default=math.inf, metavar="X", help="then save and stop")
    flags.add_argument(
        "--from", type=Path, metavar="CHECKPOINT", dest="start",
        help="begin with the weights of a checkpoint, or of a run's folder (then also its critics')",
    )  # fmt: skip
    flags.add_argument(
        "--geometry", type=Path, metavar="FILE",
        help="checkpoint whose geometry model is used (default: with --resume the run's own, with --from that "
        "checkpoint's, else the package's)",
    )  # fmt: skip
    flags.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default auto)")
    flags.add_argument("-q", "--quiet", action="store_true")
    flags.set_defaults(do=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..gan import as_yaml, load_options

    options = load_options(arguments.config, arguments.set)
    if arguments.print:
        print(as_yaml(options), end="")
        return 0
    if arguments.data is None:
        raise RetargetError("run needs --data DATASET; make one with `retarget-train prepare`")
    return _train(options, arguments)


def _train(options: TrainOptions, arguments: argparse.Namespace) -> int:
    from ..data import open_dataset
    from ..gan import begun_with, geometry_of, train

    result = train(
        options,
        open_dataset(arguments.data),
        arguments.output or Path("runs") / Path(arguments.config).stem,
        geometry=geometry_of(arguments.geometry) if arguments.geometry else None,
        start=begun_with(arguments.start) if arguments.start else None,
        device=arguments.device,
        resume=arguments.resume,
        max_minutes=arguments.max_minutes,
        quiet=arguments.quiet,
    )
    if not arguments.quiet:
        print(f"{result.checkpoint}: {result.end} after {result.step} steps; {result.seconds / 60:.1f} minutes")
    return 143 if result.end == "terminated" else 0
