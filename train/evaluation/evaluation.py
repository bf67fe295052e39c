"""The evaluation on a page: the same faces, the same requests, every method; measured before and after.

    unpaired   faces towards other people's expressions: ED, response, leakage, identity, sharpness, IS
    paired     frames of a clip towards another frame of it: distance to the true picture in mouth and eyes, and
               how far identity moves beside what the true picture moves it
    zero       the edit that asks for nothing (paper, Table 3)
    sweeps     one action unit at a time, -1 .. 1.25: grids to look at, and slopes
    judges     the unpaired and paired edits by what has no part in making them: colours, detail, edges, a second
               witness, distance to real mouths and eyes
    cost       milliseconds and FLOPs a frame
    films      whole clips through the main job, each clip once source and once driver (with `clips`)
    openface   the paper's ED, from what OpenFace wrote of the kept unpaired edits (with `openface`)

Action units are measured on crops by the pipeline's own tracker, before and after alike. A network for smaller
crops gets pictures reduced by area averaging; what it changes is measured against those.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retarget.model.checkpoint import load_checkpoint
from retarget.model.device import device_named
from retarget.pipeline.stream import Progress, no_progress

from ..data import Dataset
from ..metrics import inception_score
from .bench import Bench, Tools, open_tools
from .cast import Cast, choose
from .checks import check_clips, check_labels, check_people, make_folder, packaged_may_judge, usable_rows
from .edits import EDITS_FOLDER, EditFolder, edit_list
from .errors import EvaluationError
from .film import FilmMeter, FilmOptions, film_pairs
from .grids import write_judged, write_moments, write_pairs, write_strips, write_sweep, write_unpaired, write_worst
from .measurements import (
    Outcome,
    SweepTally,
    inception_of,
    paired_scores,
    sweeps,
    unpaired_outcomes,
    unpaired_scores,
    zero_scores,
)
from .methods import NOTHING_LABEL, methods_of, packaged_geometry
from .openface import OpenFaceEdits, open_openface, openface_notes
from .options import EvaluateOptions
from .picture_judges import PictureJudges, Verdicts, crop_judge_scores, real_kernel_floor
from .report import Grid, write_evaluation
from .scores import (
    CropJudgeScores,
    Evaluation,
    FilmScores,
    KernelDistances,
    MethodScores,
    OpenFaceScores,
    SweepScores,
)


def evaluate(
    checkpoints: Mapping[str, Path],
    dataset: Dataset,
    output: Path,
    options: EvaluateOptions | None = None,
    *,
    progress: Progress[Any] = no_progress,
    tools: Tools | None = None,
) -> Evaluation:
    """Measures checkpoints side by side, with doing nothing and the geometry's warp alone beside them.

    Writes evaluation.json, README.md and grids of pictures into the folder `output`, each whole or not at all; the
    tables come first, and again with the films. With `keep_edits`, also the folder edits.

    Args:
        checkpoints: label -> file; the labels head the tables' columns.
        tools: None opens the real ones.

    Raises:
        EvaluationError: kornia is not installed, there is nothing to evaluate on, people of the evaluation occur
            in a checkpoint's training, a label is taken, a clip is missing, the output is in the way, or files of
            OpenFace's are not of the edits that are made here.
        DriverError: a file of OpenFace's cannot be used.
        ReportWriteError: a file of the report cannot be written.
        CheckpointError: a checkpoint cannot be used, or not on this dataset's crops.
    """
    options, started = options or EvaluateOptions(), time.perf_counter()
    if importlib.util.find_spec("kornia") is None:
        raise EvaluationError("evaluate needs kornia; install retarget[train]")
    check_labels(checkpoints)
    loaded = {label: (Path(path), load_checkpoint(path)) for label, path in checkpoints.items()}
    rows = usable_rows(dataset, options)
    check_clips(options.clips)
    openface = open_openface(options.openface, output / EDITS_FOLDER) if options.openface else None
    notes = check_people(loaded, dataset, options)
    packaged = packaged_geometry(checkpoint for _, checkpoint in loaded.values())
    if packaged and (why := packaged_may_judge(packaged, dataset, options)):
        packaged, notes = None, [*notes, why]
    methods = methods_of(
        loaded,
        dataset_crop=dataset.crop,
        device=device_named(options.device, error=EvaluationError),
        packaged=packaged,
    )
    make_folder(output, overwrite=options.overwrite)
    with contextlib.ExitStack() as stack:
        bench = Bench(dataset, methods, tools or stack.enter_context(open_tools()), options, progress)
        cast = choose(bench, rows)
        outcomes = _unpaired(bench, cast, output, openface)
        by_openface = openface.scores() if openface else {}
        results, sweep_grids = _results(bench, cast, outcomes, output)
        judged = _judged(bench, cast, rows)
        evaluation = Evaluation(
            dataset=dataset.folder.name,
            split=options.split,
            faces=len(cast.sources),
            identities=len({int(dataset.identity[row]) for row in cast.sources}),
            methods=tuple(
                replace(scores, openface=by_openface.get(scores.label), judges=judged.scores[scores.label])
                for scores in results
            ),
            settings=_settings(options),
            versions=_versions(),
            missing=_missing(bench, cast),
            notes=(*notes, *cast.notes, *_openface_notes(bench, by_openface)),
            real_inception=_real_inception(bench, cast),
            real_kernel=judged.floor,
            edits=_edit_list(dataset, outcomes),
        )

        def write(grids: Sequence[Grid]) -> Evaluation:
            timed = replace(evaluation, seconds=time.perf_counter() - started)
            write_evaluation(output, timed, grids)
            return timed

        # What is measured is on disk before the pictures and the films, which can take long and fail.
        write(sweep_grids)
        judges_grids = write_judged(bench, judged.verdicts, output)
        grids = [*_grids(bench, cast, outcomes, output), *judges_grids, *sweep_grids]
        if options.clips:
            write(grids)
            films, film_grids = _films(bench, output)
            evaluation, grids = _with_films(evaluation, films), [*grids, *film_grids]
        return write(grids)


def _unpaired(bench: Bench, cast: Cast, output: Path, openface: OpenFaceEdits | None) -> dict[str, list[Outcome]]:
    """What became of each trial; the edits are kept and checked as the options say."""
    options = bench.options
    if not options.keep_edits and openface is None:
        return unpaired_outcomes(bench, cast.trials)
    edits = edit_list(bench.dataset, bench.methods, cast.trials)
    if openface is not None:
        openface.check(edits)
    if not options.keep_edits:
        return unpaired_outcomes(bench, cast.trials)
    folder = EditFolder(output / EDITS_FOLDER, edits)
    for number, trial in enumerate(cast.trials):
        folder.add_target(number, bench.gallery.plate(trial.target).picture)
    outcomes = unpaired_outcomes(bench, cast.trials, keep=folder.add)
    folder.finish()
    return outcomes


def _results(
    bench: Bench, cast: Cast, outcomes: dict[str, list[Outcome]], output: Path
) -> tuple[tuple[MethodScores, ...], list[Grid]]:
    """Every method's scores on crops, and the grids of the sweeps, which are written on the way."""
    first = cast.trials[0]
    plate = bench.gallery.plate(first.source)
    costs = {method.label: method.cost(plate, first.delta_au) for method in bench.methods}
    paired = paired_scores(bench, cast.pairs)
    zero = zero_scores(bench, cast.sources)
    swept, grids = _sweep(bench, cast, output)
    results = tuple(
        MethodScores(
            label=method.label,
            kind=method.kind,
            is_reference=method.is_reference,
            checkpoint=method.source.name if method.source else "",
            crop_px=method.crop_px,
            condition=method.editor.condition if method.editor else "",
            action_units=len(method.editor.action_units) if method.editor else 0,
            unpaired=unpaired_scores(outcomes[method.label]),
            paired=paired.get(method.label),
            zero=zero[method.label],
            sweep=swept.get(method.label),
            cost=costs[method.label],
            inception=inception_of(outcomes[method.label], seed=bench.options.seed),
        )
        for method in bench.methods
    )
    return results, grids


@dataclass(frozen=True, eq=False)
class _Judged:
    verdicts: Mapping[str, Verdicts]
    scores: Mapping[str, CropJudgeScores]
    floor: KernelDistances | None


def _judged(bench: Bench, cast: Cast, rows: NDArray[np.int64]) -> _Judged:
    """The edits on crops by the judges of pictures; real faces are others than those that are edited."""
    judges, seed = PictureJudges(bench), bench.options.seed
    verdicts = judges.judge(cast.trials, cast.pairs)
    edited = sorted({trial.source for trial in (*cast.trials, *cast.pairs)})
    real = judges.real_patches(rows.tolist(), edited)
    scores = {label: crop_judge_scores(found, real, seed=seed) for label, found in verdicts.items()}
    return _Judged(verdicts, scores, real_kernel_floor(real, seed=seed))


def _grids(bench: Bench, cast: Cast, outcomes: dict[str, list[Outcome]], output: Path) -> list[Grid]:
    return [
        *write_unpaired(bench, cast.trials, output),
        *write_pairs(bench, cast.pairs, output),
        *write_strips(bench, cast.trials, output),
        *write_worst(bench, outcomes, output),
    ]


def _with_films(evaluation: Evaluation, films: Mapping[str, FilmScores]) -> Evaluation:
    methods = tuple(replace(method, film=films.get(method.label)) for method in evaluation.methods)
    missing = {name: why for name, why in evaluation.missing.items() if name != "films"}
    return replace(evaluation, methods=methods, missing=missing)


def _sweep(bench: Bench, cast: Cast, output: Path) -> tuple[dict[str, SweepScores], list[Grid]]:
    tallies: dict[str, SweepTally] = {}
    faces = cast.sources[: bench.options.sweep_faces]
    grids = [write_sweep(sweep, faces.index(sweep.row) + 1, output) for sweep in sweeps(bench, faces, tallies)]
    return {label: tally.scores() for label, tally in tallies.items()}, grids


def _films(bench: Bench, output: Path) -> tuple[dict[str, FilmScores], list[Grid]]:
    """By label, and their worst moments. A warp alone that shares a network's file goes by a file of its own."""
    options = bench.options
    pairs = film_pairs(options.clips, options.films)
    films = FilmOptions(seconds=options.film_seconds, min_request=options.min_request, device=options.device)
    meter, scores = FilmMeter(pairs, films, bench.tools.witness), {}
    grids: list[Grid] = []
    with tempfile.TemporaryDirectory(prefix="retarget-evaluate-") as folder:
        for i, method in enumerate(bench.editing):
            path = Path(folder) / f"{i}.safetensors"
            method.save(path)
            scores[method.label] = meter.measure(path, progress=bench.progress)
            grids += write_moments(method, meter.worst, output)
    return scores | {NOTHING_LABEL: meter.of_nothing()}, grids


def _real_inception(bench: Bench, cast: Cast) -> tuple[float, float] | None:
    network = bench.tools.inception
    if network is None:
        return None
    pictures = [bench.gallery.plate(row).picture for row in cast.sources]
    size = bench.options.batch
    parts = [network.probabilities(pictures[i : i + size]) for i in range(0, len(pictures), size)]
    return inception_score(np.concatenate(parts))


def _missing(bench: Bench, cast: Cast) -> dict[str, str]:
    missing = dict(bench.tools.missing)
    if not cast.pairs:
        why = (
            "none asked for" if not bench.options.pairs else "no two frames of a clip are alike in pose and differ"
        )
        missing["pairs"] = f"not measured: {why}"
    elif bench.tools.perceptual is None and "perceptual" in missing:
        missing["pairs"] = missing.pop("perceptual")
    has_clips = bool(bench.options.clips)
    missing["films"] = f"not measured: {'it ended before the films did' if has_clips else 'give clips'}"
    if bench.options.openface is None:
        missing["ED (OpenFace)"] = "not measured: keep the edits, run OpenFace on them and give its folder"
    return missing


def _openface_notes(bench: Bench, scores: Mapping[str, OpenFaceScores]) -> list[str]:
    labels = [method.label for method in bench.methods]
    return openface_notes(scores, labels) if bench.options.openface else []


def _settings(options: EvaluateOptions) -> dict[str, Any]:
    kept = {item.name: getattr(options, item.name) for item in fields(options) if item.name != "overwrite"}
    openface = options.openface.resolve().name if options.openface else "none"
    films = len(film_pairs(options.clips, options.films))
    return kept | {"clips": len(options.clips), "films": films, "openface": openface}


def _versions() -> dict[str, str]:
    names = ("retarget", "torch", "ai-edge-litert", "kornia")
    found = {name: importlib.metadata.version(name) for name in names}
    return {"python": platform.python_version(), **found, "cores": str(os.cpu_count())}


def _edit_list(dataset: Dataset, outcomes: Mapping[str, Sequence[Outcome]]) -> tuple[dict[str, Any], ...]:
    rows = []
    for same in zip(*outcomes.values(), strict=True):
        trial = same[0].trial
        rows.append(
            {
                "source": dataset.files[trial.source],
                "target": dataset.files[trial.target],
                "request": float(np.linalg.norm(trial.delta_au)),
                "ed": {label: outcome.ed for label, outcome in zip(outcomes, same, strict=True)},
            }
        )
    return tuple(rows)
