"""Which stretches of which tracks are one person, over all shots of a clip.

Tracks come out with one person each and, in each shot, one track for each person: whoever was lost for a while, or
was mixed up with somebody on the way past, goes on as the same face.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .analysis import ClipAnalysis, FaceTrack
from .portraits import Stretch

SAME_PERSON = 0.5
"""Mean distance of two groups of stretches up to which they are one person. Means of a few good portraits lie
nearer than single pictures (0.6): measured on films, 0.46 at most for one person and 0.53 at least for two."""

SAME_TRACK = 0.15
"""Stretches of one track may be that much further apart: the tracker found the face again where it had been."""

SINGLE_PORTRAIT = 0.1
"""A stretch of which there is one portrait only has to be that much nearer to those of other tracks: blurred faces
that flit by look alike."""

MOST_PORTRAITS = 8
"""That a track keeps."""

_APART = 9.0
"""A distance at which nothing is ever joined."""

_PER_FRAME = ("rows", "frames", "seconds", "action_units", "alignments", "confidence", "yaw_degrees",
              "pitch_degrees", "size_px", "centers", "outside")  # fmt: skip


def with_persons(analysis: ClipAnalysis, stretches: Sequence[Stretch]) -> ClipAnalysis:
    """The analysis with tracks that are of one person each, numbered.

    `stretches` are those of all its tracks, and cover all their frames.
    """
    if not stretches:
        return analysis
    groups = group(stretches)
    by_track: dict[tuple[int, int], list[int]] = {}
    for i, stretch in enumerate(stretches):
        by_track.setdefault((stretch.shot, stretch.face_id), []).append(i)
    pieces: dict[tuple[int, int], list[_Piece]] = {}
    for track in analysis.tracks:
        own = sorted(by_track[track.shot, track.face_id], key=lambda i: stretches[i].first_frame)
        for stretch, start, stop in _cut(track, [stretches[i] for i in own], [groups[i] for i in own]):
            at = next(i for i in own if stretches[i] is stretch)
            pieces.setdefault((track.shot, groups[at]), []).append(_Piece(track, start, stop, stretch))
    joined = [(group_, _joined(parts)) for (_, group_), parts in pieces.items()]
    numbers = _numbers(joined)
    tracks = [replace(track, person=numbers[group_]) for group_, track in joined]
    return replace(analysis, tracks=tuple(_in_order(tracks)))


# Grouping


def group(stretches: Sequence[Stretch]) -> list[int]:
    """The group of each stretch: agglomerative, by mean distance of the groups' stretches up to `SAME_PERSON`.

    Two that are seen at the same time are never in one group. Takes O(n^2) memory, and time as n^3 at worst.
    """
    members = [[i] for i in range(len(stretches))]
    distance = _distances(stretches)
    weight = np.ones(len(stretches))
    while len(stretches) > 1:
        nearest = int(np.argmin(distance))
        a, b = sorted((nearest // len(stretches), nearest % len(stretches)))
        if distance[a, b] > SAME_PERSON:
            break
        apart = np.maximum(distance[a], distance[b]) >= _APART
        mean = (weight[a] * distance[a] + weight[b] * distance[b]) / (weight[a] + weight[b])
        distance[a] = distance[:, a] = np.where(apart, _APART, mean)
        distance[a, a] = _APART
        distance[b] = distance[:, b] = _APART
        weight[a] += weight[b]
        members[a], members[b] = [*members[a], *members[b]], []
    found = [0] * len(stretches)
    for number, group_ in enumerate(members):
        for i in group_:
            found[i] = number
    return found


def _distances(stretches: Sequence[Stretch]) -> NDArray[np.float64]:
    """(n, n) of the stretches' mean descriptors."""
    means = np.stack([stretch.descriptors.mean(axis=0) for stretch in stretches]).astype(np.float64)
    square = (means**2).sum(axis=1)
    distance = np.sqrt(np.maximum(square[:, None] + square - 2 * means @ means.T, 0))
    shot, face, first, last, sure = (
        np.array([getattr(stretch, name) for stretch in stretches])
        for name in ("shot", "face_id", "first_frame", "last_frame", "sure_until_frame")
    )
    is_one_track = (shot[:, None] == shot) & (face[:, None] == face)
    is_single = np.array([len(stretch.frames) == 1 for stretch in stretches])
    distance[is_one_track] -= SAME_TRACK
    distance[~is_one_track & (is_single[:, None] | is_single)] += SINGLE_PORTRAIT
    together = np.minimum(last[:, None], last) - np.maximum(first[:, None], first) + 1
    length = last - first + 1
    are_sure = np.minimum(sure[:, None], sure) >= np.maximum(first[:, None], first)
    at_once = are_sure | (2 * together > np.minimum(length[:, None], length))
    distance[at_once & ~is_one_track] = _APART
    np.fill_diagonal(distance, _APART)
    return np.asarray(distance, np.float64)


def _numbers(tracks: Iterable[tuple[int, FaceTrack]]) -> dict[int, int]:
    """The groups' numbers from 1: who is seen in most frames, then who is seen first, then from the left."""
    frames: dict[int, int] = {}
    appearance: dict[int, tuple[int, float]] = {}
    for group_, track in tracks:
        frames[group_] = frames.get(group_, 0) + len(track.frames)
        here = (int(track.frames[0]), float(track.centers[0, 0]))
        appearance[group_] = min(appearance.get(group_, here), here)
    ordered = sorted(frames, key=lambda group_: (-frames[group_], *appearance[group_]))
    return {group_: number for number, group_ in enumerate(ordered, 1)}


# Cutting and joining tracks


@dataclass(frozen=True, eq=False)
class _Piece:
    """Moments start to stop of a track, which are one person's."""

    track: FaceTrack
    start: int
    stop: int
    stretch: Stretch


def _cut(track: FaceTrack, stretches: Sequence[Stretch], groups: Sequence[int]) -> list[tuple[Stretch, int, int]]:
    """(stretch, start, stop): the track's moments by stretch; where people met, it is cut at the largest jump."""
    starts = [0]
    for i in range(1, len(stretches)):
        start = int(np.searchsorted(track.frames, stretches[i].first_frame))
        if groups[i] != groups[i - 1]:
            start = _jump(track, int(np.searchsorted(track.frames, stretches[i - 1].sure_until_frame)), start)
        starts.append(max(start, starts[-1]))
    stops = [*starts[1:], len(track.frames)]
    return [(s, a, b) for s, a, b in zip(stretches, starts, stops, strict=True) if b > a]


def _jump(track: FaceTrack, sure: int, start: int) -> int:
    """The moment in (sure, start] at which the face has moved most since the one before, relative to its size."""
    if start <= sure + 1:
        return start
    steps = np.linalg.norm(np.diff(track.centers[sure : start + 1], axis=0), axis=1)
    sizes = np.abs(np.diff(np.log(track.size_px[sure : start + 1])))
    return sure + 1 + int(np.argmax(steps / track.size_px[sure:start] + sizes))


def _joined(pieces: Sequence[_Piece]) -> FaceTrack:
    """One track of the pieces; of moments that two of them have the first piece's counts."""
    frames = np.concatenate([piece.track.frames[piece.start : piece.stop] for piece in pieces])
    _, order = np.unique(frames, return_index=True)
    arrays: Mapping[str, NDArray[np.generic]] = {
        name: np.concatenate([getattr(piece.track, name)[piece.start : piece.stop] for piece in pieces])[order]
        for name in _PER_FRAME
    }
    qualities = np.concatenate([piece.stretch.qualities for piece in pieces])
    best = np.argsort(-qualities, kind="stable")
    portraits = np.concatenate([piece.stretch.frames for piece in pieces])[best]
    kept = np.isin(portraits, frames)
    return FaceTrack(
        shot=pieces[0].track.shot,
        face_id=min(piece.track.face_id for piece in pieces),
        portraits=portraits[kept][:MOST_PORTRAITS],
        descriptors=np.concatenate([piece.stretch.descriptors for piece in pieces])[best][kept][:MOST_PORTRAITS],
        **arrays,  # type: ignore[arg-type]
    )


def _in_order(tracks: Sequence[FaceTrack]) -> list[FaceTrack]:
    """The tracks by shot and appearance, their ids counted anew within each shot."""
    ordered = sorted(tracks, key=lambda track: (track.shot, int(track.frames[0]), track.face_id))
    seen: dict[int, int] = {}
    out = []
    for track in ordered:
        seen[track.shot] = seen.get(track.shot, -1) + 1
        out.append(replace(track, face_id=seen[track.shot]))
    return out
