"""What tracking found in a clip, kept: nothing is tracked twice.

An entry is one zip file, named by a hash of everything that its content depends on: `v3/ab/ab12....tracks`. It
appears whole or not at all, its parts have checksums, and whatever cannot be read is ignored and written anew.
Entries that were not used for longest go when the folder grows beyond its limit.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from retarget.model.face_chip import DESCRIPTOR
from retarget.model.files import whole_file
from retarget.model.plain_json import parse_json

from ..errors import OptionError
from ..files import Contents
from ..media import VideoReader
from ..records import LANDMARKS, VideoInfo
from .analysis import ClipAnalysis, FaceTrack, Shot
from .cache_folder import DEFAULT_LIMIT_BYTES
from .expression import AU_SOURCE
from .landmark_store import LandmarkStore
from .landmarker import tracker_details
from .options import TrackOptions

_VERSION = "v3"
"""Part of every name: raised when an entry's layout changes, or tracking does within a version of the package."""

_READ_ERRORS = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


class TrackingCache:
    """A folder of clips' analyses. Several processes may share it."""

    def __init__(
        self, folder: Path, *, limit_bytes: int = DEFAULT_LIMIT_BYTES, contents: Contents | None = None
    ) -> None:
        """`contents` is where hashes of the clips come from; by default each clip is read for it.

        Raises:
            OptionError: a negative limit.
        """
        if limit_bytes < 0:
            raise OptionError(f"a cache of {limit_bytes} bytes makes no sense; use 0 or more, or none at all")
        self.folder, self.limit_bytes = folder / _VERSION, limit_bytes
        self.contents = contents or Contents()

    def key(self, reader: VideoReader, options: TrackOptions) -> str:
        """A hash of all that the analysis of these frames depends on, the clip's name not among it."""
        info = reader.info
        parts = {
            "content": self.contents.sha256(info.path),
            "video": {f.name: str(getattr(info, f.name)) for f in fields(info) if f.name != "path"},
            "span": [str(value) for value in asdict(reader.span).values()],
            "options": asdict(options),
            "tracker": [AU_SOURCE, tracker_details(options.tracker)],
            "descriptor": DESCRIPTOR,
            "retarget": importlib.metadata.version("retarget"),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def load(self, key: str, info: VideoInfo) -> ClipAnalysis | None:
        """The analysis of the clip that was opened as `info`; None: nothing is there that can be read."""
        path = self._path(key)
        try:
            with zipfile.ZipFile(path) as entry:
                found = _read(entry, info)
            os.utime(path)  # for the order in which entries go
        except _READ_ERRORS:
            return None
        return found

    def store(self, key: str, analysis: ClipAnalysis) -> None:
        """Keeps an analysis. A folder that cannot be written to is no failure: the next run tracks again."""
        path = self._path(key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path, unique=True) as part, zipfile.ZipFile(part, "w") as entry:
                _write(entry, analysis)
            self.shrink()

    def shrink(self) -> None:
        """Removes the entries not used for longest until the folder is within its limit."""
        entries = sorted(_sizes(self.folder.glob("*/*.tracks")))
        total = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if total <= self.limit_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.tracks"


def _sizes(paths: Iterable[Path]) -> Iterator[tuple[int, int, Path]]:
    """(time of last use, bytes, path); files that another process just removed are left out."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            stat = path.stat()
            yield stat.st_mtime_ns, stat.st_size, path


_ARRAYS = tuple(f.name for f in fields(FaceTrack) if f.name not in ("shot", "face_id", "person"))


@dataclass(frozen=True)
class _About:
    """What an entry says in words."""

    shots: list[dict[str, Any]]
    tracks: list[list[int]]
    """(shot, face id, person) of each."""
    frames_without_face: int
    first_seconds: float
    largest_rejected_px: float
    landmarks: int
    """Points of the mesh."""


def _write(entry: zipfile.ZipFile, analysis: ClipAnalysis) -> None:
    about = _About(
        shots=[asdict(shot) for shot in analysis.shots],
        tracks=[[track.shot, track.face_id, track.person] for track in analysis.tracks],
        frames_without_face=analysis.frames_without_face,
        first_seconds=analysis.first_seconds,
        largest_rejected_px=analysis.largest_rejected_px,
        landmarks=LANDMARKS,
    )
    arrays: dict[str, Any] = {"seconds": analysis.seconds}
    for i, track in enumerate(analysis.tracks):
        arrays |= {f"{name}.{i}": getattr(track, name) for name in _ARRAYS}
    entry.writestr("about.json", json.dumps(asdict(about)))
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    entry.writestr("series.npz", packed.getvalue())
    with entry.open("landmarks.f32", "w", force_zip64=True) as target:
        analysis.landmark_store.copy_to(target)


def _read(entry: zipfile.ZipFile, info: VideoInfo) -> ClipAnalysis:
    about = _About(**parse_json(entry.read("about.json")))
    if about.landmarks != LANDMARKS:
        raise ValueError("another face mesh")
    with np.load(io.BytesIO(entry.read("series.npz")), allow_pickle=False) as series:
        tracks = tuple(
            FaceTrack(shot, face_id, person=person, **{name: series[f"{name}.{i}"] for name in _ARRAYS})
            for i, (shot, face_id, person) in enumerate(about.tracks)
        )
        seconds = series["seconds"]
    with entry.open("landmarks.f32") as landmarks:
        store = LandmarkStore.copied_from(landmarks)
    if len(store) <= max((int(track.rows.max()) for track in tracks), default=-1):
        raise ValueError("landmarks are missing")
    return ClipAnalysis(
        info=info,
        shots=tuple(Shot(**shot) for shot in about.shots),
        tracks=tracks,
        seconds=seconds,
        first_seconds=about.first_seconds,
        frames_without_face=about.frames_without_face,
        largest_rejected_px=float(about.largest_rejected_px),
        landmark_store=store,
    )
