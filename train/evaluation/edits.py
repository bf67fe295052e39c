"""The unpaired edits of an evaluation as pictures, for other programs to measure.

plates/0000.png    the face as it is, by number of the trial
targets/0000.png   the face whose expression is asked for
NAME/0000.png      what a method makes of the plate, at the method's size; NAME is its label, made file-safe
list.csv           which is which; written last, so that where it is, all the pictures are
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from retarget.model.files import write_whole

from ..data import Dataset
from .bench import Picture
from .drawing import write_picture
from .errors import EvaluationError, as_written
from .grids import safe_name
from .methods import Method
from .trials import Trial

EDITS_FOLDER, LIST_FILE = "edits", "list.csv"
PLATES, TARGETS = "plates", "targets"


@dataclass(frozen=True)
class KeptEdit:
    """One row of the list: one trial by one method."""

    trial: int
    """Its place in the evaluation, from 0."""
    source: str
    """The face's picture in the dataset."""
    target: str
    """The dataset's picture whose expression is asked for."""
    method: str
    """Label."""
    file: str
    """The edit, relative to the list; doing nothing has the plate."""
    checkpoint: str
    """First 16 hexadecimal digits of the SHA-256 of the method's file; empty for doing nothing."""


COLUMNS = tuple(item.name for item in fields(KeptEdit))


def plate_file(trial: int) -> str:
    """The unedited face, relative to the list."""
    return _picture_file(PLATES, trial)


def target_file(trial: int) -> str:
    """The face whose expression is asked for, relative to the list."""
    return _picture_file(TARGETS, trial)


def edit_list(dataset: Dataset, methods: Sequence[Method], trials: Sequence[Trial]) -> tuple[KeptEdit, ...]:
    """What an evaluation edits, in the order of the trials."""
    digests = {path: _digest(path) for path in {method.source for method in methods if method.source}}
    folders = _folders(methods)
    return tuple(
        KeptEdit(
            trial=number,
            source=dataset.files[trial.source],
            target=dataset.files[trial.target],
            method=method.label,
            file=_picture_file(folders[method.label], number),
            checkpoint=digests[method.source] if method.source else "",
        )
        for number, trial in enumerate(trials)
        for method in methods
    )


def check_same(path: Path, kept: Sequence[KeptEdit], edits: Sequence[KeptEdit]) -> None:
    """That a list at `path` is of these trials and, as far as methods are in both, of the same checkpoints.

    Raises:
        EvaluationError: it is not.
    """
    there, here = _pairs(kept), _pairs(edits)
    again = "evaluate with the dataset and the options of the command that kept them"
    if len(there) != len(here):
        raise EvaluationError(
            f"{path}: lists {len(there)} edits a method, this evaluation makes {len(here)}; {again}"
        )
    for trial, pair in here.items():
        if there.get(trial) != pair:
            raise EvaluationError(
                f"{path}: lists other edits than this evaluation makes, first trial {trial} "
                f"({' -> '.join(pair)}); {again}"
            )
    checkpoints = {edit.method: edit.checkpoint for edit in kept}
    for edit in edits:
        if checkpoints.get(edit.method, edit.checkpoint) != edit.checkpoint:
            raise EvaluationError(
                f"{path}: its edits of {edit.method!r} are another checkpoint's; keep the edits and measure them "
                "again"
            )


class EditFolder:
    """Takes the pictures of the edits and writes them at once; holds none."""

    def __init__(self, folder: Path, edits: Sequence[KeptEdit]) -> None:
        """
        Raises:
            EvaluationError: other edits are there already, which something may have measured since.
            ReportWriteError: the folder cannot be made.
        """
        self._folder, self._edits = folder, tuple(edits)
        self._files = {(edit.trial, edit.method): edit.file for edit in edits}
        if (folder / LIST_FILE).exists() and read_list(folder / LIST_FILE) != self._edits:
            raise EvaluationError(
                f"{folder}: holds the edits of another evaluation; remove it, or name another output folder"
            )
        for name in {plate_file(0), target_file(0), *self._files.values()}:
            with as_written(folder):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)

    def add(self, trial: int, method: str, picture: Picture) -> None:
        """An edit (S, S, 3) RGB.

        Raises:
            ReportWriteError: it cannot be written.
        """
        write_picture(self._folder / self._files[trial, method], picture)

    def add_target(self, trial: int, picture: Picture) -> None:
        """The face (S, S, 3) RGB whose expression is asked for.

        Raises:
            ReportWriteError: it cannot be written.
        """
        write_picture(self._folder / target_file(trial), picture)

    def finish(self) -> None:
        """Writes the list, when every picture is there.

        Raises:
            ReportWriteError: it cannot be written.
        """
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(edit) for edit in self._edits)
        with as_written(self._folder):
            write_whole(self._folder / LIST_FILE, text.getvalue().encode())


def read_list(path: Path) -> tuple[KeptEdit, ...]:
    """The rows of a list.csv.

    Raises:
        EvaluationError: it is not such a list.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
        edits = tuple(_edit_of({name: row[name] for name in COLUMNS}) for row in rows)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise EvaluationError(
            f"{path}: is no list of kept edits ({', '.join(COLUMNS)}); remove it and use --keep-edits again"
        ) from error
    if not edits:
        raise EvaluationError(f"{path}: lists no edits; remove it and use --keep-edits again")
    return edits


def _edit_of(row: dict[str, str]) -> KeptEdit:
    if None in row.values():  # what DictReader fills it up with
        raise ValueError("a row is short")
    return KeptEdit(int(row["trial"]), *(row[name] for name in COLUMNS[1:]))


def _pairs(edits: Iterable[KeptEdit]) -> dict[int, tuple[str, str]]:
    """(source, target) by number of the trial."""
    return {edit.trial: (edit.source, edit.target) for edit in edits}


def _folders(methods: Iterable[Method]) -> dict[str, str]:
    """A folder of its own for each label, also where names do not tell upper from lower case."""
    folders: dict[str, str] = {}
    taken = {PLATES, TARGETS}
    for method in methods:
        if method.editor is None:
            folders[method.label] = PLATES
            continue
        name, number = safe_name(method.label), 1
        while name.lower() in taken:
            number += 1
            name = f"{safe_name(method.label)}-{number}"
        taken.add(name.lower())
        folders[method.label] = name
    return folders


def _picture_file(folder: str, trial: int) -> str:
    return f"{folder}/{trial:04d}.png"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
