"""`retarget-train run`: train a network."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retarget.model.errors import RetargetError

from ..gan import recipes, staged_recipes
from .stages import Stage, run_stages, stages_of

if TYPE_CHECKING:
    from ..gan import TrainOptions


def add_to(commands: Any) -> None:
    """Its flags."""
    flags = commands.add_parser(
        "run",
        help="train a network",
        description=f"Train a network. CONFIG is a recipe's name ({', '.join(recipes())}; of several stages: "
        f"{', '.join(staged_recipes())}) or a YAML file, which may begin with `base: RECIPE`. Several GPUs: "
        "torchrun --nproc-per-node N -m retarget.train.commands.entry run ...",
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

    stages = stages_of(arguments.config, arguments.set)
    options = None if stages else load_options(arguments.config, arguments.set)
    if arguments.print:
        for stage in stages or ():
            print(f"# stage {stage.name}: {stage.command}")
            print(as_yaml(stage.options) if stage.options else json.dumps(dict(stage.numbers)))
        if options:
            print(as_yaml(options), end="")
        return 0
    if arguments.data is None:
        raise RetargetError("run needs --data DATASET; make one with `retarget-train prepare`")
    if options:
        return _train(options, arguments)
    assert stages is not None
    return _train_stages(stages, arguments)


def _train_stages(stages: list[Stage], arguments: argparse.Namespace) -> int:
    import numpy as np

    from ..data import open_dataset
    from ..gan import check_fit, data_mark

    if arguments.start or arguments.geometry:
        raise RetargetError(
            f"{arguments.config}: its stages name what they begin with; leave out --from, --geometry"
        )
    dataset, folder = open_dataset(arguments.data), _folder(arguments)
    for options in (stage.options for stage in stages if stage.options):
        check_fit(options, dataset)
    mark = data_mark(dataset, np.flatnonzero(dataset.usable & ~dataset.is_eval))
    path, status = run_stages(stages, arguments, folder, mark, _command)
    if not arguments.quiet:
        print(f"{path}: {'the last stage is done' if not status and path.is_file() else 'stopped before it'}")
    return status


def _command(argv: list[str], options: TrainOptions | None) -> int:
    """One of the commands; `run` with options that are read already."""
    from .entry import arguments_of

    arguments = arguments_of(argv)
    return _train(options, arguments) if options else arguments.do(arguments)


def _folder(arguments: argparse.Namespace) -> Path:
    return arguments.output or Path("runs") / Path(arguments.config).stem


def _train(options: TrainOptions, arguments: argparse.Namespace) -> int:
    from ..data import open_dataset
    from ..gan import check_fit, check_folder

    dataset, folder = open_dataset(arguments.data), _folder(arguments)
    for path in (arguments.geometry, arguments.start):
        if path is not None and not path.exists():
            raise RetargetError(f"the checkpoint {path} does not exist; name a .safetensors file")
    check_folder(folder, resume=arguments.resume)
    check_fit(options, dataset)

    from ..gan import begun_with, geometry_of, train  # what is wrong with the above is told before these load

    result = train(
        options,
        dataset,
        folder,
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
