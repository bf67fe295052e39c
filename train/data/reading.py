"""A dataset from disk, with everything that can be wrong with its folder said in a line."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec
from retarget.model.mesh import LANDMARKS
from retarget.model.plain_json import parse_json

from .dataset import Dataset, DatasetError, index_names, shared_identities
from .layout import ABOUT_FILE, ANGLES, CROPS_FOLDER, FORMAT_VERSION, LANDMARKS_FILE, SPLITS, TABLE_FILE


def open_dataset(folder: str | Path) -> Dataset:
    """A prepared dataset. Reads the table; landmarks are mapped, pictures left on disk.

    Raises:
        DatasetError: a file, column or picture is missing or damaged, the version is another, the lengths differ,
            there are no rows, or an identity is in both splits. One line, naming the file.
    """
    folder = Path(folder)
    about = _read_about(folder)
    table = _Table.read(folder / TABLE_FILE)
    landmarks = _read_landmarks(folder / LANDMARKS_FILE, rows=len(table))
    files = tuple(table.texts("file"))
    _check_pictures(folder, files)
    units, known = _read_units(table)
    identities, identity = index_names(table.texts("identity"))
    clips, clip = _index_clips(table)
    is_eval = _read_split(table)
    if shared := shared_identities(table.texts("identity"), is_eval):
        raise DatasetError(
            f"{table.path}: {_listed(shared)} in both splits; give each person one split, "
            "or the evaluation says nothing"
        )
    return Dataset(
        folder=folder,
        crop=about.crop,
        au_source=about.au_source,
        files=files,
        identities=identities,
        identity=identity,
        clips=clips,
        clip=clip,
        frame=table.numbers("frame").astype(np.int64),
        seconds=table.numbers("seconds"),
        is_eval=is_eval,
        action_units=units,
        known=known,
        angles=np.stack([table.numbers(name) for name in ANGLES], axis=1).astype(np.float32),
        residual=table.numbers("residual").astype(np.float32),
        face_px=table.numbers("face_px").astype(np.float32),
        sharpness=table.numbers("sharpness").astype(np.float32),
        flags={name: table.numbers(name) != 0 for name in about.flags},
        landmarks=landmarks,
    )


@dataclass(frozen=True)
class _About:
    """What of dataset.json is needed to read the rest."""

    crop: CropSpec
    au_source: str
    flags: tuple[str, ...]


def _read_about(folder: Path) -> _About:
    path = folder / ABOUT_FILE
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; give the one that `retarget-train prepare` wrote")
    try:
        about = parse_json(path.read_text(encoding="utf-8"))
        version = about["format"]
    except FileNotFoundError as error:
        raise DatasetError(
            f"{folder}: no whole dataset ({ABOUT_FILE} is missing); run `retarget-train prepare` to its end"
        ) from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: not a dataset's description ({_words(error)}); prepare again") from error
    if version != FORMAT_VERSION:
        raise DatasetError(
            f"{path}: format version {version!r}, this program reads {FORMAT_VERSION}; prepare the dataset again"
        )
    try:
        crop = CropSpec(**about["crop"])
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: the crop spec cannot be read ({_words(error)}); prepare again") from error
    try:
        return _About(crop, str(about["au_source"]), tuple(map(str, about["flags"])))
    except (KeyError, TypeError) as error:
        raise DatasetError(f"{path}: {_words(error)} is missing or damaged; prepare again") from error


@dataclass(frozen=True)
class _Table:
    """The table's cells by column."""

    path: Path
    columns: Mapping[str, Sequence[str]]

    @classmethod
    def read(cls, path: Path) -> _Table:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                header, *rows = csv.reader(file)
        except FileNotFoundError as error:
            raise DatasetError(f"{path}: no such file; prepare the dataset again") from error
        except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
            raise DatasetError(f"{path}: cannot be read as a table ({_words(error)}); prepare again") from error
        if not rows:
            raise DatasetError(f"{path}: the dataset is empty; prepare it from pictures that show faces")
        for line, row in enumerate(rows, 2):
            if len(row) != len(header):
                raise DatasetError(
                    f"{path}: line {line} has {len(row)} cells, the header {len(header)}; correct the line"
                )
        return cls(path, dict(zip(header, zip(*rows, strict=True), strict=True)))

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def texts(self, name: str) -> Sequence[str]:
        if name not in self.columns:
            raise DatasetError(f"{self.path}: column {name!r} is missing; prepare the dataset again")
        return self.columns[name]

    def numbers(self, name: str) -> NDArray[np.float64]:
        cells = self.texts(name)
        try:
            values = np.array(cells, np.float64)
            bad = np.flatnonzero(~np.isfinite(values))
        except ValueError:
            bad = np.array([i for i, cell in enumerate(cells) if not _is_number(cell)])
        if len(bad):
            raise DatasetError(
                f"{self.path}: line {bad[0] + 2}, column {name}: {cells[bad[0]]!r} is not a number; correct it"
            )
        return values


def _read_units(table: _Table) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """((n, 46) values, (46,) known) of the table's action-unit columns; an empty column is not known."""
    missing = [name for name in action_units.NAMES if name not in table.columns]
    if missing:
        raise DatasetError(
            f"{table.path}: action-unit column{'s' * (len(missing) > 1)} {', '.join(missing)} missing; "
            "prepare the dataset again, or add them empty where they are not known"
        )
    known = np.array([any(table.columns[name]) for name in action_units.NAMES])
    values = np.zeros((len(table), action_units.COUNT), np.float32)
    for i in np.flatnonzero(known):
        values[:, i] = table.numbers(action_units.NAMES[i])
    return values, known


def _read_split(table: _Table) -> NDArray[np.bool_]:
    cells = table.texts("split")
    for line, cell in enumerate(cells, 2):
        if cell not in SPLITS:
            raise DatasetError(f"{table.path}: line {line}, column split: {cell!r}; use train or eval")
    return np.array([cell == "eval" for cell in cells], np.bool_)


def _index_clips(table: _Table) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Clips by name and person: one name under two people is two recordings."""
    pairs = list(zip(table.texts("clip"), table.texts("identity"), strict=True))
    distinct = sorted(set(pairs))
    place = {pair: i for i, pair in enumerate(distinct)}
    return tuple(clip for clip, _ in distinct), np.array([place[pair] for pair in pairs], np.int64)


def _read_landmarks(path: Path, *, rows: int) -> NDArray[np.float32]:
    try:
        landmarks = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; prepare the dataset again") from error
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{path}: cannot be read ({_words(error)}); prepare the dataset again") from error
    wanted = (rows, LANDMARKS, 3)
    if landmarks.shape != wanted or landmarks.dtype != np.float32:
        raise DatasetError(
            f"{path}: holds {landmarks.dtype} {landmarks.shape}, but {TABLE_FILE} has {rows} rows, which needs "
            f"float32 {wanted}; a row taken out of one must be taken out of both"
        )
    return np.asanyarray(landmarks)


def _check_pictures(folder: Path, files: Sequence[str]) -> None:
    there: set[str] = set()
    for place, _, names in os.walk(folder / CROPS_FOLDER):
        inside = Path(place).relative_to(folder).as_posix()
        there.update(f"{inside}/{name}" for name in names)
    gone = [file for file in files if file not in there and not (folder / file).is_file()]
    if gone:
        raise DatasetError(
            f"{folder / gone[0]}: the crop is missing, {len(gone)} of {len(files)} are; copy the folder whole "
            "or prepare the dataset again"
        )


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return (
        f"{shown} and {len(names) - 3} more are"
        if len(names) > 3
        else f"{shown} {'is' if len(names) == 1 else 'are'}"
    )


def _words(error: BaseException) -> str:
    """An exception in words, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
