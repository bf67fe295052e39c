"""What was computed once and need not be again: content hashes of files, and what tracking found in a clip.

An entry of the tracking cache is one zip file, named by a hash of everything that its content depends on:
`v1/ab/ab12....tracks`. It appears whole or not at all, its parts have checksums, and whatever cannot be read is
ignored and written anew. Entries that were not used for longest go when the folder grows beyond its limit.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OptionError, VideoOpenError, VideoReadError
from ..files import find_sequence, parse_pattern
from ..media import VideoReader
from ..records import LANDMARKS
from .analysis import ClipAnalysis, FaceTrack, Shot
from .expression import AU_SOURCE
from .track import TrackOptions

DEFAULT_LIMIT_BYTES = 4 * 2**30
"""About eight hours of one tracked face at 25 frames a second (half a GB an hour)."""

_VERSION = "v1"
"""Part of every name: raised when an entry's layout changes, or tracking does within a version of the package."""

_READ_ERRORS = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


def default_cache_dir() -> Path:
    """`$XDG_CACHE_HOME/retarget`, or `~/.cache/retarget`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "retarget"


# Files by content --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Content:
    """A file (or image sequence) as it was when its content was read."""

    path: str
    """Absolute."""
    signature: str
    """Size and time of change, in nanoseconds; while these stay, so does the content."""
    sha256: str


class Contents:
    """Content hashes of files, each read once and then remembered by size and time of change."""

    def __init__(self, known: Iterable[Content] = ()) -> None:
        self._known = {content.path: content for content in known}
        self.used: dict[str, Content] = {}
        """What was asked for, by path: for the manifest, and for `check_unchanged`."""

    def remembered(self, path: Path) -> str | None:
        """The hash of a file that has not changed since it was read, or None. Reads nothing."""
        known = self._known.get(_absolute(path))
        with contextlib.suppress(OSError, VideoOpenError):
            if known is not None and known.signature == signature_of(path):
                self.used[known.path] = known
                return known.sha256
        return None

    def sha256(self, path: Path) -> str:
        """The hash of the content, read if need be.

        Raises:
            VideoOpenError: there is no such file.
            VideoReadError: it changes while it is read.
        """
        digest = self.remembered(path)
        if digest is None:
            content = content_of(path)
            self._known[content.path] = self.used[content.path] = content
            digest = content.sha256
        return digest

    def check_unchanged(self) -> None:
        """Raises VideoReadError if any file that was used is no longer as it was."""
        for content in self.used.values():
            _check_still(Path(content.path), content.signature)


def content_of(path: Path) -> Content:
    """Reads a file, or every file of an image sequence; raises as `Contents.sha256`."""
    try:
        before = signature_of(path)
        digest = _digest(path)
    except OSError as error:
        if isinstance(error, VideoOpenError):
            raise
        raise VideoOpenError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    _check_still(path, before)
    return Content(_absolute(path), before, digest)


def signature_of(path: Path) -> str:
    """Size and time of change; of a sequence, a hash of those of its files. Raises OSError or VideoOpenError."""
    files = _files(path)
    if len(files) == 1:
        return _stat_text(files[0])
    listing = "\n".join(f"{file.name} {_stat_text(file)}" for file in files)
    return f"{len(files)} files {hashlib.sha256(listing.encode()).hexdigest()[:16]}"


def _stat_text(file: Path) -> str:
    stat = file.stat()
    return f"{stat.st_size} bytes {stat.st_mtime_ns}"


def _check_still(path: Path, signature: str) -> None:
    try:
        now = signature_of(path)
    except OSError as error:
        raise VideoReadError(f"{path}: vanished while it was read; put it back and run again") from error
    if now != signature:
        raise VideoReadError(
            f"{path}: is being written to ({signature.rpartition(' ')[0]}, then {now.rpartition(' ')[0]}); "
            "run again when it is complete"
        )


def _files(path: Path) -> list[Path]:
    pattern = parse_pattern(path)
    return [path] if pattern is None else list(find_sequence(pattern, shown_as=str(path)).values())


def _digest(path: Path) -> str:
    files = _files(path)
    if len(files) == 1:
        return _file_digest(files[0])
    names = "\n".join(f"{file.name} {_file_digest(file)}" for file in files)
    return hashlib.sha256(names.encode()).hexdigest()


def _file_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _absolute(path: Path) -> str:
    return str(path.absolute())


# Tracking ----------------------------------------------------------------------------------------------


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
            "tracker": [AU_SOURCE, importlib.metadata.version("mediapipe")],
            "retarget": importlib.metadata.version("retarget"),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def load(self, key: str, analysis: ClipAnalysis) -> float | None:
        """Fills the empty `analysis`; returns the size of the largest face left out. None: nothing is there."""
        path = self._path(key)
        try:
            with zipfile.ZipFile(path) as entry:
                found = _read(entry, analysis)
            os.utime(path)  # for the order in which entries go
        except _READ_ERRORS:
            analysis.reset()
            return None
        return found

    def store(self, key: str, analysis: ClipAnalysis, largest_rejected_px: float) -> None:
        """Keeps an analysis. A folder that cannot be written to is no failure: the next run tracks again."""
        path = self._path(key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _beside(path) as part:
                with zipfile.ZipFile(part, "w") as entry:
                    _write(entry, analysis, largest_rejected_px)
                part.replace(path)
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


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A name of its own for each writer, so that two of one entry do not meet; gone after the block."""
    handle, name = tempfile.mkstemp(prefix=f".{path.stem[:8]}-", suffix=".part", dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


_ARRAYS = tuple(f.name for f in fields(FaceTrack) if f.name not in ("shot", "face_id"))


def _write(entry: zipfile.ZipFile, analysis: ClipAnalysis, largest_rejected_px: float) -> None:
    about = {
        "shots": [asdict(shot) for shot in analysis.shots],
        "tracks": [[track.shot, track.face_id] for track in analysis.tracks],
        "frames_without_face": analysis.frames_without_face,
        "first_seconds": analysis.first_seconds,
        "largest_rejected_px": largest_rejected_px,
        "landmarks": LANDMARKS,
    }
    arrays: dict[str, Any] = {"seconds": np.array(analysis.seconds, np.float64)}
    for i, track in enumerate(analysis.tracks):
        arrays |= {f"{name}.{i}": getattr(track, name) for name in _ARRAYS}
    entry.writestr("about.json", json.dumps(about))
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    entry.writestr("series.npz", packed.getvalue())
    with entry.open("landmarks.f32", "w", force_zip64=True) as target:
        shutil.copyfileobj(analysis.landmark_file(), target, 1 << 20)


def _read(entry: zipfile.ZipFile, analysis: ClipAnalysis) -> float:
    about = json.loads(entry.read("about.json"))
    if about["landmarks"] != LANDMARKS:
        raise ValueError("another face mesh")
    with np.load(io.BytesIO(entry.read("series.npz")), allow_pickle=False) as series:
        tracks = [
            FaceTrack(shot, face_id, **{name: series[f"{name}.{i}"] for name in _ARRAYS})
            for i, (shot, face_id) in enumerate(about["tracks"])
        ]
        seconds = series["seconds"].tolist()
    with entry.open("landmarks.f32") as landmarks:
        rows = analysis.restore(
            shots=[Shot(**shot) for shot in about["shots"]],
            seconds=seconds,
            tracks=tracks,
            frames_without_face=about["frames_without_face"],
            first_seconds=about["first_seconds"],
            landmarks=landmarks,
        )
    if rows != sum(len(track.rows) for track in tracks):
        raise ValueError("landmarks are missing")
    return float(about["largest_rejected_px"])
