"""`retarget-train fit-geometry`: dataset -> a checkpoint that moves pixels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Its flags."""
    flags = commands.add_parser(
        "fit-geometry",
        help="dataset -> a checkpoint that moves pixels",
        description="Fit how landmarks move with action units, in closed form, on the dataset's clips, and say "
        "how well it holds for people it has not seen. Then measure what the edits really do, and correct for it.",
    )
    flags.add_argument("dataset", type=Path, metavar="DATASET")
    flags.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.safetensors")
    flags.add_argument(
        "--rounds", type=int, default=2, metavar="N",
        help="of correction by measured edits, about a minute each; 0: none, W times a constant (default 2)",
    )  # fmt: skip
    flags.set_defaults(do=_fit_geometry)


def _fit_geometry(arguments: argparse.Namespace) -> int:
    from retarget.pipeline.faces import canonical_face, mesh_triangles

    from ..data import open_dataset
    from ..fit import calibrated, fit_geometry, geometry_model, save_geometry
    from ..metrics import CropMeter

    dataset = open_dataset(arguments.dataset)
    fit = fit_geometry(dataset, canonical_face())
    print(f"fitted to {fit.frames} frames of {fit.people} people: R2 {fit.r2_fit:.3f}")
    print(fit.table())
    geometry = geometry_model(fit.weight, canonical_face(), mesh_triangles())
    provenance: dict[str, Any] = {"command": "fit-geometry", **fit.scores()}
    if arguments.rounds:
        with CropMeter() as meter:
            geometry, history = calibrated(geometry, dataset, meter, rounds=arguments.rounds)
        for number, done in enumerate(history):
            print(
                f"round {number}: distance to the asked expression {done.distance_ratio:.3f} of doing nothing, "
                f"slope {done.slope:.2f}, motion {done.growth:.2f} ({done.faces} faces no correction has seen)"
            )
        provenance["calibration"] = [vars(done) for done in history]
    save_geometry(arguments.output, geometry, dataset, provenance)
    print(f"{arguments.output}: written")
    return 0
