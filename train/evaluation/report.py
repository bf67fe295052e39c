"""An evaluation on paper: JSON, and Markdown tables beside the required values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from retarget.model.files import write_whole

from .errors import as_written
from .requirements import MEASURES, Measure, Number
from .scores import Evaluation, FilmRecord, KernelDistances, MethodScores

NOT_MEASURED = "not measured"
"""In the side-by-side table; the notes say why."""

JSON_FILE, TABLES_FILE = "evaluation.json", "README.md"


@dataclass(frozen=True)
class Grid:
    """A picture file of the report, and what it shows."""

    file: str
    caption: str


def write_evaluation(folder: Path, evaluation: Evaluation, grids: Sequence[Grid]) -> None:
    """Writes evaluation.json and README.md; each appears when it is whole.

    Raises:
        ReportWriteError: the file system refuses.
    """
    data = json.dumps(evaluation.as_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    text = markdown(evaluation, grids)
    with as_written(folder):
        write_whole(folder / JSON_FILE, data.encode())
        write_whole(folder / TABLES_FILE, text.encode())


def markdown(evaluation: Evaluation, grids: Sequence[Grid] = ()) -> str:
    """The whole report as Markdown."""
    notes = [f"- {note}" for note in _notes(evaluation)]
    pictures = [f"![{grid.caption}]({grid.file})\n\n{grid.caption}" for grid in grids]
    parts = [
        "# Evaluation",
        _summary(evaluation),
        "## Side by side",
        _side_by_side(evaluation),
        "## Table 1: network-based evaluation",
        _table_1(evaluation),
        "## Table 3: reconstruction by a zero edit",
        _table_3(evaluation),
        *_kernel(evaluation),
        "## Requested against achieved, by action unit",
        _by_unit(evaluation),
        *_films(evaluation),
        "## Notes",
        "\n".join(notes),
        *(["## Pictures", *pictures] if pictures else []),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(e: Evaluation) -> str:
    settings = ", ".join(f"{name} {_setting(value)}" for name, value in e.settings.items())
    rows = [
        f"{e.faces} faces of {e.identities} people of the {e.split} split of `{e.dataset}`, "
        f"{max((m.unpaired.edits for m in e.methods), default=0)} edits a method.",
        "Action units are measured on the plate and on the edit by the same tracker; requests are limited to "
        "[-1, 1]; ED is the l2 distance to the requested action units on unit range. Ratios are of means over "
        "edits, those to doing nothing are of the same edits. In square brackets, where 90 % of the bootstrap's "
        "resamples of people have a figure (of films: resamples of films).",
        f"Settings: {settings}.",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in e.versions.items()) + ".",
    ]
    return "\n\n".join(rows)


def _side_by_side(e: Evaluation) -> str:
    header = ["measure", *(m.label for m in e.methods), "required", "aim"]
    rows = []
    for measure in MEASURES:
        cells = [_cell(measure, method, e) for method in e.methods]
        if measure.required or any(cell not in ("-", NOT_MEASURED) for cell in cells):
            rows.append([measure.name, *cells, measure.required, measure.aim])
    note = (
        "✓: meets what is required of a checkpoint; ✗: does not. Gaze apart: a lid that moves changes what the "
        "tracker says of gaze, though the eye has not moved. The ACD of source and true frame is what the same "
        "face moves by changing its expression as much."
    )
    return table(header, rows) + "\n\n" + note


def _cell(measure: Measure, method: MethodScores, e: Evaluation) -> str:
    value = measure.value(method)
    if value is None:
        return NOT_MEASURED if measure.missing in e.missing and method.kind != "nothing" else "-"
    text = with_interval(method, measure.name, number(value, measure.digits), measure.digits)
    if measure.holds is None or method.is_reference or not math.isfinite(value):
        return text
    warp = _warp_for(method, e)
    reference = measure.value(warp) if warp else None
    return f"{text} {'✓' if measure.holds(value, math.nan if reference is None else reference) else '✗'}"


def _warp_for(method: MethodScores, e: Evaluation) -> MethodScores | None:
    """The warp to compare with: one at the method's own crop size, if there is."""
    warps = [m for m in e.methods if m.kind == "warp"]
    return next((m for m in warps if m.crop_px == method.crop_px), warps[0] if warps else None)


def _table_1(e: Evaluation) -> str:
    missing, no_classes = e.missing.get("IS", "-"), e.missing.get("CS", "-")
    has_openface = any(m.openface for m in e.methods)
    real_inception = _spread(e.real_inception, missing)
    rows = [
        [f"real images, {size_px} px", real_inception, _spread(score, "-"), "-", "-", "-"]
        for size_px, score in sorted(e.real_class_score.items())
    ] or [["real images", real_inception, no_classes, "-", "-", "-"]]
    for m in e.methods:
        is_nothing = m.kind == "nothing"
        acd = _figure(m, "ACD", m.unpaired.acd) if m.unpaired.acd is not None else e.missing.get("ACD", "-")
        score = "-" if is_nothing else with_interval(m, "IS", _spread(m.inception, missing))
        shown = "-" if is_nothing else with_interval(m, "CS", _spread(m.class_score, no_classes))
        by_openface = number(m.openface.ed) if m.openface else NOT_MEASURED
        rows.append([m.label, score, shown, acd, _figure(m, "ED", m.unpaired.ed_openface), by_openface])
    columns = 6 if has_openface else 5
    header = ["method", "IS ↑", "CS ↑", "ACD ↓", "ED ↓", "ED (OpenFace) ↓"][:columns]
    note = (
        "ED over OpenFace's 17 action units, both sides averaged, as in the paper; ours are the tracker's. CS is "
        "the inception score's formula with another classifier: of 8 classes, clusters of the training people's "
        "expressions, by EfficientNet-Lite1's features, learnt at the method's crop size."
    )
    if e.class_accuracy:
        right = ", ".join(f"{share:.2f} at {size_px} px" for size_px, share in sorted(e.class_accuracy.items()))
        note += f" It puts the unedited faces into their class as often as {right}."
    if has_openface:
        note += (
            " ED (OpenFace), the paper's: OpenFace's measurement of the edit against that of the target's picture."
        )
    return table(header, [row[:columns] for row in rows]) + "\n\n" + note


def _table_3(e: Evaluation) -> str:
    rows = []
    for m in e.methods:
        zero = m.zero
        if zero.is_exact:
            rows.append([m.label, "0 (exact)", "∞", "1 (exact)"])
        else:
            figures = (("L1", zero.l1, 4), ("PSNR", zero.psnr_db, 2), ("SSIM", zero.ssim, 4))
            rows.append([m.label, *(_figure(m, name, value, digits) for name, value, digits in figures)])
    note = (
        "L1 and PSNR on full range [0, 1]; PSNR of the mean squared error over all pictures. Exact: bit for bit, "
        "every picture. For an absolute condition a zero edit asks for the face's own action units."
    )
    return table(["method", "L1 ↓", "PSNR ↑", "SSIM ↑"], rows) + "\n\n" + note


def _kernel(e: Evaluation) -> list[str]:
    if e.real_kernel is None:
        return []
    rows = [["real faces, one half to the other", *_distances(e.real_kernel)]]
    rows += [[m.label, *_distances(m.judges.kernel if m.judges else None)] for m in e.methods]
    note = (
        "KID x 1000 of the edits' mouths and eyes to those of other pictures of the same people, at most 8 "
        "a person, by EfficientNet-Lite1, which no loss uses; in brackets 90 % of the bootstrap's resamples. "
        "Doing nothing has the sources' own: how far these faces are from the others before any edit."
    )
    return ["## Mouths and eyes against real ones", f"{table(['method', 'mouth', 'eyes'], rows)}\n\n{note}"]


def _distances(found: KernelDistances | None) -> list[str]:
    both = (found.mouth, found.eyes) if found else (None, None)
    return [f"{d.value:.2f} ({d.low:.2f} to {d.high:.2f})" if d else "-" for d in both]


def _by_unit(e: Evaluation) -> str:
    methods = [m for m in e.methods if m.kind != "nothing"]
    names = sorted({name for m in methods for name in m.unpaired.per_unit})
    header = ["action unit", *(f"{m.label}: slope / r (edits)" for m in methods)]
    rows = []
    for name in names:
        cells = []
        for m in methods:
            found = m.unpaired.per_unit.get(name)
            if found is None:
                cells.append("-")
                continue
            slope = with_interval(m, f"slope of {name}", number(found.slope, 2), 2)
            cells.append(f"{slope} / {number(found.r, 2)} ({found.count})")
        rows.append([name, *cells])
    text = table(header, rows) if rows else "No action unit was asked to change often enough."
    swept = [m for m in methods if m.sweep]
    if not swept:
        return text
    units = list(swept[0].sweep.slopes) if swept[0].sweep else []
    rows = [[u, *(number(m.sweep.slopes[u].slope, 2) if m.sweep else "-" for m in swept)] for u in units]
    return f"{text}\n\nOne action unit at a time (slope):\n\n{table(['', *(m.label for m in swept)], rows)}"


def _films(e: Evaluation) -> list[str]:
    """The section with a row a film; nothing where no film was measured."""
    by_method = {
        m.label: {(film.source, film.driver): film for film in m.film.per_film} for m in e.methods if m.film
    }
    pairs = list(dict.fromkeys(pair for films in by_method.values() for pair in films))
    if not pairs:
        return []
    rows = [[*pair, *(_film_cell(films.get(pair)) for films in by_method.values())] for pair in pairs]
    note = (
        "ED ratio / second difference of landmarks over the driver's / over the source's. Over the driver's, "
        "doing nothing shows how lively the source is by itself; a driver of another frame rate is interpolated "
        "there, which takes off some of its shake. What is required is required of the pooled value in the first "
        "table: every clip at its own rate there, so that doing nothing has about 1."
    )
    return ["## Films", f"{table(['source', 'driver', *by_method], rows)}\n\n{note}"]


def _film_cell(film: FilmRecord | None) -> str:
    if film is None:
        return "-"
    return " / ".join(number(value, 2) for value in (film.ed_ratio, film.temporal, film.temporal_source))


def _notes(e: Evaluation) -> list[str]:
    films = [f"{m.label}: film left out: {line}" for m in e.methods if m.film for line in m.film.skipped]
    cost = next((m.cost for m in e.methods if m.cost), None)
    timed = [f"times on {cost.device} with {cost.threads} threads, median, batch 1"] if cost else []
    absent = [f"{name}: {reason}" for name, reason in e.missing.items()]
    return [*e.notes, *absent, *timed, *films, f"measured in {e.seconds:.0f} s"]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; numbers' columns lean right."""
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def number(value: Number, digits: int = 3) -> str:
    """A number as a cell; "-" for what does not exist."""
    if value is None or math.isnan(value):
        return "-"
    return "∞" if math.isinf(value) else f"{value:.{digits}f}"


def with_interval(method: MethodScores, name: str, text: str, digits: int = 3) -> str:
    """A figure's cell with where 90 % of the resamples have it."""
    found = method.intervals.get(name)
    return f"{text} [{number(found.low, digits)}, {number(found.high, digits)}]" if found else text


def _figure(method: MethodScores, name: str, value: Number, digits: int = 3) -> str:
    return with_interval(method, name, number(value, digits), digits)


def _spread(score: tuple[float, float] | None, missing: str) -> str:
    return f"{score[0]:.3f} ± {score[1]:.3f}" if score else missing


def _setting(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
