"""Plans whose faces move as their own footage shows that they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..faces import head_pose
from ..smoothing import smooth
from .looks import LEAST_CONFIDENCE, Seen, upright
from .own_motion import OwnMotion, Rows, own_motion_of
from .plan import Plans
from .render import Renderer
from .schedule import Steadied

MOST_FRAMES = 200
"""Of a person that are learnt from, spread over the footage."""

_SMOOTH_SECONDS = 0.2
"""Over which action units are averaged, as in a plan."""


def moving(plans: Plans, renderer: Renderer) -> Plans:
    """The plans with each person's own motion. Reads landmarks, no picture."""
    if not renderer.moves or not any(plan.is_active.any() for plan in plans.faces):
        return plans
    known: dict[int, OwnMotion | None] = {}
    faces = []
    for plan in plans.faces:
        if plan.own_motion is None and plan.is_active.any():
            who = plan.track.person or id(plan.track)
            if who not in known:
                known[who] = _own_motion(list(plans.seen(plan.track)), renderer)
            plan = replace(plan, own_motion=known[who])
        faces.append(plan)
    return replace(plans, faces=tuple(faces))


def _own_motion(footage: Sequence[Seen], renderer: Renderer) -> OwnMotion | None:
    """Of a person; None where fewer than two frames show them well."""
    moments = [
        (seen, int(i)) for seen in footage for i in np.flatnonzero(seen.track.confidence >= LEAST_CONFIDENCE)
    ]
    if len(moments) < 2:
        return None
    spread = np.unique(np.linspace(0, len(moments) - 1, MOST_FRAMES).round().astype(int))
    rows = zip(*_looks([moments[i] for i in spread]), strict=True)
    expressions, turns, faces = (np.stack(column) for column in rows)
    usual = int(np.linalg.norm(expressions - np.median(expressions, 0), axis=1).argmin())
    general = renderer.motion(expressions - expressions[usual], faces[usual])
    return own_motion_of(expressions, turns, faces - faces[usual] - general)


def _looks(moments: Sequence[tuple[Seen, int]]) -> Iterator[tuple[Rows, Rows, Rows]]:
    """Expression (C,), turn (9,) and canonical landmarks (478, 3) at each moment."""
    expressions: dict[int, Rows] = {}
    steadied: dict[int, Steadied] = {}
    for seen, i in moments:
        track = seen.track
        if id(track) not in expressions:
            expressions[id(track)] = smooth(track.action_units, track.seconds, window_seconds=_SMOOTH_SECONDS)
        landmarks = steadied.setdefault(seen.clip, Steadied(seen.analysis)).landmarks(track, i)
        pose = head_pose(landmarks)
        yield expressions[id(track)][i], upright(pose).ravel(), pose.canonical(landmarks)
