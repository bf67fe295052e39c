"""From parts to a whole dataset on disk: table, description, contact sheet; what is stale is removed."""

from __future__ import annotations

import contextlib
import csv
import importlib.metadata
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from retarget.model.files import write_whole
from retarget.pipeline.errors import DriverError, NoFaceError
from retarget.pipeline.faces import tracker_details
from retarget.pipeline.files import safe_cell

from ..data import SPLITS, Dataset, open_dataset, save_dataset
from .contact_sheet import contact_sheet
from .labels import OpenFaceLabels
from .options import PrepareOptions
from .parts import PARTS_FOLDER, Part, Task
from .report import NO_FACE, NO_LABEL, PrepareReport, Skipped
from .sources import Source, names_of, said_of
from .split import people_in_clips, with_split
from .table import dataset_of, gathered_landmarks, labelled, stacked

SHEET_FILE, SKIPPED_FILE = "sheet.png", "skipped.csv"


def finish(
    sources: Sequence[Source],
    tasks: Sequence[Task],
    output: Path,
    options: PrepareOptions,
    openface: OpenFaceLabels | None,
    reused: int,
) -> PrepareReport:
    """The parts as one dataset, in the order of the inputs, with labels, splits and flags. Holds the table, and of
    the landmarks one part's."""
    parts = [Part.load(task.part) for task in tasks]
    source, columns, skipped = stacked(sources, tasks, parts)
    if len(source) == 0:
        raise _nothing_found(sources, skipped)
    rows = np.arange(len(source))
    if openface is not None:
        columns["action_units"], is_there = labelled(sources, source, columns["seconds"], openface)
        skipped += [(i, frames, NO_LABEL) for i, frames in Counter(source[~is_there].tolist()).items()]
        rows = np.flatnonzero(is_there)
        if len(rows) == 0:
            raise DriverError(
                f"{options.openface[0]}: its CSV files fit none of {len(sources)} inputs; "
                "they are found by name, clip.csv for clip.mp4"
            )
    rows = rows[np.lexsort((columns["frame"][rows], source[rows]))]
    in_order = {name: column[rows] for name, column in columns.items()}
    with gathered_landmarks(tasks, parts, rows, output) as landmarks:
        dataset = dataset_of([sources[i] for i in source[rows]], in_order, landmarks, output, options)
        dataset = with_split(dataset, said_of(sources), eval_fraction=options.eval_fraction)
        names = names_of(sources)
        lines = [Skipped(names[i], frames, why) for i, frames, why in sorted(skipped)]
        report = _report(dataset, len(sources), reused, lines)
        save_dataset(dataset, _about(sources, dataset, options, report))
    _drop_stale(output, tasks, set(columns["crop_file"].tolist()))
    _write_skipped(output / SKIPPED_FILE, lines)
    _write_sheet(output)
    return report


def _nothing_found(sources: Sequence[Source], skipped: Sequence[tuple[int, int, str]]) -> NoFaceError:
    reasons = Counter(reason for _, _, reason in skipped)
    why = reasons.most_common(1)[0][0] if reasons else NO_FACE
    return NoFaceError(
        f"{sources[0].path}: no face found in any of {len(sources)} inputs ({why}); check what they show"
    )


def _report(dataset: Dataset, inputs: int, reused: int, skipped: Sequence[Skipped]) -> PrepareReport:
    evaluated = set(dataset.identity[dataset.is_eval].tolist())
    moving = people_in_clips(dataset)
    return PrepareReport(
        folder=dataset.folder,
        inputs=inputs,
        inputs_reused=reused,
        crops=len(dataset),
        usable=int(dataset.usable.sum()),
        train_identities=len(np.unique(dataset.identity[~dataset.is_eval])),
        eval_identities=len(evaluated),
        train_in_clips=len(moving - evaluated),
        eval_in_clips=len(moving & evaluated),
        clips=len(dataset.clips),
        flags={name: int(flag.sum()) for name, flag in dataset.flags.items()},
        skipped=tuple(skipped),
    )


def _about(
    sources: Sequence[Source], dataset: Dataset, options: PrepareOptions, report: PrepareReport
) -> dict[str, Any]:
    """What `dataset.json` says beyond what is needed to read the dataset."""
    evaluated = {dataset.identities[i] for i in set(dataset.identity[dataset.is_eval].tolist())}
    return {
        "counts": report.as_json(),
        "options": options.as_json(),
        "versions": {name: importlib.metadata.version(name) for name in ("retarget", "av", "numpy")},
        "tracking": tracker_details("own"),
        "inputs": [
            {
                "file": name,
                "size_bytes": source.size_bytes,
                "modified_ns": source.modified_ns,
                "identity": source.identity,
                "split": SPLITS[int(source.identity in evaluated)],
            }
            for name, source in zip(names_of(sources), sources, strict=True)
        ],
    }


def _drop_stale(output: Path, tasks: Sequence[Task], files: set[str]) -> None:
    """Removes the parts of inputs and options that are no longer asked for, and their crops unless in `files`."""
    current = {task.part for task in tasks}
    for old in sorted((output / PARTS_FOLDER).glob("*.npz")):
        if old in current:
            continue
        with contextlib.suppress(OSError, ValueError, KeyError):  # a damaged one names no crops
            for file in set(Part.load(old).columns["crop_file"].tolist()) - files:
                (output / file).unlink(missing_ok=True)
        old.unlink()


def _write_skipped(path: Path, lines: Sequence[Skipped]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "frames", "reason"])
    writer.writerows([safe_cell(line.file), line.frames, safe_cell(line.reason)] for line in lines)
    write_whole(path, text.getvalue().encode())


def _write_sheet(output: Path) -> None:
    sheet = cv2.cvtColor(contact_sheet(open_dataset(output)), cv2.COLOR_RGB2BGR)
    write_whole(output / SHEET_FILE, cv2.imencode(".png", sheet)[1].tobytes())
