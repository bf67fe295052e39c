"""Plans with what mouth and eyes borrow from other frames of the person, chosen before any picture is read.

Behind lips and lids that part, other frames of the same person show what is there; lips and lids that shut are
seen shut in others. So every frame of the person is a candidate for every moment of the plan (`looks`), the path
of least cost through them is found (`choice`), and what none of them shows is not opened (`reach`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec

from ..faces import apply, crop_matrix
from .choice import PLATE, Chosen, candidates, choose
from .loan import Key, Loan, Loans, Moment, Sighting
from .looks import Looks, Seen, looks_of
from .moving import moving
from .outlook import Outlook
from .parts import PARTS, Part
from .plan import FacePlan, Plans
from .render import Renderer
from .schedule import Steadied

DISSOLVE_SECONDS = 0.16
"""Over which one reference goes over into another, or into the plate."""

KEPT_SCALE = 0.75
"""What would be shrunk more than this where it goes is shrunk when it is read: it takes less room and no detail
aliases."""

LEAST_SHARE = 0.02
"""Less of a piece than that is not worth it."""


def borrowing(plans: Plans, renderer: Renderer) -> Plans:
    """The plans, moving as each person does (`moving`), opened no further than the footage shows, with what they
    borrow. Reads landmarks, no picture.

    A network that paints every pixel anew borrows nothing, nor does a geometry without a network.
    """
    plans = moving(plans, renderer)
    if not renderer.borrows:
        return plans
    faces, lent = [], _Lent()
    looks: dict[int, list[Looks]] = {}  # by person, who may be in many shots; those without a number apart
    for plan in plans.faces:
        moments = np.flatnonzero(plan.is_active)
        if len(moments):
            who = plan.track.person or id(plan.track)
            if who not in looks:
                seen = list(plans.seen(plan.track))
                looks[who] = [looks_of(seen, part) for part in PARTS]
            plan = _borrowing(plans, plan, moments, renderer, looks[who], lent)
        faces.append(plan)
    return replace(plans, faces=tuple(faces), loans=lent.loans(renderer.crop))


def _borrowing(
    plans: Plans,
    plan: FacePlan,
    moments: NDArray[np.int64],
    renderer: Renderer,
    looks: Sequence[Looks],
    lent: _Lent,
) -> FacePlan:
    """The plan, held back to what is seen in any frame, then to what is seen in those that were chosen."""
    outlook = Outlook(plans, plan, moments, renderer)
    plan = outlook.within_reach(plan, np.concatenate([outlook.shown(i, seen) for i, seen in enumerate(looks)], 1))
    shown = []
    for i, (wanted, seen) in enumerate(zip(outlook.wanted(plan), looks, strict=True)):
        kept = seen.only(candidates(seen)) if len(seen) else seen
        chosen = choose(wanted, kept)
        lent.take(plan, moments, PARTS[i], kept, chosen)
        shown.append(np.maximum(wanted.plate_gaps, _gaps_of(chosen, kept)))
    return outlook.within_reach(plan, np.concatenate(shown, 1))


def _gaps_of(chosen: Chosen, looks: Looks) -> NDArray[np.float64]:
    """(n, pieces) how far the chosen frames are open; 0 where it is the plate."""
    out = np.zeros_like(chosen.shares)
    borrowed = chosen.look != PLATE
    out[borrowed] = looks.gaps[chosen.look[borrowed]]
    return out


class _Lent:
    """Loans as they are made."""

    def __init__(self) -> None:
        self._by_moment: dict[Moment, list[Loan]] = {}
        self._lenders: dict[Key, tuple[Seen, int]] = {}
        self._sizes: dict[Key, float] = {}
        """Of the largest face that borrows from each, as the logarithm in `crop.alignment`."""

    def take(self, plan: FacePlan, moments: NDArray[np.int64], part: Part, looks: Looks, chosen: Chosen) -> None:
        """Borrows a part for all moments of a plan."""
        for look, shares in _dissolved(chosen, plan.track.seconds[moments]):
            seen, at = looks.track_of(look)
            key = (seen.track.shot, seen.track.face_id, at, seen.clip)
            self._lenders[key] = (seen, at)
            for k in np.flatnonzero(shares.max(1) > LEAST_SHARE):
                size = float(plan.alignments[moments[k], 2])
                self._sizes[key] = max(size, self._sizes.get(key, -np.inf))
                moment = (plan.track.shot, plan.track.face_id, int(moments[k]))
                loan = Loan(part, key, tuple(float(share) for share in shares[k]))
                self._by_moment.setdefault(moment, []).append(loan)

    def loans(self, crop: CropSpec) -> Loans:
        """All of them."""
        steadied: dict[int, Steadied] = {}
        out: dict[int, dict[int, list[Sighting]]] = {}
        for key, size in self._sizes.items():
            seen, at = self._lenders[key]
            if seen.clip not in steadied:
                steadied[seen.clip] = Steadied(seen.analysis)
            matrix = crop_matrix(seen.track.alignments[at], crop)
            landmarks = apply(matrix, steadied[seen.clip].landmarks(seen.track, at)).astype(np.float32)
            scale = float(np.exp(size - seen.track.alignments[at, 2]))
            sighting = Sighting(key, matrix, landmarks, scale if scale < KEPT_SCALE else 1.0)
            out.setdefault(seen.clip, {}).setdefault(int(seen.track.frames[at]), []).append(sighting)
        return Loans(self._by_moment, out)


def _dissolved(chosen: Chosen, seconds: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """(look, (n, pieces) how much it gives), going over softly."""
    step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1.0
    reach = max(0, round(DISSOLVE_SECONDS / step / 2))
    kernel = np.convolve(np.ones(reach + 1), np.ones(reach + 1)) / (reach + 1) ** 2
    for look in np.unique(chosen.look[chosen.look != PLATE]):
        here = chosen.shares * (chosen.look == look)[:, None]
        padded = np.pad(here, ((reach, reach), (0, 0)), mode="edge")
        yield int(look), np.stack([np.convolve(column, kernel, mode="valid") for column in padded.T], 1)
