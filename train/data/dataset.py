"""A prepared dataset on disk, as `retarget-train prepare` writes it: pictures, one table, one array.

    dataset.json    format version, crop, where the action units come from, options, counts; written last
    table.csv       a row a crop: file, identity, clip, frame, seconds, split, pose, measures, flags, action units
    landmarks.npy   (n, 478, 3) float32, crop pixels, in the table's order
    crops/          the aligned pictures
    sheet.png       random crops to look at; skipped.csv: what was left out and why
    parts/          what each input gave, so that a run that was stopped goes on

The table can be opened, filtered and edited with anything that knows CSV; rows and landmarks stay in step.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec
from retarget.model.errors import RetargetError
from retarget.model.files import whole_file, write_whole
from retarget.model.geometry import LANDMARKS

FORMAT_VERSION = 1

ABOUT_FILE, TABLE_FILE, LANDMARKS_FILE = "dataset.json", "table.csv", "landmarks.npy"
CROPS_FOLDER = "crops"

ANGLES = ("yaw", "pitch", "roll")
NUMBERS = ("frame", "seconds", *ANGLES, "residual", "face_px", "sharpness")
LEADING_COLUMNS = ("file", "identity", "clip", "frame", "seconds", "split", *NUMBERS[2:])
"""Columns before the flags and the action units, in their order."""

SPLITS = ("train", "eval")


class DatasetError(RetargetError, ValueError):
    """A dataset folder that is missing something, damaged, or of another version."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Aligned crops of faces and what is known of them; one row a crop. Pictures stay on disk until asked for."""

    folder: Path
    crop: CropSpec
    au_source: str
    """How the action units were measured, as in checkpoints."""
    files: tuple[str, ...]
    """Crop pictures, relative to the folder; S x S RGB."""
    identities: tuple[str, ...]
    """Names of the people that occur."""
    identity: NDArray[np.int64]
    """(n,) index into `identities`."""
    clips: tuple[str, ...]
    """Names of the recordings that occur."""
    clip: NDArray[np.int64]
    """(n,) index into `clips`. Frames of one clip show one person in one setting, and can be paired."""
    frame: NDArray[np.int64]
    """(n,) number of the frame in its clip."""
    seconds: NDArray[np.float64]
    """(n,) from the clip's first frame."""
    is_eval: NDArray[np.bool_]
    """(n,) the split; no identity is in both."""
    action_units: NDArray[np.float32]
    """(n, 46) in [0, 1]; 0 in columns that are not known."""
    known: NDArray[np.bool_]
    """(46,) the columns that are filled."""
    angles: NDArray[np.float32]
    """(n, 3) yaw, pitch, roll in degrees."""
    residual: NDArray[np.float32]
    """(n,) misfit of the head pose, canonical units."""
    face_px: NDArray[np.float32]
    """(n,) longer side of the face in the source picture, display pixels."""
    sharpness: NDArray[np.float32]
    """(n,) share of the face's contrast that is finest detail, see prepare.sharpness_of."""
    flags: Mapping[str, NDArray[np.bool_]]
    """Per reason not to use a row, (n,)."""
    landmarks: NDArray[np.float32]
    """(n, 478, 3) crop pixels; of an opened dataset a memory map."""

    def __post_init__(self) -> None:
        n, units = len(self.files), action_units.COUNT
        shapes: dict[str, tuple[int, ...]] = {
            "action_units": (n, units),
            "known": (units,),
            "angles": (n, 3),
            "landmarks": (n, LANDMARKS, 3),
        }
        shapes |= dict.fromkeys(_ROW_FIELDS, (n,))
        columns = {name: getattr(self, name) for name in shapes}
        columns |= {f"flags[{name}]": flag for name, flag in self.flags.items()}
        for name, array in columns.items():
            wanted = shapes.get(name, (n,))
            if array.shape != wanted:
                raise ValueError(f"Dataset.{name} has shape {array.shape}, expected {wanted}")

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        return f"Dataset({self.folder}, {len(self)} crops of {len(self.identities)} people)"

    @property
    def usable(self) -> NDArray[np.bool_]:
        """(n,) rows without any flag."""
        flagged = np.zeros(len(self), np.bool_)
        for flag in self.flags.values():
            flagged |= flag
        return ~flagged

    def subset(self, rows: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Dataset:
        """The rows at those indices, or where True, with the identities and clips that still occur."""
        indices = np.flatnonzero(rows) if rows.dtype == np.bool_ else np.asarray(rows, np.int64)
        identities, identity = _that_occur(self.identities, self.identity[indices])
        clips, clip = _that_occur(self.clips, self.clip[indices])
        picked = {name: getattr(self, name)[indices] for name in (*_ROW_FIELDS, *_MATRIX_FIELDS)}
        picked |= {"identity": identity, "clip": clip}
        return dataclasses.replace(
            self,
            files=tuple(self.files[i] for i in indices),
            identities=identities,
            clips=clips,
            flags={name: flag[indices] for name, flag in self.flags.items()},
            **picked,
        )

    def image(self, row: int) -> NDArray[np.uint8]:
        """(S, S, 3) uint8 RGB of a row.

        Raises:
            DatasetError: the picture is gone, damaged, or of another size.
        """
        path = self.folder / self.files[row]
        try:
            data = np.frombuffer(path.read_bytes(), np.uint8)
        except OSError as error:
            raise DatasetError(
                f"{path}: the crop cannot be read ({error.strerror}); prepare the dataset again"
            ) from error
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if picture is None:
            raise DatasetError(f"{path}: the crop is damaged; remove its row or prepare the dataset again")
        size = self.crop.size_px
        if picture.shape != (size, size, 3):
            raise DatasetError(
                f"{path}: the crop is {picture.shape[1]}x{picture.shape[0]}, expected {size}x{size}; "
                "prepare the dataset again"
            )
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


_ROW_FIELDS = (
    "identity", "clip", "frame", "seconds", "is_eval", "residual", "face_px", "sharpness",
)  # fmt: skip
_MATRIX_FIELDS = ("action_units", "angles", "landmarks")


def index_names(names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """(distinct names in alphabetical order, (n,) index of each name among them)."""
    distinct = tuple(sorted(set(names)))
    place = {name: i for i, name in enumerate(distinct)}
    return distinct, np.array([place[name] for name in names], np.int64)


def person_marks(names: Iterable[str]) -> list[str]:
    """What a checkpoint says of the people it was trained on: enough to recognise them, without naming them."""
    return sorted(hashlib.sha256(name.encode()).hexdigest()[:12] for name in names)


def trained_people(provenance: Mapping[str, Any]) -> set[str] | None:
    """Marks (`person_marks`) of the people a checkpoint was made from; None if its provenance does not say."""
    data = provenance.get("data")
    marks = data.get("people") if isinstance(data, Mapping) else None
    return {str(mark) for mark in marks} if isinstance(marks, Sequence) and not isinstance(marks, str) else None


def shared_identities(identities: Sequence[str], is_eval: Sequence[bool] | NDArray[np.bool_]) -> list[str]:
    """The identities that are in both splits, in alphabetical order."""
    both = zip(identities, is_eval, strict=True)
    splits: dict[str, set[bool]] = {}
    for name, evaluated in both:
        splits.setdefault(name, set()).add(bool(evaluated))
    return sorted(name for name, found in splits.items() if len(found) == 2)


# Writing


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


def _that_occur(names: Sequence[str], index: NDArray[np.int64]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    kept, compact = np.unique(index, return_inverse=True)
    return tuple(names[i] for i in kept), np.asarray(compact, np.int64)


# Reading


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
