"""Who is edited towards what: faces, requests and true frames, chosen once for every method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics import relative
from .bench import Bench
from .errors import EvaluationError
from .trials import Trial, paired_rows, spread, unpaired_trials


@dataclass(frozen=True, eq=False)
class Cast:
    """Who is edited towards what."""

    sources: tuple[int, ...]
    """Rows of the faces."""
    trials: tuple[Trial, ...]
    pairs: tuple[Trial, ...]
    notes: tuple[str, ...]


def choose(bench: Bench, rows: NDArray[np.int64]) -> Cast:
    """Faces, requests and pairs from the usable rows, by the seed alone.

    Raises:
        EvaluationError: the tracker sees no face, or no two faces differ enough.
    """
    dataset, options, rng = bench.dataset, bench.options, np.random.default_rng(bench.options.seed)
    faces = len(rows) if options.faces is None else options.faces
    order = [int(row) for row in rows[spread(dataset.identity[rows], 3 * faces, rng)]]
    seen: list[int] = []
    unseen = 0
    for row in bench.progress(order, "faces", len(order)):
        if len(seen) == 2 * faces:  # as many again as are edited, to take expressions from
            break
        if bench.gallery.measured(row):
            seen.append(row)
        else:
            unseen += 1
    if not seen:
        raise EvaluationError(f"{dataset.folder}: no face is seen in any of {len(order)} crops; look at sheet.png")
    trials = unpaired_trials(
        seen[:faces],
        seen,
        {row: bench.gallery.plate(row).action_units for row in seen},
        targets=options.targets,
        min_request=options.min_request,
        gaze=options.gaze,
        rng=rng,
    )
    if not trials:
        raise EvaluationError(
            f"{dataset.folder}: no two of {len(seen)} faces differ by {options.min_request:g} in expression; "
            "evaluate on more faces, or lower min_request"
        )
    notes = [f"{unseen} crops in which the tracker sees no face were passed over"] * bool(unseen)
    return Cast(tuple(seen[:faces]), tuple(trials), tuple(_pairs(bench, rows, rng)), tuple(notes))


def _pairs(bench: Bench, rows: NDArray[np.int64], rng: np.random.Generator) -> Iterator[Trial]:
    """Pairs whose both frames are seen; their requests include the gaze, for the true frame has it too."""
    dataset, options = bench.dataset, bench.options
    if not options.pairs:
        return
    found = paired_rows(
        dataset.action_units[rows],
        dataset.angles[rows],
        dataset.clip[rows],
        dataset.identity[rows],
        count=options.pairs,
        pose_degrees=options.pose_degrees,
        min_request=options.min_request,
        rng=rng,
    )
    for a, b in bench.progress(found, "pairs", len(found)):
        source, target = int(rows[a]), int(rows[b])
        if bench.gallery.measured(source) and bench.gallery.measured(target):
            own, wanted = (bench.gallery.plate(row).action_units for row in (source, target))
            yield Trial(source, target, relative(own, wanted, gaze=True))
