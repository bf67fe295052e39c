"""`retarget-train fit-response`: dataset + checkpoint -> a checkpoint whose motion depends on the face."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from retarget.model.errors import RetargetError
from retarget.pipeline.commands import bars
from retarget.pipeline.stream import say, say_aside


def add_to(commands: Any) -> None:
    """Its flags."""
    flags = commands.add_parser(
        "fit-response",
        help="dataset + checkpoint -> a checkpoint whose motion depends on the face",
        description="Learn what faces do beyond the linear model of `fit-geometry`: how far a request moves this "
        "face, from where it is. CHECKPOINT is one with a geometry; the output is that geometry with its "
        "response, without a network: give it to `run --geometry` or `export --geometry`. With --edits, the "
        "checkpoint's own edits are measured, and what the tracker does not see of a motion is made up for. A "
        "response that does worse than none on the people set aside is left out.",
    )
    flags.add_argument("dataset", type=Path, metavar="DATASET")
    flags.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    flags.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.safetensors")
    flags.add_argument("--steps", type=int, default=3000, metavar="N", help="of training (default %(default)s)")
    flags.add_argument(
        "--edits", type=int, default=1000, metavar="N",
        help="to measure, about 0.2 s each; 0: believe that a tracker sees every motion (default %(default)s)",
    )  # fmt: skip
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("-q", "--quiet", action="store_true")
    flags.set_defaults(do=_fit_response)


def _fit_response(arguments: argparse.Namespace) -> int:
    if arguments.steps < 1 or arguments.edits < 0:
        raise RetargetError("fit-response needs --steps from 1 and --edits from 0")
    from retarget.model.checkpoint import load_checkpoint

    from ..data import known_among, of_geometry, open_dataset, trained_people
    from ..fit import fit_motion, is_worse, save_geometry
    from ..gan import geometry_in
    from ..metrics import CropMeter

    dataset, checkpoint = open_dataset(arguments.dataset), load_checkpoint(arguments.checkpoint)
    editor = checkpoint.build_editor()
    given = geometry_in(arguments.checkpoint, editor)
    earlier = trained_people(checkpoint.provenance)
    set_aside = (dataset.identities[i] for i in set(dataset.identity[dataset.is_eval].tolist()))
    if shared := known_among(set_aside, earlier or ()):
        raise RetargetError(
            f"{arguments.checkpoint}: was trained on {shared[0]}, one of {len(shared)} whom the dataset sets "
            "aside for evaluation; split the dataset otherwise, or start from a geometry of its training people"
        )
    with CropMeter() as meter:
        geometry, measured = fit_motion(
            editor,
            dataset,
            meter,
            steps=arguments.steps,
            edits=arguments.edits,
            seed=arguments.seed,
            progress=bars(quiet=arguments.quiet, unit="step"),
        )
    for name, value in measured["scores"].items():
        say(f"{name:<16}{value:.3f}")
    worse = is_worse(measured["scores"])
    outcome = {"response_left_out" if worse else "response": measured}
    provenance = {**of_geometry(checkpoint.provenance), **outcome}
    kept = given if worse else geometry
    save_geometry(arguments.output, kept, dataset, provenance, earlier_people=earlier)
    say(f"{arguments.output}: written")
    if worse:
        _say_left_out(arguments)
    return 0


def _say_left_out(arguments: argparse.Namespace) -> None:
    say_aside(
        f"fit-response: WARNING: {arguments.output} has {arguments.checkpoint}'s geometry as it was, without a "
        "response: on the people set aside it does worse than none (pairs_r2 below or reads above their "
        "_linear); add clips of more people"
    )
