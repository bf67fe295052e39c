"""Where an edit is held back, and why: what cannot be edited well fades out, and nothing pops in or out."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ..faces import FaceTrack, Shot
from ..smoothing import runs, smooth
from .causes import Cause, Fade
from .trajectory import facing, fade

Series = NDArray[np.float64]

FADE_SECONDS = 0.25
"""From full effect to none, and back: an edit never comes or goes faster."""

FULL_EFFECT = 0.99
SEEN_BELOW = 0.9
"""A range in which more than this is let through all the time is nothing to tell."""

BORDER_FADE = (0.2, 0.4)
"""Share of the landmarks beyond the picture (full effect up to, none beyond). A forehead and brows that are cut
off are a fifth; from two fifths on, both eyes or the mouth and chin, the mesh sits where it likes."""

CONFIDENCE_FADE = (0.5, 0.1)

STEADY_FADE = (1.0, 2.0)
"""Of `_unrest`."""

_GROWTH, _MOTION = 0.08, 0.3
"""Second differences of a face's size (log) and place (per distance of the eyes) from frame to frame that are
still a face's own: 0.075 and 0.22 at most in fast and blurred shots, 0.02 and 0.05 in others. Where the mesh slips
off, they are 0.12 to 0.5 and 0.45 to 0.9."""

_STEADY_SECONDS = 0.3


def allowances(track: FaceTrack, shot: Shot) -> dict[Cause, Series]:
    """By cause, (n,) float64 in [0, 1]: how much of an edit is let through at each moment of the track.

    Zero phase: an edit is gone when its cause comes, and none changes by more than 1 in `FADE_SECONDS`. Where the
    shot itself begins or ends with the face, nothing fades.
    """
    seen = {
        "turned": _steady(facing(track.yaw_degrees, track.pitch_degrees, track.alignments[:, 3]), track),
        "border": fade(track.outside, *BORDER_FADE),
        "unsure": np.minimum(
            _steady(fade(track.confidence, *CONFIDENCE_FADE), track), fade(_unrest(track), *STEADY_FADE)
        ),
        "unseen": _seen_on_both_sides(track, shot),
    }
    return {cause: _eased(seen[cause], track.seconds) for cause in get_args(Cause)}


def fades_of(track: FaceTrack, allowed: Mapping[Cause, Series], asked: NDArray[np.bool_]) -> tuple[Fade, ...]:
    """The ranges in which something is asked and visibly held back, each with what holds it back most."""
    causes = list(allowed)
    table = np.stack([allowed[cause] for cause in causes])
    left = table.min(axis=0)
    least = np.where(asked & (left < FULL_EFFECT), table.argmin(axis=0), -1)
    edges = [0, *(np.flatnonzero(np.diff(least)) + 1).tolist(), len(least)]
    return tuple(
        Fade(int(track.frames[start]), int(track.frames[stop - 1]), causes[least[start]])
        for start, stop in itertools.pairwise(edges)
        if least[start] >= 0 and left[start:stop].min() < SEEN_BELOW
    )


def unbroken(track: FaceTrack) -> list[tuple[int, int]]:
    """(start, stop) of the track's runs of consecutive frames; where the face was lost in between, one ends."""
    return runs(track.frames.astype(np.float64), 0.5)  # half a frame: any missing one breaks a run


def _steady(raw: Series, track: FaceTrack) -> Series:
    """Without the measurement's unrest, and nowhere more than it allows."""
    return np.clip(
        np.minimum(smooth(raw[:, None], track.seconds, window_seconds=_STEADY_SECONDS)[:, 0], raw), 0, 1
    )


def _seen_on_both_sides(track: FaceTrack, shot: Shot) -> Series:
    """0 where the face comes or goes within the shot, else 1."""
    out = np.ones(len(track.frames))
    for start, stop in unbroken(track):
        if track.frames[start] > shot.first_frame + 1:
            out[start] = 0
        if track.frames[stop - 1] < shot.last_frame - 1:
            out[stop - 1] = 0
    return out


def _unrest(track: FaceTrack) -> Series:
    """(n,) how much more abruptly the mesh moves or grows than a face does; above 1 it has slipped."""
    out = np.zeros(len(track.frames))
    for start, stop in unbroken(track):
        if stop - start > 2:
            bend = np.abs(np.diff(track.alignments[start:stop, :3], 2, axis=0))
            eyes_px = np.exp(track.alignments[start + 1 : stop - 1, 2])
            moved = np.hypot(bend[:, 0], bend[:, 1]) / eyes_px
            out[start + 1 : stop - 1] = np.maximum(bend[:, 2] / _GROWTH, moved / _MOTION)
    return out


def _eased(raw: Series, seconds: Series) -> Series:
    """The highest curve under `raw` that never changes by more than 1 in `FADE_SECONDS`."""
    out = raw.copy()
    steps = np.diff(seconds) / FADE_SECONDS
    for i, step in enumerate(steps):
        out[i + 1] = min(out[i + 1], out[i] + step)
    for i in range(len(steps) - 1, -1, -1):
        out[i] = min(out[i], out[i + 1] + steps[i])
    return out
