"""How far each figure would be another with other people: bootstrap over people (films: over films)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .film import FilmOutcome, film_scores
from .findings import Findings
from .methods import Method
from .requirements import MEASURES, Number, unit_slope
from .scores import Interval, MethodScores

RESAMPLES = 200
FEWEST_PEOPLE = 5
"""Of fewer, nearly the same are drawn again every time."""
QUANTILES = (0.05, 0.95)

Figure = Callable[[MethodScores], Number]

FIGURES: Mapping[str, Figure] = {
    "IS": lambda m: m.inception[0] if m.inception else None,
    "CS": lambda m: m.class_score[0] if m.class_score else None,
    "ACD": lambda m: m.unpaired.acd,
    "ED": lambda m: m.unpaired.ed_openface,
    "L1": lambda m: m.zero.l1,
    "PSNR": lambda m: m.zero.psnr_db,
    "SSIM": lambda m: m.zero.ssim,
    **{measure.name: measure.value for measure in MEASURES},
}
"""By the name that the report has them under."""


def with_intervals(
    scores: MethodScores, findings: Findings, method: Method, identity: NDArray[np.int64], *, seed: int
) -> MethodScores:
    """The scores with where 90 % of the resamples have each figure; of few people, or of one that varies in no
    resample (for one person has it all), there is none.

    Args:
        identity: (n,) whom each of the dataset's rows shows.
    """
    people, rng = findings.people(identity), np.random.default_rng([seed, 6])
    if len(people) < FEWEST_PEOPLE:
        return scores
    drawn = (
        findings.of(rng.choice(people, len(people)).tolist(), identity).scores(method, None, real={}, seed=seed)
        for _ in range(RESAMPLES)
    )
    return replace(scores, intervals=_intervals(drawn, scores))


def with_film_intervals(scores: MethodScores, films: Sequence[FilmOutcome], *, seed: int) -> MethodScores:
    """The same of the films."""
    if len(films) < FEWEST_PEOPLE:
        return scores
    rng = np.random.default_rng([seed, 7])
    drawn = (
        replace(scores, film=film_scores([films[i] for i in rng.integers(0, len(films), len(films))]))
        for _ in range(RESAMPLES)
    )
    return replace(scores, intervals={**_intervals(drawn, scores), **scores.intervals})


def _intervals(drawn: Iterable[MethodScores], scores: MethodScores) -> dict[str, Interval]:
    figures = {**FIGURES, **{f"slope of {name}": unit_slope(name) for name in scores.unpaired.per_unit}}
    found: dict[str, list[float]] = {name: [] for name in figures}
    for resample in drawn:
        for name, figure in figures.items():
            value = figure(resample)
            if value is not None and math.isfinite(value):
                found[name].append(value)
    return {
        name: Interval(*(float(q) for q in np.quantile(values, QUANTILES)))
        for name, values in found.items()
        if len(values) > RESAMPLES // 2 and not math.isclose(max(values), min(values), rel_tol=1e-6, abs_tol=1e-9)
    }
