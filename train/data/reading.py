"""A dataset from disk, with everything that can be wrong with its folder said in a line."""

from __future__ import annotations

import csv
import itertools
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

from .dataset import Dataset, DatasetError, index_names, shared_identities
from .layout import (
    ABOUT_FILE,
    ANGLES,
    CROPS_FOLDER,
    FORMAT_VERSION,
    LANDMARKS_FILE,
    NUMBERS,
    SPLITS,
    TABLE_FILE,
    TEXTS,
)

_BLOCK_ROWS = 4096


def open_dataset(folder: str | Path) -> Dataset:
    """A prepared dataset. Reads the table; landmarks are mapped, pictures left on disk.

    Raises:
        DatasetError: a file, column or picture is missing or damaged, the version is another, the lengths differ,
            there are no rows, or an identity is in both splits. One line, naming the file.
    """
    folder = Path(folder)
    about = _read_about(folder)
    table = _Table.read(folder / TABLE_FILE, (*NUMBERS, *about.flags, *action_units.NAMES))
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
        about = json.loads(path.read_text(encoding="utf-8"))
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


@dataclass(frozen=True, eq=False)
class _Table:
    """The table's cells by column, numbers as numbers: only a block of them is ever held as it was written."""

    path: Path
    texts_by_name: Mapping[str, list[str]]
    numbers_by_name: Mapping[str, NDArray[np.float64]]
    """An empty cell is NaN; nothing else is."""

    @classmethod
    def read(cls, path: Path, numbers: Sequence[str]) -> _Table:
        """The columns of those names, where they are there, and the texts.

        Raises:
            DatasetError: it cannot be read, is empty or ragged, or a number is none.
        """
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                lines = csv.reader(file)
                header = next(lines)
                texts = {name: header.index(name) for name in TEXTS if name in header}
                places = {name: header.index(name) for name in numbers if name in header}
                found: dict[str, list[str]] = {name: [] for name in texts}
                blocks: list[NDArray[np.float64]] = []
                same: dict[str, str] = {}
                line = 2
                while rows := list(itertools.islice(lines, _BLOCK_ROWS)):
                    _check_lengths(path, rows, len(header), line)
                    columns = list(zip(*rows, strict=True))
                    for name, place in texts.items():
                        found[name] += [same.setdefault(cell, cell) for cell in columns[place]]
                    blocks.append(_numbers(path, columns, places, line))
                    line += len(rows)
        except FileNotFoundError as error:
            raise DatasetError(f"{path}: no such file; prepare the dataset again") from error
        except StopIteration:
            header, blocks = [], []
        except DatasetError:
            raise
        except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
            raise DatasetError(f"{path}: cannot be read as a table ({_words(error)}); prepare again") from error
        if not blocks:
            raise DatasetError(f"{path}: the dataset is empty; prepare it from pictures that show faces")
        return cls(path, found, dict(zip(places, np.concatenate(blocks, axis=1), strict=True)))

    def __len__(self) -> int:
        return len(next(iter(self.numbers_by_name.values()), self.texts("file")))

    def texts(self, name: str) -> Sequence[str]:
        if name not in self.texts_by_name:
            raise self._missing(name)
        return self.texts_by_name[name]

    def numbers(self, name: str) -> NDArray[np.float64]:
        if name not in self.numbers_by_name:
            raise self._missing(name)
        values = self.numbers_by_name[name]
        if len(empty := np.flatnonzero(np.isnan(values))):
            raise _no_number(self.path, int(empty[0]) + 2, name, "")
        return values

    def _missing(self, name: str) -> DatasetError:
        return DatasetError(f"{self.path}: column {name!r} is missing; prepare the dataset again")


def _check_lengths(path: Path, rows: Sequence[Sequence[str]], cells: int, first_line: int) -> None:
    for line, row in enumerate(rows, first_line):
        if len(row) != cells:
            raise DatasetError(f"{path}: line {line} has {len(row)} cells, the header {cells}; correct the line")


def _numbers(
    path: Path, columns: Sequence[Sequence[str]], places: Mapping[str, int], first_line: int
) -> NDArray[np.float64]:
    """(places, rows)"""
    out = np.empty((len(places), len(columns[0])))
    for values, (name, place) in zip(out, places.items(), strict=True):
        cells = columns[place]
        try:
            values[:] = list(map(float, cells))
        except ValueError:
            values[:] = [float(cell) if _is_number(cell) else np.nan for cell in cells]
        for at in np.flatnonzero(~np.isfinite(values)).tolist():
            if cells[at]:
                raise _no_number(path, at + first_line, name, cells[at])
    return out


def _no_number(path: Path, line: int, name: str, cell: str) -> DatasetError:
    return DatasetError(f"{path}: line {line}, column {name}: {cell!r} is not a number; correct it")


def _read_units(table: _Table) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """((n, 46) values, (46,) known) of the table's action-unit columns; an empty column is not known."""
    missing = [name for name in action_units.NAMES if name not in table.numbers_by_name]
    if missing:
        raise DatasetError(
            f"{table.path}: action-unit column{'s' * (len(missing) > 1)} {', '.join(missing)} missing; "
            "prepare the dataset again, or add them empty where they are not known"
        )
    known = np.array([not np.isnan(table.numbers_by_name[name]).all() for name in action_units.NAMES])
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
