"""An evaluation on paper: JSON, Markdown tables beside the required values, and grids of pictures."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.errors import RetargetError
from retarget.model.files import write_whole

from .scores import Evaluation, FilmRecord, MethodScores

NOT_MEASURED = "not measured"
"""In the side-by-side table; the notes say why."""

JSON_FILE, TABLES_FILE = "evaluation.json", "README.md"

_FONT, _TEXT_SCALE, _TEXT_PX = cv2.FONT_HERSHEY_SIMPLEX, 0.45, 18
_LABEL_CHARACTER_PX = 8.5

Number = float | None


class ReportWriteError(RetargetError, OSError):
    """The report's folder or disk refuses a file."""

    exit_code = 1


@contextlib.contextmanager
def as_written(path: Path) -> Iterator[None]:
    """What the file system refuses becomes a ReportWriteError that names `path`."""
    try:
        yield
    except OSError as error:
        raise ReportWriteError(
            f"{path}: the report cannot be written ({error.strerror or error}); check the folder and the disk's "
            "free space"
        ) from error


@dataclass(frozen=True)
class Measure:
    """One row of the extended table."""

    name: str
    value: Callable[[MethodScores], Number]
    required: str = ""
    aim: str = ""
    holds: Callable[[float, float], bool] | None = None
    """Whether a value (first) meets what is required; second is the warp's own value."""
    digits: int = 3
    missing: str = ""
    """Key of `Evaluation.missing` that explains a None."""


@dataclass(frozen=True)
class Grid:
    """A picture file of the report, and what it shows."""

    file: str
    caption: str


MEASURES: tuple[Measure, ...] = (
    Measure(
        "ED ratio, all AUs (distance to the request, after / before)",
        lambda m: m.unpaired.ed_ratio,
        "<= 0.45 and <= 0.9 of the warp",
        "<= 0.25",
        lambda value, warp: value <= 0.45 and value <= 0.9 * warp,
    ),
    Measure("ED ratio, OpenFace's 17 AUs", lambda m: m.unpaired.ed_ratio_openface),
    Measure(
        "ED ratio, OpenFace's 17 AUs as OpenFace sees them",
        lambda m: m.openface.ed_ratio if m.openface else None,
        missing="ED (OpenFace)",
    ),
    Measure(
        "requested vs achieved, all AUs: r",
        lambda m: _nothing_asked(m, m.unpaired.response.r),
        ">= 0.86",
        ">= 0.95",
        lambda value, _: value >= 0.86,
    ),
    Measure(
        "requested vs achieved, all AUs: slope",
        lambda m: m.unpaired.response.slope,
        "0.7 - 1.1",
        "0.9 - 1.1",
        lambda value, _: 0.7 <= value <= 1.1,
    ),
    Measure(
        "leakage into AUs not asked for",
        lambda m: m.unpaired.leakage,
        "no worse than the warp",
        "half of it",
        lambda value, warp: value <= warp,
    ),
    Measure("leakage into AUs not asked for, gaze apart", lambda m: m.unpaired.leakage_without_gaze),
    Measure("leakage of single-AU edits", lambda m: m.sweep.leakage if m.sweep else None),
    Measure(
        "identity, ACD", lambda m: m.unpaired.acd, "<= 0.30", "<= 0.20", lambda value, _: value <= 0.30,
        missing="ACD",
    ),
    Measure("identity, worst edit", lambda m: m.unpaired.acd_max, missing="ACD"),
    Measure(
        "true frame, mouth: perceptual / doing nothing",
        lambda m: m.paired.mouth.perceptual if m.paired else None,
        "<= 0.75 of the warp",
        "<= 0.5 of it",
        lambda value, warp: value <= 0.75 * warp,
        missing="pairs",
    ),
    Measure(
        "true frame, eyes: perceptual / doing nothing",
        lambda m: m.paired.eyes.perceptual if m.paired else None,
        "<= 0.75 of the warp",
        "<= 0.5 of it",
        lambda value, warp: value <= 0.75 * warp,
        missing="pairs",
    ),
    Measure(
        "true frame, mouth: L1 / doing nothing",
        lambda m: m.paired.mouth.l1 if m.paired else None,
        "<= 0.75 of the warp",
        "<= 0.5 of it",
        lambda value, warp: value <= 0.75 * warp,
        missing="pairs",
    ),
    Measure(
        "true frame, eyes: L1 / doing nothing",
        lambda m: m.paired.eyes.l1 if m.paired else None,
        "<= 0.75 of the warp",
        "<= 0.5 of it",
        lambda value, warp: value <= 0.75 * warp,
        missing="pairs",
    ),
    Measure(
        "true frame: identity, ACD of source and edit", lambda m: m.paired.acd if m.paired else None, missing="ACD"
    ),
    Measure(
        "true frame: identity, ACD of source and true frame",
        lambda m: m.paired.acd_true if m.paired else None,
        missing="ACD",
    ),
    Measure(
        "sharpness in the edited region / plate, median",
        lambda m: 1.0 if m.kind == "nothing" else m.unpaired.sharpness,
        "0.9 - 1.1",
        "0.97 - 1.03",
        lambda value, _: 0.9 <= value <= 1.1,
    ),
    Measure("zero edit, L1 (0 is exact)", lambda m: m.zero.l1, "exact", "exact", lambda value, _: value == 0, 5),
    Measure("films by the main job: ED ratio", lambda m: m.film.ed_ratio if m.film else None, missing="films"),
    Measure("films: r", lambda m: m.film.response.r if m.film else None, missing="films"),
    Measure("films: slope", lambda m: m.film.response.slope if m.film else None, missing="films"),
    Measure(
        "films: second difference of landmarks / driver's",
        lambda m: m.film.temporal if m.film else None,
        missing="films",
    ),
    Measure(
        "films: second difference of landmarks / drivers', pooled",
        lambda m: m.film.temporal_pooled if m.film else None,
        "<= 1.2",
        "<= 1.0",
        lambda value, _: value <= 1.2,
        missing="films",
    ),
    Measure(
        "films: second difference of landmarks / source's",
        lambda m: m.film.temporal_source if m.film else None,
        missing="films",
    ),
    Measure("faces lost after the edit", lambda m: float(m.unpaired.faces_lost), digits=0),
    Measure(
        "GFLOPs a frame",
        lambda m: m.cost.gflops if m.cost else None,
        "<= 10",
        holds=lambda value, _: value <= 10,
        digits=2,
    ),
    Measure("milliseconds a frame", lambda m: m.cost.milliseconds if m.cost else None, digits=1),
)  # fmt: skip


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
        "edits, those to doing nothing are of the same edits.",
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
    text = number(value, measure.digits)
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
    missing = e.missing.get("IS", "-")
    has_openface = any(m.openface for m in e.methods)
    rows = [["real images", _spread(e.real_inception, missing), "-", "-", "-"]]
    for m in e.methods:
        acd = number(m.unpaired.acd) if m.unpaired.acd is not None else e.missing.get("ACD", "-")
        score = _spread(m.inception, missing) if m.kind != "nothing" else "-"
        by_openface = number(m.openface.ed) if m.openface else NOT_MEASURED
        rows.append([m.label, score, acd, number(m.unpaired.ed_openface), by_openface])
    columns = 5 if has_openface else 4
    header = ["method", "IS ↑", "ACD ↓", "ED ↓", "ED (OpenFace) ↓"][:columns]
    note = "ED over OpenFace's 17 action units, both sides averaged, as in the paper; ours are the tracker's."
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
            rows.append([m.label, number(zero.l1, 4), number(zero.psnr_db, 2), number(zero.ssim, 4)])
    note = (
        "L1 and PSNR on full range [0, 1]; PSNR of the mean squared error over all pictures. Exact: bit for bit, "
        "every picture. For an absolute condition a zero edit asks for the face's own action units."
    )
    return table(["method", "L1 ↓", "PSNR ↑", "SSIM ↑"], rows) + "\n\n" + note


def _by_unit(e: Evaluation) -> str:
    methods = [m for m in e.methods if m.kind != "nothing"]
    names = sorted({name for m in methods for name in m.unpaired.per_unit})
    header = ["action unit", *(f"{m.label}: slope / r (edits)" for m in methods)]
    rows = []
    for name in names:
        cells = []
        for m in methods:
            found = m.unpaired.per_unit.get(name)
            cells.append(f"{number(found.slope, 2)} / {number(found.r, 2)} ({found.count})" if found else "-")
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


def _spread(score: tuple[float, float] | None, missing: str) -> str:
    return f"{score[0]:.3f} ± {score[1]:.3f}" if score else missing


def _setting(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _nothing_asked(method: MethodScores, value: float) -> Number:
    """Doing nothing correlates with nothing."""
    return None if method.kind == "nothing" else value


def draw_grid(
    rows: Sequence[Sequence[NDArray[np.uint8]]],
    *,
    columns: Sequence[str],
    labels: Sequence[str],
    cell_px: int,
) -> NDArray[np.uint8]:
    """RGB pictures (S, S, 3) in a labelled grid on white: `columns` above, `labels` left of the rows.

    A label may have lines; ASCII only, which is what OpenCV's font has.
    """
    left = round(
        max((len(line) for label in labels for line in label.split("\n")), default=0) * _LABEL_CHARACTER_PX
    )
    left = left + 8 if left else 0
    top = _TEXT_PX + 6 if any(columns) else 0
    gap = 2
    height = top + len(rows) * (cell_px + gap)
    width = left + max(len(row) for row in rows) * (cell_px + gap)
    canvas = np.full((height, width, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        y = top + i * (cell_px + gap)
        for j, picture in enumerate(row):
            x = left + j * (cell_px + gap)
            canvas[y : y + cell_px, x : x + cell_px] = _fitted(picture, cell_px)
    for j, text in enumerate(columns):
        shown = text[: int(cell_px / _LABEL_CHARACTER_PX)]
        _write(canvas, shown, left + j * (cell_px + gap) + 2, top - 8)
    for i, label in enumerate(labels):
        y = top + i * (cell_px + gap) + _TEXT_PX
        for line in label.split("\n"):
            _write(canvas, line, 4, y)
            y += _TEXT_PX
    return canvas


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """An RGB picture as PNG; appears when it is whole.

    Raises:
        ReportWriteError: the file system refuses.
    """
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert done, "PNG takes any 8-bit picture"
    with as_written(path):
        write_whole(path, data.tobytes())


def _fitted(picture: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    if picture.shape[0] == size_px:
        return picture
    how = cv2.INTER_AREA if picture.shape[0] > size_px else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size_px, size_px), interpolation=how), np.uint8)


def _write(canvas: NDArray[np.uint8], text: str, x: int, y: int) -> None:
    cv2.putText(canvas, text, (x, y), _FONT, _TEXT_SCALE, (0, 0, 0), 1, cv2.LINE_AA)
