"""Who is set aside for evaluation: always the same people, of those in clips and of those on pictures alike."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from ..data import Dataset

FEWEST_TO_DIVIDE = 3
"""People of a kind of whom one is set aside: two are needed to learn from."""


def with_split(dataset: Dataset, said: Mapping[str, bool], *, eval_fraction: float) -> Dataset:
    """The dataset with people set aside for evaluation; `said` of some by name, as a list has it."""
    moving = {dataset.identities[i] for i in people_in_clips(dataset)}
    evaluated = evaluated_people(dataset.identities, moving, said, eval_fraction=eval_fraction)
    chosen = np.array([name in evaluated for name in dataset.identities], np.bool_)
    return replace(dataset, is_eval=chosen[dataset.identity])


def evaluated_people(
    people: Collection[str], moving: Collection[str], said: Mapping[str, bool], *, eval_fraction: float
) -> frozenset[str]:
    """Names of those set aside: about that fraction of the people in clips (`moving`) and of the others.

    Each name has a fixed place, so a person stays where they are when others join, but for one case: of three
    people of a kind or more at least one is set aside, and never more than twice the fraction.
    """
    chosen = {name for name in people if said.get(name, False)}
    for kind in ({*people} & {*moving}, {*people} - {*moving}):
        open_ones = sorted(kind - said.keys(), key=_place)
        wanted = sum(_place(name) < eval_fraction for name in open_ones)
        least = int(len(kind) >= FEWEST_TO_DIVIDE and eval_fraction > 0 and not kind & chosen)
        most = max(least, math.ceil(2 * eval_fraction * len(open_ones)))
        chosen |= set(open_ones[: min(max(wanted, least), most)])
    return frozenset(chosen)


def people_in_clips(dataset: Dataset) -> set[int]:
    """Places in `Dataset.identities` of those of whom two frames of one clip are usable."""
    usable = np.flatnonzero(dataset.usable)
    _, first, frames = np.unique(dataset.clip[usable], return_index=True, return_counts=True)
    return set(dataset.identity[usable[first[frames > 1]]].tolist())


def _place(identity: str) -> float:
    """A number in [0, 1) that is the same for that name on every machine."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:6]) / 2**48
