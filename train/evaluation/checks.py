"""What is refused before any work is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retarget.model.checkpoint import Checkpoint

from ..data import Dataset, known_among, trained_people
from ..prepare import identity_of
from .errors import EvaluationError, as_written
from .methods import NOTHING_LABEL, WARP_LABEL
from .options import EvaluateOptions
from .report import JSON_FILE, TABLES_FILE


def usable_rows(dataset: Dataset, options: EvaluateOptions) -> NDArray[np.int64]:
    """The usable rows of the split.

    Raises:
        EvaluationError: there are none.
    """
    wanted = dataset.is_eval if options.split == "eval" else ~dataset.is_eval
    if not wanted.any():
        hint = (
            "prepare it with a split column or an eval fraction, or ask for the train split by name"
            if options.split == "eval"
            else "evaluate on eval"
        )
        raise EvaluationError(f"{dataset.folder}: the dataset has no {options.split} split; {hint}")
    rows = np.flatnonzero(wanted & dataset.usable)
    if not len(rows):
        raise EvaluationError(
            f"{dataset.folder}: every row of the {options.split} split is flagged; look at sheet.png and prepare "
            "it with other limits"
        )
    return np.asarray(rows, np.int64)


def check_labels(labels: Iterable[str]) -> None:
    """
    Raises:
        EvaluationError: a label is empty, or begins as those of what is compared with.
    """
    for label in labels:
        if not label or label.startswith((NOTHING_LABEL, WARP_LABEL)):
            raise EvaluationError(f"a checkpoint cannot be called {label!r}; give it another label")


def check_clips(clips: Sequence[Path]) -> None:
    """
    Raises:
        EvaluationError: one is missing, or there is nobody to drive the only one.
    """
    for clip in clips:
        if not clip.is_file():
            raise EvaluationError(f"{clip}: no such clip; check the path")
    if len(clips) == 1:
        raise EvaluationError(f"{clips[0]}: films need two clips or more, each driven by another; add one")


def check_people(
    loaded: Mapping[str, tuple[Path, Checkpoint]], dataset: Dataset, options: EvaluateOptions
) -> list[str]:
    """Notes on where the checkpoints' people are from, and those of the films.

    Raises:
        EvaluationError: someone of the evaluation, or of its films, was trained on.
    """
    if options.split == "train":
        return ["measured on the TRAIN split: this says how well people seen in training are remembered"]
    notes = []
    names = [dataset.identities[i] for i in np.unique(dataset.identity[dataset.is_eval])]
    films = {clip: film_people(clip, dataset) for clip in options.clips[: options.films]}
    for path, checkpoint in loaded.values():
        trained = trained_people(checkpoint.provenance)
        if trained is None:
            notes.append(f"{path.name} does not say which people it was made from; they may be among those here")
            continue
        if shared := known_among(names, trained):
            more = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
            raise EvaluationError(
                f"{path}: was trained on {shared[0]}{more} of this evaluation; split the dataset otherwise, or "
                "ask for the train split by name"
            )
        for clip, people in films.items():
            if shared := known_among(people, trained):
                raise EvaluationError(
                    f"{clip}: shows {shared[0]}, whom {path} was trained on; leave the clip out, or ask for the "
                    "train split by name"
                )
    prepared = _file_names(dataset)
    if strange := [clip.name for clip in films if not prepared.keys() & {clip.name, clip.stem}]:
        notes.append(
            f"who is in {len(strange)} of {len(films)} films is known by the names of their files alone "
            f"({strange[0]}): the dataset was not made from them"
        )
    return notes


def film_people(clip: Path, dataset: Dataset) -> set[str]:
    """Who may be in a clip: by its own name, and by what the dataset says of a clip of that name."""
    prepared = _file_names(dataset)
    return {identity_of(clip), *prepared.get(clip.name, ()), *prepared.get(clip.stem, ())}


def packaged_may_judge(checkpoint: Checkpoint, dataset: Dataset, options: EvaluateOptions) -> str | None:
    """Why the packaged geometry cannot stand beside the checkpoints, if it knows people of the evaluation."""
    names = [dataset.identities[i] for i in np.unique(dataset.identity[dataset.is_eval])]
    people = {*names, *(name for clip in options.clips[: options.films] for name in film_people(clip, dataset))}
    shared = known_among(people, trained_people(checkpoint.provenance) or ())
    if options.split == "train" or not shared:
        return None
    return f"no geometry warp stands beside: the packaged one was fitted to {shared[0]}, among others of these"


def _file_names(dataset: Dataset) -> dict[str, set[str]]:
    """The dataset's people by the file names of their clips."""
    people: dict[str, set[str]] = {}
    for clip, identity in set(zip(dataset.clip.tolist(), dataset.identity.tolist(), strict=True)):
        people.setdefault(Path(dataset.clips[clip]).name, set()).add(dataset.identities[identity])
    return people


def make_folder(folder: Path, *, overwrite: bool) -> None:
    """
    Raises:
        EvaluationError: it is a file, or holds something that may not be replaced.
        ReportWriteError: it cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise EvaluationError(f"{folder}: is a file; name a folder for the report")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        known = (folder / JSON_FILE).exists() or (folder / TABLES_FILE).exists()
        what = "holds an evaluation already" if known else "is not empty"
        raise EvaluationError(f"{folder}: {what}; name another folder or use --overwrite")
    with as_written(folder):
        folder.mkdir(parents=True, exist_ok=True)
