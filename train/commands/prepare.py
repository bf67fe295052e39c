"""`retarget-train prepare`: videos, pictures and lists -> a dataset folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from retarget.model.crop_spec import CropSpec
from retarget.pipeline.commands import bars
from retarget.pipeline.stream import say


def add_to(commands: Any) -> None:
    """Its flags."""
    flags = commands.add_parser(
        "prepare",
        help="videos, picture folders and lists -> a dataset folder",
        description="Find and measure faces, with the pipeline's own tracker and crop. What was done is not done "
        "again, so a run that was stopped goes on. Look at DATASET/sheet.png afterwards.",
    )
    flags.add_argument(
        "inputs", type=Path, nargs="+", metavar="INPUT",
        help="video, picture, folder, .txt list, or .csv with columns file[, identity, clip, split]; without "
        "identity a file's name up to `--` is the person's",
    )  # fmt: skip
    flags.add_argument("-o", "--output", type=Path, required=True, metavar="DATASET")
    flags.add_argument("--frames-per-clip", type=int, default=120, metavar="N", help="evenly spread (default 120)")
    flags.add_argument("--crop-px", type=int, default=CropSpec.size_px, metavar="PX", help="default %(default)s")
    flags.add_argument("--min-face", type=int, metavar="PX", help="smallest face (default 6%% of the height)")
    flags.add_argument(
        "--eval-fraction", type=float, default=0.1, metavar="X",
        help="of the people, set aside for evaluation where a list does not say (default %(default)s)",
    )  # fmt: skip
    flags.add_argument(
        "--openface", type=Path, action="append", default=[], metavar="CSV|FOLDER",
        help="action units from OpenFace's CSV files in place of our own",
    )  # fmt: skip
    flags.add_argument("--jobs", type=int, default=0, metavar="N", help="processes (default one a core)")
    flags.add_argument("-q", "--quiet", action="store_true")
    flags.set_defaults(do=_prepare)


def _prepare(arguments: argparse.Namespace) -> int:
    from ..prepare import PrepareOptions, prepare_dataset

    options = PrepareOptions(
        crop=CropSpec(size_px=arguments.crop_px),
        frames_per_clip=arguments.frames_per_clip,
        min_face_px=arguments.min_face,
        jobs=arguments.jobs,
        eval_fraction=arguments.eval_fraction,
        openface=tuple(arguments.openface),
    )
    progress = bars(quiet=arguments.quiet, unit="input")
    report = prepare_dataset(arguments.inputs, arguments.output, options, progress=progress)
    if not arguments.quiet:
        moving = f"{report.train_in_clips} and {report.eval_in_clips} of them in clips"
        say(
            f"{report.folder}: {report.crops} crops of {report.train_identities} people to train on and "
            f"{report.eval_identities} to evaluate on ({moving}), {report.usable} crops without a flag"
        )
        if not report.eval_in_clips:
            say("  nobody to evaluate on is in a clip: fit-response needs one; add clips of three people or more")
        say("  flagged: " + (", ".join(f"{name} {n}" for name, n in report.flags.items() if n) or "none"))
        if report.skipped:
            say(f"  skipped: {len(report.skipped)} inputs, wholly or in part; see {report.folder / 'skipped.csv'}")
        say(f"  look at {report.folder / 'sheet.png'}")
    return 0
