"""Action units from OpenFace's CSV files in place of our own: the paper's labels.

A file belongs to the picture or clip of the same name: `clip.mp4` and `clip.csv` (FeatureExtraction), `ann.jpg`
and `ann.csv` (FaceLandmarkImg). OpenFace reports 17 units without sides; each is taken for both sides, the rest of
the schema is unknown.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.pipeline.drivers import SeriesFile, read_series
from retarget.pipeline.errors import DriverError

AU_SOURCE = "openface-2"


def known_units() -> NDArray[np.bool_]:
    """(46,) the columns of the schema that OpenFace fills."""
    known = np.zeros(action_units.COUNT, np.bool_)
    known[[i for name in action_units.OPENFACE_NAMES for i in action_units.resolve(name)]] = True
    return known


@dataclass(frozen=True)
class OpenFaceLabels:
    """CSV files by the name of what they were measured on."""

    files: Mapping[str, Path]
    """By stem."""

    def of(self, media: Path, seconds: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """((n, 46) values in [0, 1], (n,) whether there is one) of a picture's or clip's frames.

        Args:
            seconds: (n,) of each frame from the first. A file of one row (a picture's) needs none; else a frame
                takes the row of its time, within half a frame, where OpenFace was successful.

        Raises:
            DriverError: the file is no OpenFace CSV with intensities of all 17 units, or holds several faces.
        """
        nothing = np.zeros((len(seconds), action_units.COUNT), np.float32), np.zeros(len(seconds), np.bool_)
        path = self.files.get(media.stem)
        if path is None or len(seconds) == 0:
            return nothing
        read = _read_openface(path)
        if (faces := _count_faces(path)) > 1:
            raise DriverError(f"{path}: holds {faces} faces, and which one is meant is not told; keep one's rows")
        row, is_there = _match(read.series.seconds, seconds)
        is_there &= read.series.confidence[row] > 0
        values = np.where(known_units() & is_there[:, None], read.series.values[row], 0).astype(np.float32)
        return values, is_there


def find_labels(places: Iterable[Path]) -> OpenFaceLabels:
    """The CSV files among files and folders (searched to the bottom).

    Raises:
        DriverError: a place is missing, none holds a CSV, or two files share a name.
    """
    files: dict[str, Path] = {}
    for place in places:
        found = sorted(place.rglob("*.csv")) if place.is_dir() else [place]
        if not found or not all(file.is_file() for file in found):
            raise DriverError(f"{place}: no OpenFace CSV there; give the folder OpenFace wrote to")
        for file in found:
            if file.stem in files and not file.samefile(files[file.stem]):
                raise DriverError(
                    f"{file}: has the same name as {files[file.stem]}, and labels are found by name; rename one"
                )
            files[file.stem] = file
    return OpenFaceLabels(files)


def read_picture(path: Path) -> tuple[int, NDArray[np.float32]]:
    """(how many faces FaceLandmarkImg found in one picture, (17,) their intensities in [0, 1] if it is one).

    The values are zeros for any other number, for then nobody says whose they are.

    Raises:
        DriverError: the file is no OpenFace CSV with intensities of all 17 units.
    """
    units = np.zeros(len(action_units.OPENFACE_NAMES), np.float32)
    names, rows = _cells(path)
    found = [i for i, row in enumerate(rows) if _has_face(row)]
    if len(found) != 1 and names >= {f"{name}_r".lower() for name in action_units.OPENFACE_NAMES}:
        return len(found), units
    series = _read_openface(path, face=found[0] if len(found) == 1 else 0).series
    units[:] = [series.values[0, action_units.resolve(name)[0]] for name in action_units.OPENFACE_NAMES]
    return 1, units


def _read_openface(path: Path, *, face: int = 0) -> SeriesFile:
    """
    Raises:
        DriverError: the file is no OpenFace CSV with intensities of all 17 units.
    """
    read = read_series(path, face=face)
    if read.kind != "openface":
        raise DriverError(f"{path}: not an OpenFace file (AU01_r ...); give what FeatureExtraction wrote")
    if not (read.series.filled >= known_units()).all():
        missing = np.array(action_units.NAMES)[known_units() & ~read.series.filled]
        raise DriverError(f"{path}: lacks {', '.join(missing)}; run OpenFace with -aus and export again")
    return read


def _cells(path: Path) -> tuple[set[str], list[dict[str, str]]]:
    """(column names in lower case, rows by them); takes any file, for `read_series` says what is wrong with it."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    lines = [[cell.strip() for cell in line.split(",")] for line in text.splitlines() if line.strip()]
    names = [name.lower() for name in lines[0]] if lines else []
    return set(names), [dict(zip(names, line, strict=False)) for line in lines[1:]]


def _has_face(row: Mapping[str, str]) -> bool:
    try:
        return float(row.get("confidence", "1")) > 0
    except ValueError:  # `read_series` refuses it
        return True


def _match(
    labelled: NDArray[np.float64], wanted: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(row nearest in time, whether it is within half a frame) for each wanted second."""
    if len(labelled) == 1:
        return np.zeros(len(wanted), np.int64), np.ones(len(wanted), np.bool_)
    right = np.clip(np.searchsorted(labelled, wanted), 1, len(labelled) - 1)
    nearest = right - (wanted - labelled[right - 1] < labelled[right] - wanted)
    reach = 0.5 * float(np.median(np.diff(labelled))) + 1e-3  # OpenFace rounds times to milliseconds
    return nearest, np.abs(labelled[nearest] - wanted) <= reach


def _count_faces(path: Path) -> int:
    """How many faces the file tells apart."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows: Sequence[Mapping[str, str]] = [
            {(name or "").strip(): cell for name, cell in row.items()} for row in csv.DictReader(file)
        ]
    column = next((name for name in ("face_id", "face") if name in rows[0]), None)
    return len({row[column].strip() for row in rows}) if column else 1
