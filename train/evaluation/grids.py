"""The pictures of an evaluation: what numbers cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from .bench import Bench, Picture
from .drawing import draw_grid, write_picture
from .film_judges import WorstMoment
from .measurements import Outcome, Sweep
from .methods import Method
from .picture_judges import JUDGES, Verdicts, worst_of
from .report import Grid
from .trials import STRIP_ALPHAS, SWEEP_UNITS, SWEEP_VALUES, Trial

SWEEP_CELL_PX = 144
CELL_PX = 192

UNPAIRED_ROWS, PAIR_ROWS = 10, 10
JUDGED_ROWS = 24


def file_name(kind: str, label: str) -> str:
    """A name any file system takes: `kind-label.png`."""
    return f"{kind}-{safe_name(label)}.png"


def safe_name(label: str) -> str:
    """The label as a name any file system takes, and never that of a folder above."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", label).strip("-.") or "method"


def write_sweep(sweep: Sweep, number: int, folder: Path) -> Grid:
    """Fig. 4/5 of the paper for one face and method: a row an action unit, a column a relative value."""
    grid = draw_grid(
        sweep.pictures,
        columns=[f"{value:+g}" if value else "0" for value in SWEEP_VALUES],
        labels=SWEEP_UNITS,
        cell_px=SWEEP_CELL_PX,
    )
    name = file_name(f"sweep-{number}", sweep.method.label)
    write_picture(folder / name, grid)
    return Grid(name, f"{sweep.method.label}: single action units, face {number}")


def write_unpaired(bench: Bench, trials: Sequence[Trial], folder: Path) -> Iterator[Grid]:
    """Fig. 6: source, each method's edit, and the face whose expression was asked for."""
    shown = _one_a_source(trials)[:UNPAIRED_ROWS]
    yield _comparison(bench, shown, folder / "unpaired.png", "edits towards another person's expression (last)")


def write_pairs(bench: Bench, pairs: Sequence[Trial], folder: Path) -> Iterator[Grid]:
    """Source, each method's edit, and the true frame."""
    if pairs:
        yield _comparison(bench, pairs[:PAIR_ROWS], folder / "pairs.png", "edits towards a true frame (last)")


def write_strips(bench: Bench, trials: Sequence[Trial], folder: Path) -> Iterator[Grid]:
    """Fig. 8 (Eq. 2): from one expression to another, `v1 + alpha (v2 - v1) - v_source`."""
    by_source: dict[int, list[Trial]] = {}
    for trial in trials:
        by_source.setdefault(trial.source, []).append(trial)
    ends = [found[:2] for found in by_source.values() if len(found) > 1][: bench.options.strips]
    for method in bench.editing if ends else []:
        rows = [_strip(bench, method, *pair) for pair in ends]
        columns = ["source", *(f"alpha {alpha:g}" for alpha in STRIP_ALPHAS)]
        name = file_name("interpolation", method.label)
        write_picture(folder / name, draw_grid(rows, columns=columns, labels=[""] * len(rows), cell_px=CELL_PX))
        yield Grid(name, f"{method.label}: interpolation between two expressions (Eq. 2)")


def write_worst(bench: Bench, outcomes: dict[str, list[Outcome]], folder: Path) -> Iterator[Grid]:
    """The edits that end up furthest from what was asked, relative to it; lost faces first."""
    for method in bench.editing if bench.options.worst else []:
        worst = sorted(outcomes[method.label], key=_badness, reverse=True)[: bench.options.worst]
        rows, labels = [], []
        for outcome in worst:
            trial = outcome.trial
            plate, asked = (bench.gallery.plate(row) for row in (trial.source, trial.target))
            rows.append([plate.picture, *method.edit([plate], trial.delta_au[None]), asked.picture])
            size = float(np.linalg.norm(trial.delta_au))
            labels.append("face lost" if outcome.after is None else f"ED {outcome.ed:.2f}\nof {size:.2f}")
        name = file_name("worst", method.label)
        grid = draw_grid(rows, columns=["source", "edit", "asked"], labels=labels, cell_px=CELL_PX)
        write_picture(folder / name, grid)
        yield Grid(name, f"{method.label}: its worst edits by distance to the request")


def write_judged(bench: Bench, verdicts: Mapping[str, Verdicts], folder: Path) -> Iterator[Grid]:
    """The worst edits to each judge of pictures: source, edit, and what was asked."""
    for method in bench.editing if bench.options.worst else []:
        for judge, badness in JUDGES.items():
            worst = worst_of(verdicts[method.label], badness, JUDGED_ROWS)
            if not worst:
                continue
            cells = [_judged_cells(bench, method, verdict.trial) for verdict, _ in worst]
            labels = [f"{bad:.2f}" for _, bad in worst]
            name = file_name(f"worst-{safe_name(judge)}", method.label)
            half = -(-len(cells) // 2)  # two edits a row
            rows = [[*cells[i], *(cells[i + half] if i + half < len(cells) else [])] for i in range(half)]
            sides = [f"{a}\n{b}" for a, b in zip_longest(labels[:half], labels[half:], fillvalue="")]
            columns = ["source", "edit", "asked"] * 2
            write_picture(folder / name, draw_grid(rows, columns=columns, labels=sides, cell_px=CELL_PX))
            yield Grid(name, f"{method.label}: its worst edits by {judge}, two a row with a number each")


def write_moments(method: Method, moments: Sequence[WorstMoment], folder: Path) -> Iterator[Grid]:
    """What the judges of pictures flag in films: source and output."""
    if not moments:
        return
    rows = [[moment.before, moment.after] for moment in moments]
    name = file_name("worst-films", method.label)
    columns, labels = ["source", "output"], [moment.caption for moment in moments]
    write_picture(folder / name, draw_grid(rows, columns=columns, labels=labels, cell_px=CELL_PX))
    yield Grid(name, f"{method.label}: frames of films that are flagged, by colours never seen")


def _judged_cells(bench: Bench, method: Method, trial: Trial) -> list[Picture]:
    source, asked = (bench.gallery.plate(row) for row in (trial.source, trial.target))
    return [source.picture, *method.edit([source], trial.delta_au[None]), asked.picture]


def _comparison(bench: Bench, trials: Sequence[Trial], path: Path, caption: str) -> Grid:
    rows = []
    for trial in trials:
        source, target = (bench.gallery.plate(row) for row in (trial.source, trial.target))
        edits = [method.edit([source], trial.delta_au[None])[0] for method in bench.editing]
        rows.append([source.picture, *edits, target.picture])
    columns = ["source", *(method.label for method in bench.editing), "target"]
    write_picture(path, draw_grid(rows, columns=columns, labels=[""] * len(rows), cell_px=CELL_PX))
    return Grid(path.name, caption)


def _strip(bench: Bench, method: Method, first: Trial, second: Trial) -> list[Picture]:
    plate = bench.gallery.plate(first.source)
    # Both requests count from the same source: v1 + alpha (v2 - v1) - v_source is a mean of the two.
    requests = np.stack([(1 - alpha) * first.delta_au + alpha * second.delta_au for alpha in STRIP_ALPHAS])
    return [plate.picture, *method.edit([plate] * len(requests), requests)]


def _one_a_source(trials: Sequence[Trial]) -> list[Trial]:
    return list({trial.source: trial for trial in reversed(trials)}.values())[::-1]


def _badness(outcome: Outcome) -> float:
    if outcome.after is None:
        return float("inf")
    return outcome.ed / float(np.linalg.norm(outcome.trial.delta_au))
