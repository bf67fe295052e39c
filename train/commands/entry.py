"""`retarget-train`: from a folder of clips and photos to a checkpoint, and how good it is."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from retarget.model.checkpoint import default_checkpoint_path, load_checkpoint, save_checkpoint
from retarget.model.crop_spec import CropSpec
from retarget.model.editor import Editor
from retarget.model.errors import RetargetError
from retarget.model.generator import Generator, GeneratorConfig
from retarget.model.geometry import GeometryModel
from retarget.pipeline.commands import bars, parser, run_command
from retarget.pipeline.faces import canonical_face, mesh_triangles

from ..data import Dataset, open_dataset, person_marks, trained_people
from ..gan import TrainOptions, geometry_in, geometry_of, load_options, recipes

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


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    flags = parser("retarget-train", DESCRIPTION)
    commands = flags.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_prepare, _add_fit, _add_response, _add_run, _add_evaluate, _add_export):
        add(commands)
    arguments = flags.parse_args(given)
    command: Callable[[argparse.Namespace], int] = arguments.do
    return run_command("retarget-train", lambda: command(arguments))


# prepare -----------------------------------------------------------------------------------------------


def _add_prepare(commands: Any) -> None:
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
        print(
            f"{report.folder}: {report.crops} crops of {report.train_identities} people to train on and "
            f"{report.eval_identities} to evaluate on, {report.usable} without a flag"
        )
        print("  flagged: " + (", ".join(f"{name} {n}" for name, n in report.flags.items() if n) or "none"))
        if report.skipped:
            print(
                f"  skipped: {len(report.skipped)} inputs, wholly or in part; see {report.folder / 'skipped.csv'}"
            )
        print(f"  look at {report.folder / 'sheet.png'}")
    return 0


# fit-geometry ------------------------------------------------------------------------------------------


def _add_fit(commands: Any) -> None:
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
    from ..fit import calibrated, fit_dataset, geometry_model
    from ..prepare import CropMeter

    dataset = open_dataset(arguments.dataset)
    fit = fit_dataset(dataset, canonical_face())
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
                f"slope {done.slope:.2f}, motion {done.growth:.2f} ({done.faces} faces of people held out)"
            )
        provenance["calibration"] = [vars(done) for done in history]
    _save_geometry(arguments.output, geometry, dataset, provenance, earlier_people=set())
    return 0


# fit-response ------------------------------------------------------------------------------------------


def _add_response(commands: Any) -> None:
    flags = commands.add_parser(
        "fit-response",
        help="dataset + checkpoint -> a checkpoint whose motion depends on the face",
        description="Learn what faces do beyond the linear model of `fit-geometry`: how far a request moves this "
        "face, from where it is. CHECKPOINT is one with a geometry; the output is that geometry with its "
        "response, without a network: give it to `run --geometry` or `export --geometry`. With --edits, the "
        "checkpoint's own edits are measured, and what the tracker does not see of a motion is made up for.",
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
    from ..fit import fit_motion
    from ..prepare import CropMeter

    if arguments.steps < 1 or arguments.edits < 0:
        raise RetargetError("fit-response needs --steps from 1 and --edits from 0")
    dataset, checkpoint = open_dataset(arguments.dataset), load_checkpoint(arguments.checkpoint)
    editor = checkpoint.build_editor()
    geometry_in(arguments.checkpoint, editor)
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
        print(f"{name:<16}{value:.3f}")
    provenance = {**_of_geometry(checkpoint.provenance), "response": measured}
    earlier = trained_people(checkpoint.provenance)
    _save_geometry(arguments.output, geometry, dataset, provenance, earlier_people=earlier)
    return 0


def _of_geometry(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """How a checkpoint's geometry was made: the file of a geometry alone says so at its top."""
    known = provenance if provenance.get("command") == "fit-geometry" else provenance.get("geometry", {})
    return {key: value for key, value in known.items() if key != "data"}


def _people(*known: set[str] | None) -> dict[str, list[str]]:
    """For provenance: everybody's marks; no word of people where one part does not say whom it knows."""
    marks = [part for part in known if part is not None]
    return {"people": sorted(set().union(*marks))} if len(marks) == len(known) else {}


def _save_geometry(
    path: Path,
    geometry: GeometryModel,
    dataset: Dataset,
    provenance: dict[str, Any],
    *,
    earlier_people: set[str] | None,
) -> None:
    """A checkpoint of the geometry alone, marked with the people of the dataset's training split, and those whom
    the geometry knows from before (None: nobody can say)."""
    people = person_marks(dataset.identities[i] for i in set(dataset.identity[~dataset.is_eval].tolist()))
    provenance["data"] = {"name": dataset.folder.name} | _people(set(people), earlier_people)
    save_checkpoint(
        path,
        Generator(GeneratorConfig(width=0, crop_px=dataset.crop.size_px), geometry),
        crop=dataset.crop,
        au_source=dataset.au_source,
        provenance=provenance,
    )
    print(f"{path}: written")


# run ---------------------------------------------------------------------------------------------------


def _add_run(commands: Any) -> None:
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
        "--geometry", type=Path, metavar="FILE", help="checkpoint whose geometry model is used (default: built in)"
    )
    flags.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default auto)")
    flags.add_argument("-q", "--quiet", action="store_true")
    flags.set_defaults(do=_run)


def _run(arguments: argparse.Namespace) -> int:
    options = load_options(arguments.config, arguments.set)
    if arguments.print:
        print(yaml.safe_dump(options.model_dump(), sort_keys=False), end="")
        return 0
    if arguments.data is None:
        raise RetargetError("run needs --data DATASET; make one with `retarget-train prepare`")
    return _train(options, arguments)


def _train(options: TrainOptions, arguments: argparse.Namespace) -> int:
    from ..gan import train

    result = train(
        options,
        open_dataset(arguments.data),
        arguments.output or Path("runs") / Path(arguments.config).stem,
        geometry=geometry_of(arguments.geometry or default_checkpoint_path()),
        device=arguments.device,
        resume=arguments.resume,
        max_minutes=arguments.max_minutes,
        quiet=arguments.quiet,
    )
    if not arguments.quiet:
        print(f"{result.checkpoint}: {result.end} after {result.step} steps; {result.seconds / 60:.1f} minutes")
    return 143 if result.end == "terminated" else 0


def _with_geometry(editor: Editor, path: Path, geometry: GeometryModel) -> None:
    """Puts another geometry in the place of the editor's."""
    geometry_in(path, editor)
    assert isinstance(editor.generator, Generator)
    editor.generator.geometry = geometry


# evaluate ----------------------------------------------------------------------------------------------


def _add_evaluate(commands: Any) -> None:
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
    flags.add_argument("--faces", type=int, default=60, metavar="N", help="edited faces (default %(default)s)")
    flags.add_argument(
        "--targets", type=int, default=3, metavar="N", help="expressions each (default %(default)s)"
    )
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
    """label and file of `LABEL=FILE`, `FILE`, or `default`; a run's checkpoint is called after its folder."""
    label, equals, name = text.partition("=")
    path = Path(name if equals else text)
    if str(path) == "default":
        return (label if equals else "default"), default_checkpoint_path()
    return (label if equals else path.parent.name if path.stem == "checkpoint" else path.stem), path


# export ------------------------------------------------------------------------------------------------


def _add_export(commands: Any) -> None:
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
    from ..gan import save_editor

    checkpoint = load_checkpoint(arguments.checkpoint)
    if arguments.output.exists() and not arguments.overwrite:
        raise RetargetError(f"{arguments.output}: exists already; name another file or use --overwrite")
    editor: Editor = checkpoint.build_editor()
    provenance = dict(checkpoint.provenance)
    if arguments.geometry:
        other = load_checkpoint(arguments.geometry)
        geometry = geometry_in(arguments.geometry, other.build_editor())
        _with_geometry(editor, arguments.checkpoint, geometry)
        provenance["geometry"] = _of_geometry(other.provenance)
        data = {key: value for key, value in provenance.get("data", {}).items() if key != "people"}
        people = (trained_people(part.provenance) for part in (checkpoint, other))
        provenance["data"] = data | _people(*people)
    save_editor(
        arguments.output,
        editor,
        crop=checkpoint.crop,
        au_source=checkpoint.au_source,
        provenance=provenance,
        precision="fp16",
    )
    print(f"{arguments.output}: {arguments.output.stat().st_size / 2**20:.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
