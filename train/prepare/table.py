"""The parts as one table, in the order of the inputs, with labels, splits and flags."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.mesh import LANDMARKS
from retarget.pipeline.errors import DriverError
from retarget.pipeline.faces import AU_SOURCE

from ..data import Dataset, index_names
from . import labels
from .labels import OpenFaceLabels
from .options import FlagLimits, PrepareOptions
from .parts import PARTS_FOLDER, Part, Task
from .sources import Source


def stacked(
    sources: Sequence[Source], tasks: Sequence[Task], parts: Sequence[Part]
) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]], list[tuple[int, int, str]]]:
    """(number of each crop's source, columns, (number of the source, frames, reason) skipped) of all parts."""
    order = {source.path: i for i, source in enumerate(sources)}
    numbers = [np.array([order[source.path] for source in task.sources], np.int64) for task in tasks]
    source = np.concatenate([own[part.columns["source"]] for own, part in zip(numbers, parts, strict=True)])
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    skipped = [
        (int(own[i]), frames, why)
        for own, part in zip(numbers, parts, strict=True)
        for i, frames, why in part.skipped
    ]
    return source, columns, skipped


@contextlib.contextmanager
def gathered_landmarks(
    tasks: Sequence[Task], parts: Sequence[Part], rows: NDArray[np.int64], output: Path
) -> Iterator[NDArray[np.float32]]:
    """(n, 478, 3) of the parts' rows in that order, in a file that goes when the block ends."""
    path = output / PARTS_FOLDER / ".landmarks.npy"
    place = np.full(sum(map(len, parts)), -1, np.int64)
    place[rows] = np.arange(len(rows))
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(rows), LANDMARKS, 3)}
    try:
        with path.open("wb") as file:  # not by a memory map, which a full disk would kill without a word
            np.lib.format.write_array_header_1_0(file, header)
            start = file.tell()
            for task, to in zip(
                tasks, np.split(place, np.cumsum([len(part) for part in parts])[:-1]), strict=True
            ):
                for landmarks, row in zip(Part.load_landmarks(task.part), to, strict=True):
                    if row >= 0:
                        file.seek(start + int(row) * landmarks.nbytes)
                        file.write(landmarks.astype("<f4").tobytes())
        yield np.load(path, mmap_mode="r")
    finally:
        path.unlink(missing_ok=True)


def labelled(
    sources: Sequence[Source], source: NDArray[np.int64], seconds: NDArray[np.float64], openface: OpenFaceLabels
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """((n, 46) OpenFace's values, (n,) whether there is one)."""
    stems = Counter(source.path.stem for source in sources)
    values = np.zeros((len(source), action_units.COUNT), np.float32)
    there = np.zeros(len(source), np.bool_)
    for i in np.unique(source):
        path = sources[i].path
        if stems[path.stem] > 1 and path.stem in openface.files:
            raise DriverError(
                f"{openface.files[path.stem]}: {stems[path.stem]} inputs are called {path.stem}, and labels are "
                "found by name; rename them or prepare them apart"
            )
        rows = np.flatnonzero(source == i)
        values[rows], there[rows] = openface.of(path, seconds[rows])
    return values, there


def dataset_of(
    shown: Sequence[Source],
    columns: Mapping[str, NDArray[Any]],
    landmarks: NDArray[np.float32],
    output: Path,
    options: PrepareOptions,
) -> Dataset:
    """`shown`: whom each row shows. Nobody is set aside for evaluation yet."""
    identities, identity = index_names([s.identity for s in shown])
    shots = [f"#{shot}" if shot else "" for shot in columns["shot"]]  # another shot may show another person
    clips, clip = index_names([s.clip + shot for s, shot in zip(shown, shots, strict=True)])
    return Dataset(
        folder=output,
        crop=options.crop,
        au_source=labels.AU_SOURCE if options.openface else AU_SOURCE,
        files=tuple(columns["crop_file"].tolist()),
        identities=identities,
        identity=identity,
        clips=clips,
        clip=clip,
        frame=columns["frame"] + np.array([s.frame for s in shown], np.int64),
        seconds=columns["seconds"],
        is_eval=np.zeros(len(shown), np.bool_),
        action_units=columns["action_units"],
        known=labels.known_units() if options.openface else np.ones(action_units.COUNT, np.bool_),
        angles=columns["angles"],
        residual=columns["residual"],
        face_px=columns["face_px"],
        sharpness=columns["sharpness"],
        flags=_flags(columns, options.limits),
        landmarks=landmarks,
    )


def _flags(columns: Mapping[str, NDArray[Any]], limits: FlagLimits) -> dict[str, NDArray[np.bool_]]:
    yaw, pitch = np.abs(columns["angles"][:, :2]).T
    return {
        "blurred": columns["sharpness"] < limits.min_sharpness,
        "small": columns["enlargement"] > limits.max_enlargement,
        "turned": (yaw > limits.max_yaw_degrees) | (pitch > limits.max_pitch_degrees),
        "several_faces": columns["rival"] >= limits.max_rival,
        "gray": columns["chroma"] < limits.min_chroma,
        "misfit": columns["residual"] > limits.max_residual,
        "edge": columns["outside"] > limits.max_outside,
    }
