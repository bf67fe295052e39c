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
from .film import FilmMeter, FilmOptions, FilmOutcome, film_pairs
from .findings import Findings
from .grids import write_judged, write_moments, write_pairs, write_strips, write_sweep, write_unpaired, write_worst
from .intervals import FEWEST_PEOPLE, with_film_intervals, with_intervals
from .measurements import Outcome, SweepOutcome, paired_outcomes, sweeps, unpaired_outcomes, zero_outcomes
from .methods import NOTHING_LABEL, methods_of, packaged_geometry
from .openface import OpenFaceEdits, open_openface, openface_notes
from .options import EvaluateOptions
from .picture_judges import PictureJudges, RealPatches, Verdicts, real_kernel_floor
from .report import Grid, write_evaluation
from .scores import (
    Evaluation,
    FilmScores,
    KernelDistances,
    MethodScores,
    OpenFaceScores,
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
        findings, sweep_grids = _findings(bench, cast, outcomes, output)
        judged = _judged(bench, cast, rows)
        findings = {label: replace(found, verdicts=judged.verdicts[label]) for label, found in findings.items()}
        results = _results(bench, cast, findings, judged.real)
        real_class_score, class_accuracy = _real_classes(bench, cast)
        evaluation = Evaluation(
            dataset=dataset.folder.name,
            split=options.split,
            faces=len(cast.sources),
            identities=len({int(dataset.identity[row]) for row in cast.sources}),
            methods=tuple(replace(scores, openface=by_openface.get(scores.label)) for scores in results),
            settings=_settings(options),
            versions=_versions(),
            missing=_missing(bench, cast),
            notes=(*notes, *cast.notes, *_openface_notes(bench, by_openface)),
            real_inception=_real_inception(bench, cast),
            real_class_score=real_class_score,
            class_accuracy=class_accuracy,
            real_kernel=judged.floor(options.seed),
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
            evaluation, grids = _with_films(evaluation, films, options.seed), [*grids, *film_grids]
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


def _findings(
    bench: Bench, cast: Cast, outcomes: dict[str, list[Outcome]], output: Path
) -> tuple[dict[str, Findings], list[Grid]]:
    """By label what was measured of each method on crops, but for the judges; and the grids of the sweeps, which
    are written on the way."""
    paired = paired_outcomes(bench, cast.pairs)
    zero = zero_outcomes(bench, cast.sources)
    swept, grids = _sweep(bench, cast, output)
    return {
        label: Findings(outcomes[label], paired[label], zero[label], swept.get(label, [])) for label in outcomes
    }, grids


@dataclass(frozen=True, eq=False)
class _Judged:
    verdicts: Mapping[str, Verdicts]
    real: Mapping[str, RealPatches]

    def floor(self, seed: int) -> KernelDistances | None:
        return real_kernel_floor(self.real, seed=seed)


def _judged(bench: Bench, cast: Cast, rows: NDArray[np.int64]) -> _Judged:
    """The edits on crops by the judges of pictures; real faces are others than those that are edited."""
    judges = PictureJudges(bench)
    every = max(1, -(-len(cast.trials) // max(1, bench.options.judged)))
    trials = cast.trials[::every] if bench.options.judged else ()
    verdicts = judges.judge(trials, cast.pairs)
    edited = sorted({trial.source for trial in (*trials, *cast.pairs)})
    return _Judged(verdicts, judges.real_patches(rows.tolist(), edited))


def _results(
    bench: Bench, cast: Cast, findings: Mapping[str, Findings], real: Mapping[str, RealPatches]
) -> tuple[MethodScores, ...]:
    """Every method's scores on crops, with intervals."""
    first, seed, identity = cast.trials[0], bench.options.seed, bench.dataset.identity
    plate = bench.gallery.plate(first.source)
    results = []
    for method in bench.progress(bench.methods, "intervals", len(bench.methods)):
        found = findings[method.label]
        scores = found.scores(method, method.cost(plate, first.delta_au), real=real, seed=seed)
        results.append(with_intervals(scores, found, method, identity, seed=seed))
    return tuple(results)


def _grids(bench: Bench, cast: Cast, outcomes: dict[str, list[Outcome]], output: Path) -> list[Grid]:
    return [
        *write_unpaired(bench, cast.trials, output),
        *write_pairs(bench, cast.pairs, output),
        *write_strips(bench, cast.trials, output),
        *write_worst(bench, outcomes, output),
    ]


def _with_films(evaluation: Evaluation, films: Mapping[str, _Films], seed: int) -> Evaluation:
    methods = tuple(
        with_film_intervals(replace(method, film=found.scores), found.outcomes, seed=seed)
        if (found := films.get(method.label))
        else method
        for method in evaluation.methods
    )
    missing = {name: why for name, why in evaluation.missing.items() if name != "films"}
    return replace(evaluation, methods=methods, missing=missing)


def _sweep(bench: Bench, cast: Cast, output: Path) -> tuple[dict[str, list[SweepOutcome]], list[Grid]]:
    found: dict[str, list[SweepOutcome]] = {}
    faces = cast.sources[: bench.options.sweep_faces]
    grids = [write_sweep(sweep, faces.index(sweep.row) + 1, output) for sweep in sweeps(bench, faces, found)]
    return found, grids


@dataclass(frozen=True, eq=False)
class _Films:
    scores: FilmScores
    outcomes: Sequence[FilmOutcome]


def _films(bench: Bench, output: Path) -> tuple[dict[str, _Films], list[Grid]]:
    """By label, and their worst moments. A warp alone that shares a network's file goes by a file of its own."""
    options = bench.options
    pairs = film_pairs(options.clips, options.films)
    films = FilmOptions(seconds=options.film_seconds, min_request=options.min_request, device=options.device)
    meter, found = FilmMeter(pairs, films, bench.tools.witness), {}
    grids: list[Grid] = []
    with tempfile.TemporaryDirectory(prefix="retarget-evaluate-") as folder:
        for i, method in enumerate(bench.editing):
            path = Path(folder) / f"{i}.safetensors"
            method.save(path)
            found[method.label] = _Films(meter.measure(path, progress=bench.progress), meter.outcomes)
            grids += write_moments(method, meter.worst, output)
    return found | {NOTHING_LABEL: _Films(meter.of_nothing(), meter.unedited)}, grids


def _real_inception(bench: Bench, cast: Cast) -> tuple[float, float] | None:
    network = bench.tools.inception
    if network is None:
        return None
    pictures = [bench.gallery.plate(row).picture for row in cast.sources]
    size = bench.options.batch
    parts = [network.probabilities(pictures[i : i + size]) for i in range(0, len(pictures), size)]
    return inception_score(np.concatenate(parts))


def _real_classes(bench: Bench, cast: Cast) -> tuple[dict[int, tuple[float, float]], dict[int, float]]:
    """By crop size, of the unedited faces: their class score, and how often the classifier is right."""
    scores: dict[int, tuple[float, float]] = {}
    right: dict[int, float] = {}
    if bench.expressions.missing:
        return scores, right
    units = np.stack([bench.gallery.plate(row).action_units for row in cast.sources])
    for size_px in sorted({method.crop_px for method in bench.methods}):
        pictures = [bench.gallery.plate(row).resized(size_px).picture for row in cast.sources]
        classes = bench.expressions.probabilities(pictures)
        assert classes is not None
        scores[size_px], right[size_px] = inception_score(classes), bench.expressions.accuracy(pictures, units)
    return scores, right


def _missing(bench: Bench, cast: Cast) -> dict[str, str]:
    missing = dict(bench.tools.missing)
    if why := bench.expressions.missing:
        missing["CS"] = why
    people = len({int(bench.dataset.identity[row]) for row in cast.sources})
    if people < FEWEST_PEOPLE:
        missing["intervals"] = f"not given: of {people} people, and {FEWEST_PEOPLE} are needed"
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
