"""A dataset onto disk; see `layout` for what lies where."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from retarget.model import action_units
from retarget.model.files import whole_file, write_whole

from .dataset import Dataset
from .layout import ABOUT_FILE, FORMAT_VERSION, LANDMARKS_FILE, LEADING_COLUMNS, SPLITS, TABLE_FILE


def save_dataset(dataset: Dataset, about: Mapping[str, Any]) -> None:
    """Writes the dataset's table, landmarks and description into its folder; pictures are there already.

    Each file appears when it is whole, `dataset.json` last. `about`: what else it should say (options, counts).

    Raises:
        OSError: as the file system says.
    """
    folder = dataset.folder
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(_table_rows(dataset))
    with whole_file(folder / LANDMARKS_FILE) as part:
        with part.open("wb") as file:
            np.save(file, dataset.landmarks, allow_pickle=False)
        (folder / ABOUT_FILE).unlink(missing_ok=True)  # the old one would vouch for files that change now
    write_whole(folder / TABLE_FILE, buffer.getvalue().encode())
    description = {
        "format": FORMAT_VERSION,
        "crop": dataclasses.asdict(dataset.crop),
        "au_source": dataset.au_source,
        "rows": len(dataset),
        "flags": list(dataset.flags),
        **about,
    }
    write_whole(folder / ABOUT_FILE, (json.dumps(description, indent=1, ensure_ascii=False) + "\n").encode())


def _table_rows(dataset: Dataset) -> Iterable[Sequence[str]]:
    yield [*LEADING_COLUMNS, *dataset.flags, *action_units.NAMES]
    flags = list(dataset.flags.values())
    for i, file in enumerate(dataset.files):
        numbers = (*dataset.angles[i], dataset.residual[i], dataset.face_px[i], dataset.sharpness[i])
        values = zip(dataset.action_units[i], dataset.known, strict=True)
        yield [
            file,
            dataset.identities[dataset.identity[i]],
            dataset.clips[dataset.clip[i]],
            str(dataset.frame[i]),
            f"{dataset.seconds[i]:.4f}",
            SPLITS[int(dataset.is_eval[i])],
            *(f"{number:.4f}" for number in numbers),
            *(str(int(flag[i])) for flag in flags),
            *(f"{value:.4f}" if known else "" for value, known in values),
        ]
