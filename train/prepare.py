"""From clips to a table of faces: the same tracker and the same canonical frame as the pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.errors import RetargetError
from retarget.model.geometry import LANDMARKS
from retarget.pipeline.expression import head_pose
from retarget.pipeline.records import Face, Frame
from retarget.pipeline.shots import PROXY_PX, detect_shots
from retarget.pipeline.track import FaceTracker
from retarget.pipeline.video import open_video, proxy


@dataclass(frozen=True, eq=False)
class FaceTable:
    """Faces of many clips, one row a face and frame."""

    canonical: NDArray[np.float32]
    """(n, 478, 3) landmarks in the canonical frame (front-facing, outer eye corners 1 apart)."""
    action_units: NDArray[np.float32]
    """(n, C) absolute, in [0, 1]."""
    angles: NDArray[np.float32]
    """(n, 2) yaw and pitch in degrees."""
    residual: NDArray[np.float32]
    """(n,) misfit of the head pose, canonical units."""
    clip: NDArray[np.int64]
    """(n,) number of the clip."""
    identity: NDArray[np.int64]
    """(n,) number of the person."""

    def __post_init__(self) -> None:
        n = len(self.clip)
        wanted = {"canonical": (n, LANDMARKS, 3), "action_units": (n, action_units.COUNT), "angles": (n, 2)}
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"FaceTable.{name} has shape {getattr(self, name).shape}, expected {shape}")

    def __len__(self) -> int:
        return len(self.clip)


def identity_of(path: Path) -> str:
    """The person a clip shows, by its name: what stands before `--`, or the whole stem."""
    return path.stem.split("--")[0]


def measure_clips(paths: Sequence[Path], *, frames_per_clip: int = 120) -> tuple[FaceTable, list[str]]:
    """The largest face of up to `frames_per_clip` evenly spread frames of each clip, and what was skipped and why.

    Holds one frame, and about 6 kB a row.
    """
    identities = {name: i for i, name in enumerate(sorted({identity_of(path) for path in paths}))}
    rows: list[tuple[NDArray[np.float32], NDArray[np.float32], tuple[float, float], float, int, int]] = []
    skipped: list[str] = []
    for number, path in enumerate(paths):
        before = len(rows)
        try:
            for face in _largest_faces(path, frames_per_clip):
                pose = head_pose(face.landmarks)
                canonical = pose.canonical(face.landmarks).astype(np.float32)
                angles = (face.yaw_degrees, face.pitch_degrees)
                who = identities[identity_of(path)]
                rows.append((canonical, face.action_units, angles, pose.residual, number, who))
        except RetargetError as error:
            skipped.append(str(error))
            continue
        if len(rows) == before:
            skipped.append(f"{path}: no face found")
    if not rows:
        raise RetargetError(f"no face found in any of {len(paths)} clips; check the paths")
    columns = list(zip(*rows, strict=True))
    return FaceTable(
        canonical=np.stack(columns[0]),
        action_units=np.stack(columns[1]),
        angles=np.array(columns[2], np.float32),
        residual=np.array(columns[3], np.float32),
        clip=np.array(columns[4], np.int64),
        identity=np.array(columns[5], np.int64),
    ), skipped


def _largest_faces(path: Path, frames_per_clip: int) -> Iterator[Face]:
    with open_video(path) as reader:
        info = reader.info
        step = max(1, info.frame_count_from_header // frames_per_clip)
        with FaceTracker(info) as tracker:
            shots = detect_shots(reader, lambda frame: proxy(frame, info, PROXY_PX))
            for tracked in tracker.track(_every(shots, step)):
                if tracked.faces:
                    yield max(tracked.faces, key=lambda face: face.size_px)


def _every(frames: Iterable[tuple[Frame, int]], step: int) -> Iterator[tuple[Frame, int]]:
    return (item for i, item in enumerate(frames) if i % step == 0)
