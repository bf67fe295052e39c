"""`retarget-train`: for now, the fit of the geometry model from clips."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from retarget.model.checkpoint import save_checkpoint
from retarget.model.crop_spec import CropSpec
from retarget.model.errors import RetargetError
from retarget.model.generator import Generator, GeneratorConfig
from retarget.pipeline.expression import AU_SOURCE, canonical_face
from retarget.pipeline.track import mesh_triangles

from .fit_geometry import (
    RESPONSE_GAIN,
    cross_validated,
    differences,
    explained,
    fit_weight,
    geometry_model,
    mirror_pairs,
)
from .prepare import measure_clips


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status."""
    parser = argparse.ArgumentParser(prog="retarget-train", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fit = commands.add_parser("fit-geometry", help="clips of people -> a checkpoint that moves pixels")
    fit.add_argument("clips", type=Path, nargs="+", help="one person each; the name before `--` is the person's")
    fit.add_argument("-o", "--output", type=Path, required=True, help="the checkpoint, .safetensors")
    fit.add_argument("--frames-per-clip", type=int, default=120, metavar="N")
    arguments = parser.parse_args(argv)
    try:
        return _fit_geometry(arguments.clips, arguments.output, arguments.frames_per_clip)
    except RetargetError as error:
        print(f"retarget-train: {error}", file=sys.stderr)
        return error.exit_code


def _fit_geometry(clips: Sequence[Path], output: Path, frames_per_clip: int) -> int:
    table, skipped = measure_clips(clips, frames_per_clip=frames_per_clip)
    for line in skipped:
        print(f"skipped {line}", file=sys.stderr)
    rows, mirror = differences(table), mirror_pairs(canonical_face())
    weight = fit_weight(rows, mirror)
    scores = {
        "people": len(set(table.identity.tolist())),
        "frames": len(table),
        "rows": len(rows.identity),
        "response_gain": RESPONSE_GAIN,
        "r2_fit": round(explained(rows, weight), 4),
        "r2_unseen_people": round(cross_validated(rows, mirror), 4),
    }
    geometry = geometry_model(weight, canonical_face(), mesh_triangles())
    generator = Generator(GeneratorConfig(width=0), geometry)
    save_checkpoint(
        output, generator, crop=CropSpec(), au_source=AU_SOURCE, provenance={"command": "fit-geometry", **scores}
    )
    print(f"{output}: " + ", ".join(f"{name} {value}" for name, value in scores.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
