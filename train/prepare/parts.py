"""Parts: some inputs measured together, whose crops and one file are left on disk so that none is measured twice.

What is measured there is raw: who a person is, the split, the flags and OpenFace's labels are put to it when the
parts become one table, so that they can change without tracking again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.errors import RetargetError
from retarget.model.files import write_whole
from retarget.model.mesh import LANDMARKS
from retarget.model.plain_json import parse_json
from retarget.pipeline.faces import AU_SOURCE, Landmarker

from ..data import CROPS_FOLDER
from .crops import Crop, chroma_of, crops_of, sharpness_of
from .options import PrepareOptions
from .sources import Source

PART_VERSION = 1
"""Counted up when what a part holds, or how it is measured, changes."""

PARTS_FOLDER = "parts"

PICTURES_A_PART = 48
"""On average; where a chunk of pictures ends depends on their names alone, so a picture more redoes one chunk."""


@dataclass(frozen=True)
class Task:
    """Some inputs that are measured together; all of it crosses to another process."""

    key: str
    """Of what is measured and how; the part's file name."""
    sources: tuple[Source, ...]
    output: Path
    options: PrepareOptions

    @property
    def part(self) -> Path:
        return self.output / PARTS_FOLDER / f"{self.key}.npz"

    @property
    def size_bytes(self) -> int:
        return sum(source.size_bytes for source in self.sources)


@dataclass(frozen=True, eq=False)
class Part:
    """What a task measured: m crops."""

    columns: Mapping[str, NDArray[Any]]
    """Per name of `_PART_COLUMNS`, (m, ...); once loaded without the landmarks, which are most of it."""
    skipped: tuple[tuple[int, int, str], ...]
    """(number of the source within the task, frames, reason)."""

    def __len__(self) -> int:
        return len(self.columns["source"])

    def save(self, path: Path) -> None:
        data = io.BytesIO()
        np.savez(data, allow_pickle=False, skipped=np.array(json.dumps(self.skipped)), **self.columns)
        write_whole(path, data.getvalue())

    @classmethod
    def load(cls, path: Path) -> Part:
        with np.load(path, allow_pickle=False) as data:
            columns = {name: data[name] for name in _PART_COLUMNS if name != "landmarks"}
            skipped = tuple((int(i), int(frames), str(why)) for i, frames, why in parse_json(str(data["skipped"])))
        return cls(columns, skipped)

    @staticmethod
    def load_landmarks(path: Path) -> NDArray[np.float32]:
        """(m, 478, 3) crop pixels."""
        with np.load(path, allow_pickle=False) as data:
            return np.asarray(data["landmarks"], np.float32)


_PART_COLUMNS: Mapping[str, tuple[type[Any], tuple[int, ...]]] = {
    "crop_file": (np.str_, ()),
    "source": (np.int64, ()),
    "frame": (np.int64, ()),
    "shot": (np.int64, ()),
    "seconds": (np.float64, ()),
    "action_units": (np.float32, (action_units.COUNT,)),
    "landmarks": (np.float32, (LANDMARKS, 3)),
    "angles": (np.float32, (3,)),
    "residual": (np.float32, ()),
    "face_px": (np.float32, ()),
    "enlargement": (np.float32, ()),
    "rival": (np.float32, ()),
    "outside": (np.float32, ()),
    "sharpness": (np.float32, ()),
    "chroma": (np.float32, ()),
}
_OF_CROP = tuple(f.name for f in dataclasses.fields(Crop) if f.name != "picture")


def tasks_of(sources: Sequence[Source], output: Path, options: PrepareOptions) -> list[Task]:
    """A video a task, pictures by the chunk; large ones first, so that no process is left with one at the end."""
    in_order = sorted(sources, key=lambda source: source.path)
    groups = [[source] for source in in_order if not source.is_picture]
    chunk: list[Source] = []
    for source in in_order:
        if not source.is_picture:
            continue
        chunk.append(source)
        if zlib.crc32(str(source.path).encode()) % PICTURES_A_PART == 0:
            groups.append(chunk)
            chunk = []
    groups += [chunk] if chunk else []
    tasks = [Task(_key(group, options), tuple(group), output, options) for group in groups]
    return sorted(tasks, key=lambda task: (-task.size_bytes, task.key))


def _key(sources: Sequence[Source], options: PrepareOptions) -> str:
    measuring = (options.frames_per_clip, options.min_face_px, options.jpeg_quality)
    how = (PART_VERSION, AU_SOURCE, *dataclasses.astuple(options.crop), *measuring)
    files = [(str(source.path), source.size_bytes, source.modified_ns) for source in sources]
    return hashlib.sha256(json.dumps([how, files]).encode()).hexdigest()[:24]


def measure(task: Task, landmarker: Landmarker) -> None:
    """Measures a task's inputs and writes their crops and, when they are all there, its part.

    Raises:
        OSError: as the file system says, when writing.
    """
    rows: dict[str, list[Any]] = {name: [] for name in _PART_COLUMNS}
    skipped: list[tuple[int, int, str]] = []
    for number, source in enumerate(task.sources):
        reasons: Counter[str] = Counter()
        crops = crops_of(source.path, task.options, landmarker, reasons)
        while True:
            try:
                crop = next(crops, None)
            except RetargetError as error:
                reasons[str(error).removeprefix(f"{source.path}: ")] += 1
                break
            if crop is None:
                break
            file = _crop_file(source, crop.frame, task.options.suffix)
            _write_crop(task.output / file, crop.picture, task.options.jpeg_quality)
            for name in _OF_CROP:
                rows[name].append(getattr(crop, name))
            rows["crop_file"].append(file)
            rows["source"].append(number)
            rows["sharpness"].append(sharpness_of(crop.picture, crop.landmarks))
            rows["chroma"].append(chroma_of(crop.picture))
        skipped += [(number, frames, reason) for reason, frames in reasons.items()]
    columns = {
        name: np.array(rows[name], kind).reshape(len(rows[name]), *shape)
        for name, (kind, shape) in _PART_COLUMNS.items()
    }
    Part(columns, tuple(skipped)).save(task.part)


def _crop_file(source: Source, frame: int, suffix: str) -> str:
    """Where a crop goes, relative to the dataset. Part of the path's hash keeps files of one name apart."""
    mark = hashlib.sha256(str(source.path).encode()).hexdigest()[:8]
    stem = "".join(c if c.isalnum() or c in "-_." else "_" for c in source.path.stem)[:80]
    if source.is_picture:
        return f"{CROPS_FOLDER}/pictures-{mark[:2]}/{stem}-{mark}{suffix}"
    return f"{CROPS_FOLDER}/{stem}-{mark}/{frame:06d}{suffix}"


def _write_crop(path: Path, picture: NDArray[np.uint8], jpeg_quality: int) -> None:
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    settings = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality, *sampling] if jpeg_quality else []
    _, data = cv2.imencode(path.suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())
