"""`retarget-train evaluate`: how good checkpoints are, side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from retarget.model.errors import RetargetError
from retarget.pipeline.commands import bars


def add_to(commands: Any) -> None:
    """Its flags."""
    flags = commands.add_parser(
        "evaluate",
        help="how good checkpoints are, side by side",
        description="Measure checkpoints on people they were not trained on: the paper's Tables 1 and 3, what was "
        "asked against what came out, true frames, sharpness, cost; pictures to look at. Beside them: doing "
        "nothing, and the geometry's warp alone.",
    )
    flags.add_argument(
        "checkpoints",
        nargs="+",
        metavar="[LABEL=]CHECKPOINT",
        help="`default` is the one that comes with the package",
    )
    flags.add_argument("dataset", type=Path, metavar="DATASET")
    flags.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    flags.add_argument("--split", choices=("eval", "train"), default="eval", help="whose faces (default eval)")
    flags.add_argument("--faces", type=int, metavar="N", help="edited faces (default all of the split)")
    flags.add_argument(
        "--targets",
        type=int,
        default=7,
        metavar="N",
        help="expressions each (default %(default)s, the paper's)",
    )
    flags.add_argument(
        "--judged", type=int, default=200, metavar="N",
        help="of the edits, seen by the judges of pictures, which take longest (default %(default)s)",
    )  # fmt: skip
    flags.add_argument("--pairs", type=int, default=60, metavar="N", help="true frame pairs (default %(default)s)")
    flags.add_argument(
        "--sweep-faces", type=int, default=5, metavar="N", help="of the grids (default %(default)s)"
    )
    flags.add_argument(
        "--clips", type=Path, nargs="+", default=[], metavar="CLIP",
        help="also whole clips, through the main job, each driven by another of them",
    )  # fmt: skip
    flags.add_argument("--films", type=int, metavar="N", help="only the first N of the clips (default all)")
    flags.add_argument(
        "--keep-edits", action="store_true", help="write the edits as pictures, FOLDER/edits, for OpenFace"
    )
    flags.add_argument(
        "--openface", type=Path, metavar="FOLDER",
        help="the paper's ED, from a CSV of OpenFace's FaceLandmarkImg for each picture of such edits; the other "
        "options as they were",
    )  # fmt: skip
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 (default cpu)")
    flags.add_argument("--overwrite", action="store_true", help="replace an earlier evaluation there")
    flags.add_argument("-q", "--quiet", action="store_true")
    flags.set_defaults(do=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> int:
    from ..data import open_dataset
    from ..evaluation import TABLES_FILE, EvaluateOptions, evaluate

    checkpoints: dict[str, Path] = {}
    for text in arguments.checkpoints:
        label, path = _labelled(text)
        if label in checkpoints:
            raise RetargetError(f"{text}: {label} is named twice; write LABEL=CHECKPOINT with another label")
        checkpoints[label] = path
    options = EvaluateOptions(
        split=arguments.split,
        faces=arguments.faces,
        targets=arguments.targets,
        judged=arguments.judged,
        pairs=arguments.pairs,
        sweep_faces=arguments.sweep_faces,
        clips=tuple(arguments.clips),
        films=arguments.films,
        keep_edits=arguments.keep_edits,
        openface=arguments.openface,
        seed=arguments.seed,
        device=arguments.device,
        overwrite=arguments.overwrite,
    )
    progress = bars(quiet=arguments.quiet, unit="face")
    evaluate(checkpoints, open_dataset(arguments.dataset), arguments.output, options, progress=progress)
    if not arguments.quiet:
        print((arguments.output / TABLES_FILE).read_text(encoding="utf-8"))
    return 0


def _labelled(text: str) -> tuple[str, Path]:
    """label and file of `LABEL=FILE`, `FILE`, or `default`; a run's checkpoints are called after its folder."""
    from retarget.model.checkpoint import default_checkpoint_path

    label, equals, name = text.partition("=")
    path = Path(name if equals else text)
    if str(path) == "default":
        return (label if equals else "default"), default_checkpoint_path()
    names = {"checkpoint": path.parent.name, "best": f"{path.parent.name} at its best"}
    return (label if equals else names.get(path.stem, path.stem)), path
