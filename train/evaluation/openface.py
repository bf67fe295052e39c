"""The paper's ED: what OpenFace itself sees in the edits, against what it sees in the targets' pictures.

OpenFace is another program, run by hand between two evaluations: the first keeps the edits, FaceLandmarkImg leaves
a CSV a picture, the second reads them. The target is the expression of the target's picture, not the request that
our tracker's measurements make of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..metrics import expression_distance
from ..prepare import read_picture
from .edits import LIST_FILE, KeptEdit, check_same, plate_file, read_list, target_file
from .errors import EvaluationError
from .scores import OpenFaceScores

Fault = Literal["no CSV", "no face", "several faces"]
"""Why a picture has no measurement."""

Seen = NDArray[np.float32] | Fault
"""(17,) in [0, 1], or why not."""


@dataclass(frozen=True, eq=False)
class OpenFaceEdits:
    """Kept edits with what OpenFace says of each picture."""

    path: Path
    """The list."""
    kept: tuple[KeptEdit, ...]
    seen: Mapping[str, Seen]
    """By picture, as the list names it."""

    def check(self, edits: Sequence[KeptEdit]) -> None:
        """That these are the edits it is about.

        Raises:
            EvaluationError: they are not.
        """
        check_same(self.path, self.kept, edits)

    def scores(self) -> dict[str, OpenFaceScores]:
        """By method's label."""
        labels = dict.fromkeys(edit.method for edit in self.kept)
        return {label: self._scores([edit for edit in self.kept if edit.method == label]) for label in labels}

    def _scores(self, edits: Sequence[KeptEdit]) -> OpenFaceScores:
        distances: list[tuple[float, float]] = []
        faults: Counter[Fault] = Counter()
        for edit in edits:
            found = self._distances(edit)
            if isinstance(found, tuple):
                distances.append(found)
            else:
                faults[found] += 1
        ed, still = np.mean(distances, axis=0) if distances else (float("nan"), float("nan"))
        return OpenFaceScores(
            edits=len(distances),
            without_csv=faults["no CSV"],
            without_face=faults["no face"],
            several_faces=faults["several faces"],
            ed=float(ed),
            ed_ratio=float(ed / still) if still > 0 else float("nan"),
        )

    def _distances(self, edit: KeptEdit) -> tuple[float, float] | Fault:
        """To the target's expression, of the edit and of the plate; or why one of the three is not known."""
        pictures = [self.seen[name] for name in (target_file(edit.trial), plate_file(edit.trial), edit.file)]
        for seen in pictures:
            if isinstance(seen, str):
                return seen
        target, plate, edited = (np.asarray(seen, np.float32) for seen in pictures)
        return float(expression_distance(edited, target)), float(expression_distance(plate, target))


def open_openface(folder: Path, edits_folder: Path) -> OpenFaceEdits:
    """What OpenFace wrote into `folder`, by the list of edits there or else in `edits_folder`.

    Raises:
        EvaluationError: there is no folder, no list, or no CSV of a picture of the list.
        DriverError: a CSV is not OpenFace's, or lacks action units.
    """
    if not folder.is_dir():
        raise EvaluationError(f"{folder}: no such folder; give the one OpenFace wrote its CSV files to")
    path = next((p / LIST_FILE for p in (folder, edits_folder) if (p / LIST_FILE).is_file()), None)
    if path is None:
        raise EvaluationError(
            f"{folder}: no {LIST_FILE} there or in {edits_folder} says which edits these are; copy the one that "
            "--keep-edits wrote"
        )
    kept = read_list(path)
    trials = sorted({edit.trial for edit in kept})
    names = [*map(plate_file, trials), *map(target_file, trials), *(edit.file for edit in kept)]
    seen = {name: _seen((folder / name).with_suffix(".csv")) for name in dict.fromkeys(names)}
    if all(isinstance(found, str) and found == "no CSV" for found in seen.values()):
        raise EvaluationError(
            f"{folder}: no CSV of any edit is there, such as {Path(names[0]).with_suffix('.csv')}; run OpenFace's "
            "FaceLandmarkImg with -aus on each folder of the edits"
        )
    return OpenFaceEdits(path, kept, seen)


def openface_notes(scores: Mapping[str, OpenFaceScores], labels: Sequence[str]) -> list[str]:
    """What is left out, a line a method that lacks something."""
    notes = []
    for label in labels:
        if label not in scores:
            notes.append(f"ED (OpenFace), {label}: its edits were not kept")
            continue
        found = scores[label]
        left_out = {
            "without a CSV": found.without_csv,
            "without a face": found.without_face,
            "with several faces": found.several_faces,
        }
        if lost := sum(left_out.values()):
            reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
            notes.append(
                f"ED (OpenFace), {label}: {lost} of {found.edits + lost} edits left out (edit, plate or target): "
                f"{reasons}"
            )
    return notes


def _seen(path: Path) -> Seen:
    if not path.is_file():
        return "no CSV"
    faces, units = read_picture(path)
    if faces == 1:
        return units
    return "several faces" if faces else "no face"
