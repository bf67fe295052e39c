"""From videos and pictures to a dataset of aligned crops: the pipeline's own tracker, crop and action units.

Every input is measured by itself, in one of many processes, and leaves its crops and one file under `parts/`; what
is measured there is raw. Who a person is, the split, the flags and OpenFace's labels are put to it at the end,
when the parts become one table, so that they can change without tracking again.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import importlib.metadata
import io
import json
import multiprocessing
import multiprocessing.util
import os
import signal
import threading
import zlib
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec
from retarget.model.errors import RetargetError
from retarget.model.files import write_whole
from retarget.model.geometry import LANDMARKS
from retarget.pipeline.errors import DriverError, NoFaceError, OptionError, VideoOpenError, VideoReadError
from retarget.pipeline.faces import (
    AU_SOURCE,
    PROXY_PX,
    FaceTracker,
    Landmarker,
    TrackOptions,
    alignment,
    apply,
    chain,
    crop_matrix,
    detect_shots,
    head_pose,
)
from retarget.pipeline.media import VideoReader, open_video, proxy, sample_rgb
from retarget.pipeline.records import Face, Frame, TrackedFrame, VideoInfo
from retarget.pipeline.stream import Progress, no_progress

from ..data import (
    ABOUT_FILE,
    CROPS_FOLDER,
    SPLITS,
    Dataset,
    index_names,
    open_dataset,
    save_dataset,
    shared_identities,
)
from . import labels
from .contact_sheet import contact_sheet
from .labels import OpenFaceLabels, find_labels

PART_VERSION = 1
"""Counted up when what a part holds, or how it is measured, changes."""

PARTS_FOLDER, SHEET_FILE, SKIPPED_FILE = "parts", "sheet.png", "skipped.csv"

PICTURES_A_PART = 48
"""On average; where a chunk of pictures ends depends on their names alone, so a picture more redoes one chunk."""

PICTURE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".exr", ".dpx", ".tga", ".ppm", ".pgm", ".jp2",
})  # fmt: skip
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mxf", ".ts", ".wmv", ".flv", ".gif",
})  # fmt: skip
LIST_SUFFIXES = frozenset({".txt", ".csv"})

NO_FACE, DAMAGED, NO_LABEL = "no face found", "damaged picture", "no OpenFace label"


# What can be asked for


@dataclass(frozen=True, kw_only=True)
class FlagLimits:
    """Beyond what a crop is flagged and by default not used. Changing them tracks nothing again.

    The defaults were chosen by looking at what they catch among 20,000 crops of clips and photos.
    """

    min_sharpness: float = 0.033
    """blurred: less of the face's contrast than this is finest detail."""
    max_enlargement: float = 2.0
    """small: a pixel of the source covers more than so many of the crop, each way."""
    max_yaw_degrees: float = 45.0
    """turned; the pipeline fades edits out between 35 and 55."""
    max_pitch_degrees: float = 35.0
    max_rival: float = 0.5
    """several_faces: another face in the frame is at least so large, relative to this one."""
    min_chroma: float = 3.0
    """gray: the colour varies less than this over the crop (standard deviation of Cr and Cb, of 255)."""
    max_residual: float = 0.09
    """misfit: the mesh fits no head better than this, canonical units."""
    max_outside: float = 0.3
    """edge: more than this share of the crop lies beyond the picture's edge, where its border is repeated."""


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """Everything `retarget-train prepare` can be asked, with its defaults."""

    crop: CropSpec = field(default_factory=CropSpec)
    frames_per_clip: int = 120
    """At most, evenly spread."""
    min_face_px: int | None = None
    """Smallest face looked for; None: 6 % of the picture's height, at least 32 px."""
    jobs: int = 0
    """Processes; 0: one a core."""
    jpeg_quality: int = 95
    """Of the crops, 1 to 100; 0: PNG, which loses nothing and takes five times the space."""
    eval_fraction: float = 0.1
    """Of the people, for evaluation, where a list does not say."""
    limits: FlagLimits = field(default_factory=FlagLimits)
    openface: tuple[Path, ...] = ()
    """OpenFace's CSV files, or folders of them, in place of our own action units."""

    def __post_init__(self) -> None:
        if self.frames_per_clip < 1:
            raise OptionError(f"{self.frames_per_clip} frames per clip make no sense; use 1 or more")
        if self.jobs < 0:
            raise OptionError(f"{self.jobs} jobs make no sense; use 1 or more, or 0 for one a core")
        if not 0 <= self.jpeg_quality <= 100:
            raise OptionError(f"JPEG quality {self.jpeg_quality} makes no sense; use 1 to 100, or 0 for PNG")
        if not 0 <= self.eval_fraction < 1:
            raise OptionError(f"eval fraction {self.eval_fraction} makes no sense; use 0 to below 1")
        if self.min_face_px is not None and self.min_face_px < 1:
            raise OptionError(f"a smallest face of {self.min_face_px} px makes no sense; use 1 or more")

    @property
    def suffix(self) -> str:
        """Of the crops' files."""
        return ".jpg" if self.jpeg_quality else ".png"

    def as_json(self) -> dict[str, Any]:
        """What the dataset's description says of them: all but how many processes there were."""
        values = dataclasses.asdict(self)
        del values["jobs"]
        return values | {"openface": [str(path) for path in self.openface]}


@dataclass(frozen=True)
class Skipped:
    """Frames of an input that gave no crop."""

    file: str
    frames: int
    reason: str


@dataclass(frozen=True)
class PrepareReport:
    """What a run did."""

    folder: Path
    inputs: int
    inputs_reused: int
    """Measured by an earlier run."""
    crops: int
    usable: int
    """Crops without any flag."""
    train_identities: int
    eval_identities: int
    clips: int
    flags: Mapping[str, int]
    """Crops each flag is on."""
    skipped: tuple[Skipped, ...]

    def as_json(self) -> dict[str, Any]:
        """Its counts, as the dataset's description has them."""
        names = ("inputs", "crops", "usable", "train_identities", "eval_identities", "clips")
        reasons: Counter[str] = Counter()
        for skip in self.skipped:
            reasons[skip.reason] += skip.frames
        return {name: getattr(self, name) for name in names} | {
            "flagged": dict(self.flags),
            "skipped": dict(reasons.most_common()),
        }


# Inputs: which files, and whom each shows


@dataclass(frozen=True)
class Source:
    """One input file and what is known of it beforehand."""

    path: Path
    identity: str
    clip: str
    is_eval: bool
    frame: int = 0
    """Of a picture that is one frame of a clip; a video's own frames count from it."""
    size_bytes: int = -1
    """-1 where there is no such file."""
    modified_ns: int = 0

    @property
    def is_picture(self) -> bool:
        """Whether it is one picture, by its name."""
        return self.path.suffix.lower() in PICTURE_SUFFIXES


class _Entry(NamedTuple):
    """A file as named by an input; empty where it is not said."""

    path: Path
    identity: str = ""
    clip: str = ""
    split: str = ""


def identity_of(path: Path) -> str:
    """The person a file shows, by its name: what stands before `--`, or the whole stem."""
    return path.stem.split("--")[0]


def find_sources(
    inputs: Sequence[Path], *, eval_fraction: float = 0.1, leave_out: Path | None = None
) -> list[Source]:
    """The pictures and videos that the inputs name: files, folders (to the bottom), lists (.txt, .csv).

    Names of clips are relative to the folder that all the files share. A file named twice counts once, and what
    lies in the folder `leave_out` does not.

    Raises:
        VideoOpenError: an input is missing or of a kind unknown here, or nothing is in it.
        OptionError: a list that cannot be read, or an identity in both splits.
    """
    entries: dict[Path, _Entry] = {}
    for given in inputs:
        for entry in _entries(given):
            path = Path(os.path.abspath(entry.path))  # without `..`, and links as they are called
            if leave_out is None or not path.is_relative_to(os.path.abspath(leave_out)):
                entries.setdefault(path, entry)
    if not entries:
        raise VideoOpenError(f"{inputs[0] if inputs else '.'}: no pictures or videos in it; check the path")
    root = _root(entries)
    sources = [_source(path, entry, root, eval_fraction) for path, entry in entries.items()]
    if shared := shared_identities([s.identity for s in sources], [s.is_eval for s in sources]):
        files = [
            next(s.path for s in sources if s.identity == shared[0] and s.is_eval == e) for e in (False, True)
        ]
        raise OptionError(
            f"identity {shared[0]!r} is in both splits, train by {files[0]} and eval by {files[1]} "
            f"({len(shared)} such); give each person one split"
        )
    return sources


def _root(paths: Iterable[Path]) -> Path:
    """The folder that all the files are in."""
    return Path(os.path.commonpath([path.parent for path in paths]))


def _entries(given: Path) -> Iterator[_Entry]:
    suffix = given.suffix.lower()
    if given.is_dir():
        known = PICTURE_SUFFIXES | VIDEO_SUFFIXES
        found = (path for path in given.rglob("*") if path.suffix.lower() in known and path.is_file())
        yield from (_Entry(path) for path in sorted(found) if not path.name.startswith("."))
    elif not given.exists():
        raise VideoOpenError(f"{given}: no such file or folder; check the path")
    elif suffix in LIST_SUFFIXES:
        yield from _listed(given)
    elif suffix in PICTURE_SUFFIXES | VIDEO_SUFFIXES:
        yield _Entry(given)
    else:
        raise VideoOpenError(f"{given}: neither a picture, a video, a folder, nor a list (.txt, .csv)")


def _listed(file: Path) -> Iterator[_Entry]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        lines = text.splitlines()
        if file.suffix.lower() == ".txt":
            named = [{"file": line.strip()} for line in lines if line.strip() and not line.startswith("#")]
        else:
            named = [{name.strip(): (cell or "").strip() for name, cell in row.items() if name}
                     for row in csv.DictReader(lines)]  # fmt: skip
    except (OSError, UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise OptionError(f"{file}: cannot be read as a list ({error}); write a path a line") from error
    if named and "file" not in named[0]:
        raise OptionError(f"{file}: has no column 'file'; columns are file and, if known, identity, clip, split")
    for line, row in enumerate(named, 2):
        split = row.get("split", "")
        if split not in ("", *SPLITS):
            raise OptionError(
                f"{file}: line {line}, column split: {split!r}; use train or eval, or leave it empty"
            )
        yield _Entry(file.parent / row["file"], row.get("identity", ""), row.get("clip", ""), split)


def _source(path: Path, entry: _Entry, root: Path, eval_fraction: float) -> Source:
    identity = entry.identity or identity_of(path)
    name = path.relative_to(root).as_posix()
    clip, frame = (name, 0) if path.suffix.lower() in VIDEO_SUFFIXES else _picture_clip(name)
    is_eval = entry.split == "eval" if entry.split else _share_of(identity) < eval_fraction
    try:
        stat = path.stat()
    except OSError:
        return Source(path, identity, entry.clip or clip, is_eval, frame)
    return Source(path, identity, entry.clip or clip, is_eval, frame, stat.st_size, stat.st_mtime_ns)


def _picture_clip(name: str) -> tuple[str, int]:
    """(clip, frame) of a picture's path: of NAME--VIDEO--FRAME what is before FRAME, else a clip of its own."""
    whole = name.removesuffix(Path(name).suffix)
    clip, _, last = whole.rpartition("--")
    if "--" not in Path(clip).name:
        return whole, 0
    return clip, int(last) if last.isascii() and last.isdigit() else 0


def _share_of(identity: str) -> float:
    """A number in [0, 1) that is the same for that name on every machine."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:6]) / 2**48


# Measuring one input


@dataclass(frozen=True, eq=False)
class _Crop:
    """One face of one frame, measured and cut out."""

    picture: NDArray[np.uint8]
    frame: int
    shot: int
    seconds: float
    action_units: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    """(478, 3) crop pixels."""
    angles: tuple[float, float, float]
    residual: float
    face_px: float
    enlargement: float
    """Crop pixels per source pixel."""
    rival: float
    """Size of the next largest face relative to this one."""
    outside: float
    """Share of the crop beyond the picture's edge."""


def sharpness_of(crop: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> float:
    """Share of the contrast of a face (S, S, 3) within its landmarks (478, 3) that is finest detail.

    The standard deviation of what a Gaussian of one crop pixel takes away, over that of all. Neither light nor
    contrast changes it; blur, compression and enlargement lower it.
    """
    gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = len(crop)
    left, top = np.floor(landmarks[:, :2].min(0)).astype(int).clip(0, size - 2)
    right, bottom = np.ceil(landmarks[:, :2].max(0)).astype(int).clip(2, size)
    detail = gray - cv2.GaussianBlur(gray, (0, 0), 1)
    part = (slice(top, max(bottom, top + 2)), slice(left, max(right, left + 2)))
    return float(detail[part].std() / max(float(gray[part].std()), 1.0))


def chroma_of(crop: NDArray[np.uint8]) -> float:
    """How much colour varies over a crop (S, S, 3): about 0 for black and white, tinted or not."""
    channels = cv2.cvtColor(crop, cv2.COLOR_RGB2YCrCb)[..., 1:].reshape(-1, 2)
    return float(np.sqrt(channels.astype(np.float32).var(0).sum()))


def _cut(frame: Frame, info: VideoInfo, tracked: TrackedFrame, crop: CropSpec) -> _Crop:
    """The largest face of a frame, through the very calls that feed a network in the pipeline."""
    face = max(tracked.faces, key=lambda face: face.size_px)
    matrix = crop_matrix(alignment(face.landmarks), crop)
    size = (crop.size_px, crop.size_px)
    pose = head_pose(face.landmarks)
    return _Crop(
        picture=sample_rgb(frame, info.color, chain(matrix, info.display_from_coded), size),
        frame=frame.index,
        shot=tracked.shot,
        seconds=frame.seconds - info.start_seconds,
        action_units=face.action_units,
        landmarks=apply(matrix, face.landmarks).astype(np.float32),
        angles=(face.yaw_degrees, face.pitch_degrees, float(np.degrees(pose.roll_radians))),
        residual=pose.residual,
        face_px=face.size_px,
        enlargement=float(np.hypot(matrix[0, 0], matrix[1, 0])),
        rival=max((other.size_px for other in tracked.faces if other is not face), default=0.0) / face.size_px,
        outside=_outside(matrix, info, crop.size_px),
    )


def _outside(matrix: NDArray[np.float64], info: VideoInfo, size_px: int) -> float:
    """The share of a crop that lies beyond the picture's edge."""
    back = cv2.invertAffineTransform(matrix)
    x, y = np.meshgrid(*[(np.arange(32) + 0.5) * size_px / 32] * 2)
    there = np.stack([x, y], -1) @ back[:, :2].T + back[:, 2]
    inside = ((there >= 0) & (there <= (info.display_width, info.display_height))).all(-1)
    return float(1 - inside.mean())


def _crops_of(
    path: Path, options: PrepareOptions, landmarker: Landmarker, skipped: Counter[str]
) -> Iterator[_Crop]:
    """The crops of one input, and in `skipped` how many frames gave none, by reason. Holds a few frames.

    Raises:
        RetargetError: it cannot be opened or read.
    """
    if is_cut_off(path):
        raise VideoReadError(f"{path}: {DAMAGED}, its end is missing")
    with open_video(path) as reader:
        info = reader.info
        tracker = FaceTracker(info, TrackOptions(min_face_px=options.min_face_px), landmarker=landmarker)
        held: deque[Frame] = deque()
        with tracker, contextlib.closing(_chosen(reader, options.frames_per_clip, skipped)) as chosen:
            for tracked in tracker.track(_held(chosen, held)):
                frame = held.popleft()
                assert frame.index == tracked.index
                if tracked.faces:
                    yield _cut(frame, info, tracked, options.crop)
                else:
                    skipped[NO_FACE] += 1


def _chosen(reader: VideoReader, count: int, skipped: Counter[str]) -> Generator[tuple[Frame, int], None, None]:
    """Up to `count` evenly spread sound frames with their shots."""
    info = reader.info
    total = 1 if info.is_still else info.frame_count_from_header or sum(1 for _ in reader)
    shots = (
        ((frame, 0) for frame in reader)
        if info.is_still
        else detect_shots(reader, lambda frame: proxy(frame, info, PROXY_PX))
    )
    left = count
    for i, (frame, shot) in enumerate(shots):
        if left == 0 or not is_chosen(i, total, count):
            continue
        left -= 1
        if frame.is_corrupt:
            skipped[DAMAGED] += 1
            continue
        yield frame, shot


def is_cut_off(path: Path) -> bool:
    """Whether a JPEG file ends within its picture. FFmpeg fills the rest with gray and says nothing."""
    try:
        with path.open("rb") as file:
            if file.read(2) != b"\xff\xd8":
                return False
            data = file.read()
    except OSError:
        return False  # opening it as a picture says why
    # Within a scan 0xff is followed by 0 or a restart, so after the last scan's start only the end can be found.
    return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")


def is_chosen(index: int, total: int, count: int) -> bool:
    """Whether frame `index` of `total` is one of `count` evenly spread ones (of all, if there are fewer)."""
    if total <= count:
        return True
    return index * count // total != (index - 1) * count // total


def _held(frames: Iterable[tuple[Frame, int]], held: deque[Frame]) -> Iterator[tuple[Frame, int]]:
    for frame, shot in frames:
        held.append(frame)
        yield frame, shot


# Parts: what one process does at a time


@dataclass(frozen=True)
class _Task:
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
class _Part:
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
    def load(cls, path: Path) -> _Part:
        with np.load(path, allow_pickle=False) as data:
            columns = {name: data[name] for name in _PART_COLUMNS if name != "landmarks"}
            skipped = tuple((int(i), int(frames), str(why)) for i, frames, why in json.loads(str(data["skipped"])))
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
_OF_CROP = tuple(f.name for f in dataclasses.fields(_Crop) if f.name != "picture")


def _tasks(sources: Sequence[Source], output: Path, options: PrepareOptions) -> list[_Task]:
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
    tasks = [_Task(_key(group, options), tuple(group), output, options) for group in groups]
    return sorted(tasks, key=lambda task: (-task.size_bytes, task.key))


def _key(sources: Sequence[Source], options: PrepareOptions) -> str:
    measuring = (options.frames_per_clip, options.min_face_px, options.jpeg_quality)
    how = (PART_VERSION, AU_SOURCE, *dataclasses.astuple(options.crop), *measuring)
    files = [(str(source.path), source.size_bytes, source.modified_ns) for source in sources]
    return hashlib.sha256(json.dumps([how, files]).encode()).hexdigest()[:24]


def _measure(task: _Task, landmarker: Landmarker) -> None:
    """Measures a task's inputs and writes their crops and, when they are all there, its part.

    Raises:
        OSError: as the file system says, when writing.
    """
    rows: dict[str, list[Any]] = {name: [] for name in _PART_COLUMNS}
    skipped: list[tuple[int, int, str]] = []
    for number, source in enumerate(task.sources):
        reasons: Counter[str] = Counter()
        crops = _crops_of(source.path, task.options, landmarker, reasons)
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
    _Part(columns, tuple(skipped)).save(task.part)


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


# Many processes

_in_process: Landmarker | None = None
"""A worker's graphs, loaded once for all its tasks."""


def _start_worker() -> None:
    global _in_process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    cv2.setNumThreads(1)
    _in_process = Landmarker().__enter__()
    multiprocessing.util.Finalize(_in_process, _in_process.__exit__, (None, None, None), exitpriority=10)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends a worker whose parent was killed; it would wait for its next task for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _measure_in_worker(task: _Task) -> None:
    assert _in_process is not None
    _measure(task, _in_process)


def _run(tasks: Sequence[_Task], jobs: int) -> Generator[_Task, None, None]:
    """The tasks as they are done, in any order. Whatever goes wrong, none is begun after it."""
    jobs = min(jobs or os.cpu_count() or 1, len(tasks))
    if jobs <= 1:
        with Landmarker() if tasks else contextlib.nullcontext() as landmarker:
            for task in tasks:
                assert landmarker is not None
                _measure(task, landmarker)
                yield task
        return
    context = multiprocessing.get_context("spawn")  # forking would copy the threads of torch and mediapipe
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker)
    try:
        running: dict[Future[None], _Task] = {pool.submit(_measure_in_worker, task): task for task in tasks}
        for future in as_completed(running):
            future.result()
            yield running[future]
    finally:
        pool.shutdown(cancel_futures=True)


def prepare_dataset(
    inputs: Sequence[Path],
    output: Path,
    options: PrepareOptions | None = None,
    *,
    progress: Progress[None] = no_progress,
) -> PrepareReport:
    """Makes the dataset `output` (a folder) of the faces in videos, pictures, folders and lists.

    A run that was stopped goes on where it was; what has not changed since is not measured again. `progress` is
    given one item per input. The result does not depend on the number of processes.

    Raises:
        RetargetError: an input or option cannot be used, or no face is found; or (exit code 1) the disk is full,
            and what was done is kept.
    """
    options = options or PrepareOptions()
    _check_output(output)
    sources = find_sources(inputs, eval_fraction=options.eval_fraction, leave_out=output)
    openface = find_labels(options.openface) if options.openface else None
    tasks = _tasks(sources, output, options)
    try:
        (output / PARTS_FOLDER).mkdir(parents=True, exist_ok=True)
        waiting = [task for task in tasks if not task.part.exists()]
        if waiting:
            (output / ABOUT_FILE).unlink(missing_ok=True)  # not whole until it is written again
        for _ in progress(_finished(tasks, waiting, options.jobs), "prepare", len(sources)):
            pass
        reused = len(sources) - sum(len(task.sources) for task in waiting)
        return _merge(sources, tasks, output, options, openface, reused)
    except OSError as error:
        if isinstance(error, RetargetError):
            raise
        raise _stopped(output, f"{error.strerror or error}; free some space or check the folder") from error
    except BrokenProcessPool as error:
        raise _stopped(output, "a process ended by itself, perhaps for lack of memory; use fewer jobs") from error


def _check_output(output: Path) -> None:
    """Refuses a folder that holds anything but an earlier run's work."""
    if output.exists() and not output.is_dir():
        raise OptionError(f"{output}: is a file; name a folder for the dataset")
    if output.is_dir() and not (output / PARTS_FOLDER).is_dir() and any(output.iterdir()):
        raise OptionError(f"{output}: holds other files; name a new folder for the dataset")


def _finished(tasks: Sequence[_Task], waiting: Sequence[_Task], jobs: int) -> Iterator[None]:
    """An item for each input that is done; first those of earlier runs."""
    done = len(tasks) and sum(len(task.sources) for task in tasks) - sum(len(task.sources) for task in waiting)
    yield from [None] * done
    with contextlib.closing(_run(waiting, jobs)) as finished:
        for task in finished:
            yield from [None] * len(task.sources)


def _stopped(output: Path, reason: str) -> RetargetError:
    error = RetargetError(f"{output}: stopped ({reason}, then run the same command: it goes on from there)")
    error.exit_code = 1
    return error


# One table of all parts


def _merge(
    sources: Sequence[Source],
    tasks: Sequence[_Task],
    output: Path,
    options: PrepareOptions,
    openface: OpenFaceLabels | None,
    reused: int,
) -> PrepareReport:
    """The parts as one dataset, in the order of the inputs, with labels, splits and flags. Holds the table, and of
    the landmarks one part's."""
    parts = [_Part.load(task.part) for task in tasks]
    source, columns, skipped = _stacked(sources, tasks, parts)
    if len(source) == 0:
        raise _nothing_found(sources, skipped)
    rows = np.arange(len(source))
    if openface is not None:
        columns["action_units"], is_there = _labelled(sources, source, columns["seconds"], openface)
        skipped += [(i, frames, NO_LABEL) for i, frames in Counter(source[~is_there].tolist()).items()]
        rows = np.flatnonzero(is_there)
        if len(rows) == 0:
            raise DriverError(
                f"{options.openface[0]}: its CSV files fit none of {len(sources)} inputs; "
                "they are found by name, clip.csv for clip.mp4"
            )
    rows = rows[np.lexsort((columns["frame"][rows], source[rows]))]
    in_order = {name: column[rows] for name, column in columns.items()}
    with _gathered_landmarks(tasks, parts, rows, output) as landmarks:
        dataset = _dataset([sources[i] for i in source[rows]], in_order, landmarks, output, options)
        names = _names(sources)
        lines = [Skipped(names[i], frames, why) for i, frames, why in sorted(skipped)]
        report = _report(dataset, len(sources), reused, lines)
        save_dataset(dataset, _about(sources, options, report))
    _drop_stale(output, tasks, set(columns["crop_file"].tolist()))
    _write_skipped(output / SKIPPED_FILE, lines)
    _write_sheet(output)
    return report


def _stacked(
    sources: Sequence[Source], tasks: Sequence[_Task], parts: Sequence[_Part]
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
def _gathered_landmarks(
    tasks: Sequence[_Task], parts: Sequence[_Part], rows: NDArray[np.int64], output: Path
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
                for landmarks, row in zip(_Part.load_landmarks(task.part), to, strict=True):
                    if row >= 0:
                        file.seek(start + int(row) * landmarks.nbytes)
                        file.write(landmarks.astype("<f4").tobytes())
        yield np.load(path, mmap_mode="r")
    finally:
        path.unlink(missing_ok=True)


def _nothing_found(sources: Sequence[Source], skipped: Sequence[tuple[int, int, str]]) -> NoFaceError:
    reasons = Counter(reason for _, _, reason in skipped)
    why = reasons.most_common(1)[0][0] if reasons else NO_FACE
    return NoFaceError(
        f"{sources[0].path}: no face found in any of {len(sources)} inputs ({why}); check what they show"
    )


def _labelled(
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


def _dataset(
    shown: Sequence[Source],
    columns: Mapping[str, NDArray[Any]],
    landmarks: NDArray[np.float32],
    output: Path,
    options: PrepareOptions,
) -> Dataset:
    """`shown`: whom each row shows."""
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
        is_eval=np.array([s.is_eval for s in shown], np.bool_),
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


def _report(dataset: Dataset, inputs: int, reused: int, skipped: Sequence[Skipped]) -> PrepareReport:
    return PrepareReport(
        folder=dataset.folder,
        inputs=inputs,
        inputs_reused=reused,
        crops=len(dataset),
        usable=int(dataset.usable.sum()),
        train_identities=len(np.unique(dataset.identity[~dataset.is_eval])),
        eval_identities=len(np.unique(dataset.identity[dataset.is_eval])),
        clips=len(dataset.clips),
        flags={name: int(flag.sum()) for name, flag in dataset.flags.items()},
        skipped=tuple(skipped),
    )


def _about(sources: Sequence[Source], options: PrepareOptions, report: PrepareReport) -> dict[str, Any]:
    """What `dataset.json` says beyond what is needed to read the dataset."""
    return {
        "counts": report.as_json(),
        "options": options.as_json(),
        "versions": {name: importlib.metadata.version(name) for name in ("retarget", "mediapipe", "av", "numpy")},
        "inputs": [
            {
                "file": name,
                "size_bytes": source.size_bytes,
                "modified_ns": source.modified_ns,
                "identity": source.identity,
                "split": SPLITS[int(source.is_eval)],
            }
            for name, source in zip(_names(sources), sources, strict=True)
        ],
    }


def _names(sources: Sequence[Source]) -> list[str]:
    """The files relative to the folder that they all are in."""
    root = _root(source.path for source in sources)
    return [source.path.relative_to(root).as_posix() for source in sources]


def _drop_stale(output: Path, tasks: Sequence[_Task], files: set[str]) -> None:
    """Removes parts, and crops of theirs that are none of `files`, of inputs or options that are no more."""
    current = {task.part for task in tasks}
    for old in sorted((output / PARTS_FOLDER).glob("*.npz")):
        if old in current:
            continue
        with contextlib.suppress(OSError, ValueError, KeyError):  # a damaged one names no crops
            for file in set(_Part.load(old).columns["crop_file"].tolist()) - files:
                (output / file).unlink(missing_ok=True)
        old.unlink()


def _write_skipped(path: Path, lines: Sequence[Skipped]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "frames", "reason"])
    writer.writerows([line.file, line.frames, line.reason] for line in lines)
    write_whole(path, text.getvalue().encode())


def _write_sheet(output: Path) -> None:
    sheet = cv2.cvtColor(contact_sheet(open_dataset(output)), cv2.COLOR_RGB2BGR)
    write_whole(output / SHEET_FILE, cv2.imencode(".png", sheet)[1].tobytes())


# Measuring crops again, as evaluation does


@dataclass(frozen=True, eq=False)
class Measured:
    """What the tracker sees in a crop."""

    action_units: NDArray[np.float32]
    """(46,) absolute, in [0, 1]."""
    landmarks: NDArray[np.float32]
    """(478, 3) crop pixels."""


class CropMeter:
    """The pipeline's own measure of a face, on crops; a context manager that owns mediapipe's graphs."""

    def __init__(self) -> None:
        self._landmarker = Landmarker()

    def __enter__(self) -> Self:
        self._landmarker.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._landmarker.__exit__(kind, error, trace)

    def measure(self, crop: NDArray[np.uint8], near: NDArray[np.floating]) -> Measured | None:
        """The face in a crop (S, S, 3) uint8 RGB, looked for at landmarks `near` (478, 3) in crop pixels.

        None where no face is seen there, or one of quite another size or place.
        """
        face: Face | None = self._landmarker.near(crop, near)
        return None if face is None else Measured(face.action_units, face.landmarks)
