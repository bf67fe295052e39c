"""Drivers: where the wanted expression comes from, as a function of the source's seconds.

`SeriesDriver` plays a tracked clip or a capture file; `curves.CurveDriver` plays keyframes. Capture files are
read here: OpenFace, our own tracking CSV, py-feat, Live Link Face and any CSV of ARKit/MediaPipe blendshapes.
A file is held whole (only its action-unit columns); asking for targets holds nothing.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..errors import DriverError, NoFaceError, OptionError, UnknownActionUnitError
from ..faces import blendshapes
from ..files import whole_file
from ..records import ExpressionSeries, Target

Mode = Literal["match", "add"]
After = Literal["release", "hold", "loop"]
Neutral = Literal["auto", "none"] | float
SeriesKind = Literal["openface", "retarget", "py-feat", "live-link-face", "blendshapes"]

MAX_GAP_SECONDS = 0.5
"""A face lost for no longer than this is interpolated across; a longer loss lets the performance through."""

DEFAULT_FRAME_RATE = Fraction(30)
"""Assumed for files that count frames and do not say how fast."""


class Driver(Protocol):
    """Says what expression is wanted at any moment of the source."""

    @property
    def duration_seconds(self) -> float:
        """Second of the source at which the performance is over, offset included; inf for a still."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings for the user, one line each."""
        ...

    def target(self, seconds: NDArray[np.float64], face: int) -> Target:
        """What is asked of one face at N moments.

        `seconds` (N,) float64 count from the source's first frame; `face` is the position of the face among
        those selected in the run, from 0.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class DriverOptions:
    """How a clip or capture file is played on the source."""

    mode: Mode = "match"
    """match: take on the driver's expression. add: add its departure from neutral to the performance."""
    offset_seconds: float = 0.0
    """The driver's time 0 is at this second of the source; may be negative."""
    after: After | None = None
    """After the driver's end: back to the performance, stay, or start again. None: release for sampled
    drivers, hold for keyframed curves."""
    release_seconds: float = 0.5
    """Length of the ramp after the end (release), and of the one before a start later than the source's."""
    neutral: Neutral = "auto"
    """What the driver's expression is measured from: estimated, nothing, or the driver at this second."""
    face: int = 0
    """Which face of a file with several, from 0."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.offset_seconds):
            raise OptionError(f"driver offset {self.offset_seconds} is not a time; give seconds")
        if not (math.isfinite(self.release_seconds) and self.release_seconds >= 0):
            raise OptionError(f"driver release {self.release_seconds} is not a length; give seconds, 0 or more")
        if self.face < 0:
            raise OptionError(f"driver face {self.face} is negative; faces count from 0")
        if isinstance(self.neutral, float | int) and not (math.isfinite(self.neutral) and self.neutral >= 0):
            raise OptionError(f"driver neutral {self.neutral} is no time in the driver; give seconds, 0 or more")


def smoothstep(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 below 0, 1 above 1, an S without corners between (3x^2 - 2x^3)."""
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(x * x * (3.0 - 2.0 * x), np.float64)


def fade(seconds_left: NDArray[np.float64], ramp_seconds: float) -> NDArray[np.float64]:
    """1 while at least `ramp_seconds` are left, 0 once none is, a smooth ramp between (a step if it is 0)."""
    if ramp_seconds <= 0:
        return (seconds_left >= 0).astype(np.float64)
    return smoothstep(seconds_left / ramp_seconds)


class SeriesDriver:
    """Plays an expression series (a tracked clip or a capture file) on the source's time."""

    def __init__(
        self,
        series: ExpressionSeries,
        neutral: NDArray[np.floating],
        *,
        options: DriverOptions | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        """`neutral` (C,) is what the series is measured from.

        Raises:
            NoFaceError: no moment of the series has a confidence above 0.
            ValueError: `neutral` has another shape.
        """
        if neutral.shape != (action_units.COUNT,):
            raise ValueError(f"neutral has shape {neutral.shape}, expected ({action_units.COUNT},)")
        reliable = series.confidence > 0
        if not reliable.any():
            raise NoFaceError("the driver shows no usable face at any moment; use another driver")
        self._options = options or DriverOptions()
        self._notes = tuple(notes)
        self._filled = series.filled.copy()
        self._is_still = len(series.seconds) == 1
        self._seconds = series.seconds[reliable]
        departure = np.where(series.filled, series.values - neutral, 0)
        self._departure = departure[reliable].astype(np.float64)
        steps = np.diff(series.seconds)
        self._step = float(np.median(steps)) if len(steps) else 0.0
        self._length = float(series.seconds[-1]) + self._step

    @property
    def duration_seconds(self) -> float:
        """Second of the source at which the driver ends (for a loop: its first round); inf for a still."""
        return math.inf if self._is_still else self._options.offset_seconds + self._length

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    def target(self, seconds: NDArray[np.float64], face: int) -> Target:  # noqa: ARG002 - the same for every face
        """See `Driver`; samples are interpolated linearly, and across gaps of up to about half a second."""
        own = np.asarray(seconds, np.float64) - self._options.offset_seconds
        weight = fade(own + self._options.release_seconds, self._options.release_seconds)
        if not self._is_still:
            own, after_weight = self._play(own)
            weight = weight * after_weight * self._presence(own)
        values = self._at(own)
        shape = values.shape
        return Target(
            values=values.astype(np.float32),
            weight=(weight[:, None] * self._filled).astype(np.float32),
            additive=np.full(shape, self._options.mode == "add"),
        )

    def _play(self, own: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times within the series for any time, and the weight after its end."""
        after = self._options.after or "release"
        weight = np.ones_like(own)
        if after == "loop":
            return np.where(own >= 0, own % self._length, own), weight
        if after == "release":
            release = self._options.release_seconds
            # a release of 0 is a cut at the end itself, not one moment later
            weight = (
                fade(self._length + release - own, release) if release else np.where(own < self._length, 1.0, 0.0)
            )
        return np.minimum(own, self._seconds[-1] if after == "hold" else self._length), weight

    def _presence(self, own: NDArray[np.float64]) -> NDArray[np.float64]:
        """[0, 1]: 1 near reliable samples, 0 in the middle of a long gap without any."""
        known = self._seconds
        # sparsely sampled files (py-feat skips frames) are not full of gaps
        longest = max(MAX_GAP_SECONDS, 3 * self._step)
        ramp = longest / 2
        at = np.searchsorted(known, own, side="right")
        before = np.where(at > 0, known[np.maximum(at - 1, 0)], 0.0)  # the clip's own edges bound a gap
        behind = np.where(at < len(known), known[np.minimum(at, len(known) - 1)], self._length)
        since = np.where(at > 0, own - before, np.inf)
        until = np.where(at < len(known), behind - own, np.inf)
        in_gap = np.maximum(smoothstep(1 - since / ramp), smoothstep(1 - until / ramp))
        return np.where(behind - before > longest, in_gap, 1.0)

    def _at(self, own: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, C) departure from neutral; held beyond the first and last reliable sample."""
        known, departure = self._seconds, self._departure
        if self._options.after == "loop" and not self._is_still:  # the seam leads back to the first sample
            known = np.append(known, self._length + known[0])
            departure = np.concatenate([departure, departure[:1]])
        if len(known) == 1:
            return np.repeat(departure, len(own), axis=0)
        right = np.clip(np.searchsorted(known, own, side="right"), 1, len(known) - 1)
        start, end = known[right - 1], known[right]
        alpha = np.clip((own - start) / (end - start), 0.0, 1.0)[:, None]
        blended: NDArray[np.float64] = departure[right - 1] * (1 - alpha) + departure[right] * alpha
        return blended


RESTING_CAPS: Mapping[str, float] = {
    # What a relaxed face may show, in unit range: habitual brows, narrow eyes, lips not quite shut. Squint
    # (AU07) is what blendshape trackers overstate most at rest: its median over many calm clips is a third.
    "AU01": 0.20, "AU02": 0.20, "AU04": 0.20, "AU05": 0.10, "AU06": 0.08, "AU07": 0.35, "AU09": 0.05,
    "AU10": 0.05, "AU12": 0.08, "AU14": 0.08, "AU15": 0.12, "AU16": 0.05, "AU17": 0.12, "AU18": 0.12,
    "AU20": 0.05, "AU22": 0.08, "AU23": 0.12, "AU24": 0.12, "AU25": 0.10, "AU26": 0.08, "AU28": 0.08,
    "AU29": 0.05, "AU30": 0.05, "AU45": 0.10, "MouthShift": 0.05,
    "AU61": 0.0, "AU62": 0.0, "AU63": 0.0, "AU64": 0.0,  # looking somewhere is no resting expression
}  # fmt: skip
"""Per unit, the most that an estimated neutral may hold: a clip which is all smile has a neutral too."""

CALM_FRACTION = 0.15
"""Share of the frames, the calmest, that the neutral is taken from."""

_EYES_SHUT = 0.4


def estimate_neutral(series: ExpressionSeries) -> NDArray[np.float32]:
    """The face's resting expression, (C,) float32 in [0, 1], robustly estimated.

    The median over the calmest frames (least activity of mouth and brow) that are confident and have open
    eyes, limited per action unit by `RESTING_CAPS`. Zero where the series knows nothing.
    """
    usable = _confident(series)
    open_eyed = usable & (_mean_of(series.values, "AU45") < _EYES_SHUT)
    chosen = np.flatnonzero(open_eyed if open_eyed.any() else usable)
    values = series.values[chosen]
    calmness = values[:, _calm_columns()].sum(axis=1)
    calmest = np.argsort(calmness, kind="stable")[: max(1, math.ceil(CALM_FRACTION * len(chosen)))]
    resting = np.median(values[calmest], axis=0) if len(calmest) else np.zeros(action_units.COUNT)
    return np.where(series.filled, np.minimum(resting, _caps()), 0).astype(np.float32)


def neutral_at(series: ExpressionSeries, seconds: float, *, window_seconds: float = 0.2) -> NDArray[np.float32]:
    """The expression at a moment, (C,) float32: the mean of the reliable samples in a window around it.

    Raises:
        DriverError: no reliable sample within half a second of that moment.
    """
    distance = np.where(series.confidence > 0, np.abs(series.seconds - seconds), np.inf)
    if distance.min() > max(window_seconds / 2, MAX_GAP_SECONDS):
        raise DriverError(
            f"no usable face around {seconds:g} s for the neutral expression; the driver runs "
            f"{series.seconds[0]:g} to {series.seconds[-1]:g} s"
        )
    near = distance <= max(window_seconds / 2, float(distance.min())) + 1e-6  # the window's edges count
    return np.where(series.filled, series.values[near].mean(axis=0), 0).astype(np.float32)


def neutral_of(series: ExpressionSeries, neutral: Neutral) -> NDArray[np.float32]:
    """The (C,) float32 expression that `DriverOptions.neutral` stands for in this series.

    Raises:
        DriverError: see `neutral_at`.
    """
    if neutral == "auto":
        return estimate_neutral(series)
    if neutral == "none":
        return np.zeros(action_units.COUNT, np.float32)
    return neutral_at(series, float(neutral))


def _confident(series: ExpressionSeries) -> NDArray[np.bool_]:
    """Samples at least half as believable as the best one."""
    usable: NDArray[np.bool_] = (series.confidence > 0) & (series.confidence >= series.confidence.max() / 2)
    return usable


def _mean_of(values: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    return np.asarray(values[:, list(action_units.resolve(name))].mean(axis=1), np.float32)


def _calm_columns() -> list[int]:
    brow = [i for name in ("AU01", "AU02", "AU04") for i in action_units.resolve(name)]
    return [*action_units.in_regions(["mouth"]), *brow]


def _caps() -> NDArray[np.float64]:
    return np.array([RESTING_CAPS[unit.name] for unit in action_units.ACTION_UNITS for _ in unit.entries])


@dataclass(frozen=True)
class SeriesFile:
    """A capture file as read."""

    series: ExpressionSeries
    kind: SeriesKind
    notes: tuple[str, ...]
    """Warnings for the user, one line each."""


def load_capture(path: Path, options: DriverOptions, *, frame_rate: Fraction | None = None) -> SeriesDriver:
    """A capture CSV as a driver, measured from the neutral that the options ask for.

    Raises:
        DriverError: the file cannot be used (see `read_series`), or shows no face at the neutral's time.
    """
    file = read_series(path, face=options.face, frame_rate=frame_rate)
    try:
        neutral = neutral_of(file.series, options.neutral)
    except DriverError as error:
        raise DriverError(f"{path}: {error}") from error
    return SeriesDriver(file.series, neutral, options=options, notes=file.notes)


def read_series(path: str | Path, *, face: int = 0, frame_rate: Fraction | None = None) -> SeriesFile:
    """One face's expression over time from a capture CSV, whose format is told by its header.

    `face` picks one of several faces, from 0, in the order of their ids. `frame_rate` times files that count
    frames and have no seconds (assumed 30, with a note, where it is needed and None).

    Raises:
        DriverError: unreadable file, unknown header, missing columns, no rows, no such face, a value that is
            no number or out of range, times that do not increase. One line, with line and column.
    """
    path = Path(path)
    header = _read_header(path)
    kind = _kind_of(path, header)
    return _READERS[kind](_Source(path, header, face, frame_rate))


@dataclass(frozen=True)
class _Source:
    """What a format's reader is given."""

    path: Path
    header: _Header
    face: int
    frame_rate: Fraction | None


@dataclass(frozen=True)
class _Header:
    """A CSV's column names, stripped, as lower case: OpenFace 2.0 writes ", " between them."""

    names: tuple[str, ...]
    delimiter: str

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.names

    def first_of(self, *names: str) -> str | None:
        """The first of the names that is a column."""
        return next((name for name in names if name in self), None)


@dataclass(frozen=True)
class _Table:
    """The columns of interest of a CSV, as text."""

    path: Path
    lines: tuple[int, ...]
    """Line of the file each row is on."""
    columns: Mapping[str, Sequence[str]]
    """Per column name in lower case, one cell per row; "" where a row is too short."""

    def __len__(self) -> int:
        return len(self.lines)

    def text(self, name: str) -> Sequence[str]:
        return self.columns[name.lower()]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """(n,) float64; NaN where the cell is empty or says so.

        Raises:
            DriverError: a cell that is neither, or infinite.
        """
        cells = self.text(name)
        parsed = np.array([_number(cell) for cell in cells], np.float64)
        if np.isinf(parsed).any():
            row = int(np.flatnonzero(np.isinf(parsed))[0])
            raise DriverError(
                f"{self.path}: line {self.lines[row]}, column {name}: {cells[row]!r} is not a number; "
                "correct or export it again"
            )
        return parsed

    def require_numbers(self, name: str, *, where: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """(n,) float64 without NaN in the rows `where` says (all); NaN elsewhere becomes 0.

        Raises:
            DriverError: an empty, NaN, infinite or non-numeric cell.
        """
        parsed = self.numbers(name)
        missing = np.isnan(parsed)
        wanted = missing if where is None else missing & where
        if wanted.any():
            line = self.lines[int(np.flatnonzero(wanted)[0])]
            raise DriverError(
                f"{self.path}: line {line}, column {name}: no value; remove the row or mark it success 0"
            )
        return np.where(missing, 0.0, parsed)

    def rows(self, keep: NDArray[np.bool_]) -> _Table:
        """Only the rows where `keep` (n,) holds."""
        kept = [int(i) for i in np.flatnonzero(keep)]
        return _Table(
            self.path,
            tuple(self.lines[i] for i in kept),
            {name: [cells[i] for i in kept] for name, cells in self.columns.items()},
        )


def _number(cell: str) -> float:
    """The cell as a float, NaN if it is empty; inf stands for anything that is no number."""
    if not cell:
        return math.nan
    try:
        return float(cell)
    except ValueError:
        return math.inf


@contextmanager
def _open_csv(path: Path) -> Iterator[TextIO]:
    """The file as text; every way of not being a readable text file is a DriverError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except (UnicodeDecodeError, csv.Error) as error:
        raise DriverError(f"{path}: not a CSV text file ({error}); give a capture exported as CSV") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DriverError(f"{path}: cannot be read ({reason}); check the name and the permissions") from error


def _read_header(path: Path) -> _Header:
    with _open_csv(path) as file:
        line = file.readline()
        delimiter = max(",;\t", key=line.count)
        names = next(csv.reader([line], delimiter=delimiter), [])
    if not any(name.strip() for name in names):
        raise DriverError(f"{path}: the file is empty; a capture CSV begins with a line of column names")
    return _Header(tuple(name.strip().lower() for name in names), delimiter)


def _read_table(source: _Source, wanted: Iterable[str]) -> _Table:
    """The wanted columns; the rest (OpenFace has 714) is never kept.

    Raises:
        DriverError: a wanted column occurs twice, or there are no rows.
    """
    names, path = tuple(dict.fromkeys(name.lower() for name in wanted)), source.path
    counts = Counter(source.header.names)
    for name in names:
        if counts[name] != 1:
            raise DriverError(f"{path}: column {name!r} occurs {counts[name]} times; keep one of them")
    places = [source.header.names.index(name) for name in names]
    lines: list[int] = []
    cells: list[tuple[str, ...]] = []
    with _open_csv(path) as file:
        reader = csv.reader(file, delimiter=source.header.delimiter)
        next(reader)
        for row in reader:
            if any(cell.strip() for cell in row):
                lines.append(reader.line_num)
                cells.append(tuple(row[i].strip() if i < len(row) else "" for i in places))
    if not cells:
        raise DriverError(f"{path}: no rows under the header; the capture is empty, export it again")
    return _Table(path, tuple(lines), dict(zip(names, zip(*cells, strict=True), strict=True)))


_INTENSITY = re.compile(r"au\d\d_r$")
_PRESENCE = re.compile(r"au\d\d_c$")
_BARE_UNIT = re.compile(r"au\d\d$")
_SIDED_ENTRIES = tuple(name for unit in action_units.ACTION_UNITS if unit.sided for name in unit.entries)
_PY_FEAT_MARKS = ("facerectx", "facescore", "approx_time", "input")


def _kind_of(path: Path, header: _Header) -> SeriesKind:
    """Which format has such a header.

    Raises:
        DriverError: none that is known.
    """
    shapes = blendshapes.count_known(header.names)
    if any(name in header for name in _SIDED_ENTRIES):
        return "retarget"
    if any(_INTENSITY.match(name) for name in header.names):
        return "openface"
    if any(_BARE_UNIT.match(name) for name in header.names) and header.first_of(*_PY_FEAT_MARKS):
        return "py-feat"
    if shapes > len(blendshapes.NAMES) // 2:
        return "live-link-face" if "timecode" in header else "blendshapes"
    if any(_PRESENCE.match(name) for name in header.names) or {"success", "confidence"} <= set(header.names):
        raise DriverError(
            f"{path}: an OpenFace file without intensities (AU01_r ...); run FeatureExtraction with -aus"
        )
    raise DriverError(
        f"{path}: no known capture format; columns of OpenFace (AU12_r), retarget track (AU12L, AU12R), "
        "py-feat (AU12, FaceScore), Live Link Face (Timecode, JawOpen) or MediaPipe/ARKit blendshapes (jawOpen) "
        "are understood"
    )


# Each format's reader ends in `_series_file`, which checks what all of them share.


def _read_openface(source: _Source) -> SeriesFile:
    """OpenFace FeatureExtraction, FaceLandmarkImg and pyfaceau; `_r` columns on the 0..5 scale."""
    columns = [name for name in source.header.names if _INTENSITY.match(name)]
    table, notes = _openface_rows(source, columns)
    confidence = _confidence(table)
    values, filled = _unit_columns(table, columns, confidence > 0, action_units.OPENFACE_SCALE)
    return _series_file(source, table, "openface", values, filled, confidence, notes=notes)


def _read_tracking(source: _Source) -> SeriesFile:
    """Our own tracking CSV: any of the schema's columns, 0..1; OpenFace's beside them are not needed."""
    columns = [name for name in action_units.NAMES if name in source.header]
    table, notes = _openface_rows(source, columns)
    confidence = _confidence(table)
    values, filled = _unit_columns(table, columns, confidence > 0, 1.0)
    return _series_file(source, table, "retarget", values, filled, confidence, notes=notes)


def _read_py_feat(source: _Source) -> SeriesFile:
    """py-feat's Fex: detector scores 0..1, several faces as several rows of a frame."""
    units = [name for name in source.header.names if _BARE_UNIT.match(name)]
    known = [name for name in units if _is_unit(name)]
    notes = ["py-feat reports scores, not calibrated intensities; adjust with gains if the effect is off"]
    if unknown := sorted(set(units) - set(known)):
        notes.append(f"ignored {', '.join(name.upper() for name in unknown)}, not among the action units")
    optional = [name for name in ("identity", "facescore", "frame") if name in source.header]
    table = _read_table(source, [*known, *optional])
    table = table.rows(_py_feat_face(source, table))
    confidence = _fraction_column(table, "facescore")
    has_values = np.all([~np.isnan(table.numbers(name)) for name in known], axis=0)
    confidence = np.where(has_values, confidence, 0.0)  # undetected faces are rows of NaN
    values, filled = _unit_columns(table, known, confidence > 0, 1.0)
    return _series_file(source, table, "py-feat", values, filled, confidence, notes=notes)


def _read_live_link(source: _Source) -> SeriesFile:
    """Epic's Live Link Face in ARKit mode; timecode, 0..1. A row without blendshapes is a lost face."""
    shapes = [name for name in source.header.names if blendshapes.count_known([name])]
    if source.face > 0:
        raise DriverError(f"{source.path}: no face {source.face}; Live Link Face captures one, face 0")
    table = _read_table(source, ["timecode", *shapes])
    empty = np.all([[not cell for cell in table.text(name)] for name in shapes], axis=0)
    confidence = np.where(empty, 0.0, 1.0)
    values, filled = _from_shapes(table, shapes, ~empty)
    seconds = _timecode_seconds(table, source.frame_rate)
    fresh = np.diff(seconds, prepend=-1.0) != 0
    notes = []
    if not fresh.all():  # the app repeats a timecode when the phone is late
        notes.append(f"{int((~fresh).sum())} rows repeat the timecode before them and were left out")
    kept = table.rows(fresh)
    return _series_file(
        source,
        kept,
        "live-link-face",
        values[fresh],
        filled,
        confidence[fresh],
        seconds=seconds[fresh],
        notes=notes,
    )


def _read_blendshapes(source: _Source) -> SeriesFile:
    """A CSV with most of ARKit's names and a column of time; there is no standard, so any order and case."""
    shapes = [name for name in source.header.names if blendshapes.count_known([name])]
    table, notes = _openface_rows(source, shapes)
    confidence = _confidence(table)
    values, filled = _from_shapes(table, shapes, confidence > 0)
    dead = [
        name
        for name in shapes
        if name.startswith(_NEARLY_DEAD) and np.nan_to_num(table.numbers(name)).max() < 0.01
    ]
    lost = [u for u in action_units.ACTION_UNITS if _made_of(u, dead)]
    if lost:
        names = ", ".join(unit.name for unit in lost)
        notes.append(
            f"{names} never move in this capture (MediaPipe hardly reports them); left to the performance"
        )
    for unit in lost:
        filled[list(action_units.resolve(unit.name))] = False
    return _series_file(source, table, "blendshapes", values, filled, confidence, notes=notes)


_READERS: Mapping[SeriesKind, Callable[[_Source], SeriesFile]] = {
    "openface": _read_openface,
    "retarget": _read_tracking,
    "py-feat": _read_py_feat,
    "live-link-face": _read_live_link,
    "blendshapes": _read_blendshapes,
}

_NEARLY_DEAD = ("eyewide", "nosesneer", "cheeksquint")
"""Blendshapes (lower case) that MediaPipe's model keeps near 0 whatever the face does."""


def _made_of(unit: action_units.ActionUnit, dead: Sequence[str]) -> bool:
    shapes = [s.lower() for entry in unit.entries for s in blendshapes.WEIGHTS.get(entry, {})]
    return bool(shapes) and all(shape in dead for shape in shapes)


def _is_unit(name: str) -> bool:
    try:
        return bool(action_units.resolve(name))
    except UnknownActionUnitError:
        return False


def _unit_columns(
    table: _Table, names: Iterable[str], present: NDArray[np.bool_], full_scale: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """((n, C) values in unit range, (C,) filled) from columns named after action units.

    Raises:
        DriverError: a value far outside 0..full_scale, or none in a row where the face is present.
    """
    values = np.zeros((len(table), action_units.COUNT))
    filled = np.zeros(action_units.COUNT, np.bool_)
    for name in names:
        if not _is_unit(name):
            continue
        indices = list(action_units.resolve(name))
        column = _ranged(table, name, present, full_scale)
        # AU26 and its alias AU27 (or AU43 and AU45) in one file: the stronger one counts
        values[:, indices] = np.maximum(values[:, indices], column[:, None])
        filled[indices] = True
    return values, filled


def _from_shapes(
    table: _Table, shapes: Sequence[str], present: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """((n, C) values, (C,) filled) from blendshape columns."""
    columns = np.stack([_ranged(table, name, present, 1.0) for name in shapes], axis=1)
    values, filled = blendshapes.from_blendshapes(shapes, columns)
    return values.astype(np.float64), filled


def _ranged(table: _Table, name: str, present: NDArray[np.bool_], full_scale: float) -> NDArray[np.float64]:
    """A column in unit range; a little overshoot is clamped, a lot means another scale.

    Raises:
        DriverError: a value far outside 0..full_scale.
    """
    column = table.require_numbers(name, where=present) / full_scale
    column = np.where(present, column, 0.0)
    wild = (column < -0.5) | (column > 1.5)
    if wild.any():
        row = int(np.flatnonzero(wild)[0])
        raise DriverError(
            f"{table.path}: line {table.lines[row]}, column {name}: {table.text(name)[row]} is outside "
            f"0..{full_scale:g}; rescale the column"
        )
    return np.clip(column, 0.0, 1.0)


_TIME_COLUMNS: Mapping[str, float] = {
    "timestamp": 1.0, "time": 1.0, "seconds": 1.0, "time_s": 1.0,
    "timestamp_ms": 1e-3, "time_ms": 1e-3, "ms": 1e-3,
}  # fmt: skip
"""Names a column of time goes by (in this order) and how many seconds its unit is."""


def _openface_rows(source: _Source, columns: Sequence[str]) -> tuple[_Table, list[str]]:
    """The rows of the chosen face with the columns, and OpenFace's bookkeeping as far as there is any."""
    header = source.header
    face_column = header.first_of("face_id", "face")
    time_columns = [name for name in (*_TIME_COLUMNS, "frame") if name in header][:1]
    others = [name for name in ("confidence", "success") if name in header]
    table = _read_table(source, [*columns, *time_columns, *others, *([face_column] if face_column else [])])
    ids = table.require_numbers(face_column) if face_column else np.zeros(len(table))
    known = np.unique(ids)
    if source.face >= len(known):
        listed = ", ".join(f"{number:g}" for number in known)
        raise DriverError(
            f"{source.path}: no face {source.face}; it holds {len(known)} (ids {listed}), counted from 0"
        )
    notes = []
    if len(known) > 1:
        notes.append(f"{source.path.name} holds {len(known)} faces; face {source.face} drives")
    return table.rows(ids == known[source.face]), notes


def _py_feat_face(source: _Source, table: _Table) -> NDArray[np.bool_]:
    """(n,) bool: the rows of the chosen face, by Identity, else by its place among the rows of a frame."""
    identities = [i for i in table.columns.get("identity", ()) if i and i.lower() != "nan"]
    if identities:
        known = list(dict.fromkeys(identities))
        mine = known[source.face] if source.face < len(known) else None
        chosen = np.array([cell == mine for cell in table.text("identity")])
    else:
        frames = table.columns.get("frame", ("0",) * len(table))
        seen: Counter[str] = Counter()
        places = []
        for frame in frames:
            places.append(seen[frame])
            seen[frame] += 1
        known = [str(place) for place in range(max(places) + 1)]
        chosen = np.array(places) == source.face
    if source.face >= len(known):
        raise DriverError(
            f"{source.path}: no face {source.face}; it holds {len(known)} ({', '.join(known[:8])}), counted from 0"
        )
    return chosen


def _confidence(table: _Table) -> NDArray[np.float64]:
    """(n,) in [0, 1]: the confidence where the face was found, 0 elsewhere; 1 where the file says nothing."""
    return _fraction_column(table, "confidence") * _success(table)


def _fraction_column(table: _Table, name: str) -> NDArray[np.float64]:
    """A column clamped to [0, 1], NaN as 0; all 1 where there is no such column."""
    if name not in table.columns:
        return np.ones(len(table))
    return np.clip(np.nan_to_num(table.numbers(name), nan=0.0), 0.0, 1.0)


def _success(table: _Table) -> NDArray[np.float64]:
    """(n,) 0 or 1 from OpenFace's 0/1 or pyfaceau's False/True."""
    if "success" not in table.columns:
        return np.ones(len(table))
    words = {"true": 1.0, "false": 0.0}
    cells = [cell.lower() for cell in table.text("success")]
    if all(cell in words for cell in cells):
        return np.array([words[cell] for cell in cells])
    return np.asarray(np.nan_to_num(table.numbers("success"), nan=0.0) > 0, np.float64)


def _seconds(source: _Source, table: _Table, kind: SeriesKind, notes: list[str]) -> NDArray[np.float64]:
    """(n,) seconds of each row by the file's own column of time, else by its frame numbers.

    Raises:
        DriverError: neither is there and there are several rows.
    """
    for name, unit_seconds in _TIME_COLUMNS.items():
        if name in table.columns:
            return table.require_numbers(name) * unit_seconds
    if "frame" in table.columns:
        if source.frame_rate is None:
            notes.append(f"{source.path.name} has no times; took {DEFAULT_FRAME_RATE} frames per second")
        frames = table.require_numbers("frame")
        # OpenFace counts from 1, py-feat and pyfaceau from 0; a later first number is a face that came late
        first = 0.0 if kind == "py-feat" else min(float(frames[0]), 1.0)
        return np.asarray((frames - first) / float(source.frame_rate or DEFAULT_FRAME_RATE), np.float64)
    if len(table) > 1:
        raise DriverError(f"{source.path}: no column of time; add 'timestamp' (seconds) or 'frame'")
    return np.zeros(1)


def _series_file(
    source: _Source,
    table: _Table,
    kind: SeriesKind,
    values: NDArray[np.float64],
    filled: NDArray[np.bool_],
    confidence: NDArray[np.float64],
    *,
    seconds: NDArray[np.float64] | None = None,
    notes: Sequence[str] = (),
) -> SeriesFile:
    """The checked result: increasing times, and a face in at least one row.

    Raises:
        DriverError: one of these does not hold.
    """
    all_notes = list(notes)
    if seconds is None:
        seconds = _seconds(source, table, kind, all_notes)
    if kind == "blendshapes":  # stamps may be anything from clip time to the time of day
        seconds = seconds - seconds[0]
    backwards = np.flatnonzero(np.diff(seconds) <= 0)
    if len(backwards):
        row = int(backwards[0]) + 1
        raise DriverError(
            f"{source.path}: line {table.lines[row]}: time does not increase ({seconds[row]:g} s after "
            f"{seconds[row - 1]:g} s); sort the rows, and keep one row per frame and face"
        )
    if not (confidence > 0).any():
        raise DriverError(
            f"{source.path}: no row with a face (success and confidence are 0 throughout); film again"
        )
    series = ExpressionSeries(
        seconds=seconds,
        values=values.astype(np.float32),
        filled=filled,
        confidence=confidence.astype(np.float32),
    )
    return SeriesFile(series, kind, tuple(all_notes))


_TIMECODE = re.compile(r"(\d{1,2}):(\d\d):(\d\d)[:;](\d{1,3})(\.\d{1,9})?$")
_CAPTURE_RATES = (24, 25, 30, 48, 50, 60, 120, 240)
_DAY_SECONDS = 86400


def _timecode_seconds(table: _Table, frame_rate: Fraction | None) -> NDArray[np.float64]:
    """(n,) seconds since the first row of `HH:MM:SS:FF.sub` timecodes, across midnight if need be.

    FF counts at the given frame rate; without one (or with one that the numbers exceed) at the lowest usual
    rate above the largest FF if the capture lasts a second or more, else at 60, the app's default.

    Raises:
        DriverError: a cell that is no timecode.
    """
    parts = []
    for line, cell in zip(table.lines, table.text("timecode"), strict=True):
        match = _TIMECODE.match(cell)
        if not match:
            raise DriverError(
                f"{table.path}: line {line}, column Timecode: {cell!r} is no timecode; expected HH:MM:SS:FF.sub"
            )
        parts.append([float(group or 0) for group in match.groups()])
    hours, minutes, whole, frames, fraction = np.array(parts).T
    clock = hours * 3600 + minutes * 60 + whole
    clock = clock + _DAY_SECONDS * np.cumsum(np.diff(clock, prepend=clock[0]) < -_DAY_SECONDS / 2)
    rate = _timecode_rate(int(frames.max()), bool(clock[-1] - clock[0] >= 1), frame_rate)
    # timecode counts whole frames per nominal second, so 29.97 runs a little slower than the clock
    count = (clock - clock[0]) * math.ceil(rate) + frames + fraction
    return np.asarray((count - count[0]) / float(rate), np.float64)


def _timecode_rate(largest_frame: int, is_over_a_second: bool, asked: Fraction | None) -> Fraction:
    if asked is not None and largest_frame < math.ceil(asked):
        return asked
    usual = next((rate for rate in _CAPTURE_RATES if rate > largest_frame), largest_frame + 1)
    return Fraction(usual if is_over_a_second or usual > 60 else 60)


@dataclass(frozen=True, eq=False)
class TrackingRow:
    """One face in one frame, for the tracking CSV."""

    frame: int
    """From 1, as OpenFace counts."""
    face_id: int
    seconds: float
    """From the clip's first frame."""
    confidence: float
    """[0, 1]."""
    success: bool
    """Whether the face was found; if not, the values are written as 0."""
    values: NDArray[np.float32]
    """(C,) float32 in [0, 1]."""


TRACKING_COLUMNS: tuple[str, ...] = (
    *("frame", "face_id", "timestamp", "confidence", "success"),
    *(f"{name}_r" for name in action_units.OPENFACE_NAMES),
    *action_units.NAMES,
)
"""Header of the tracking CSV: what OpenFace readers expect (0..5), then the full schema (0..1)."""


def write_tracking_csv(destination: str | Path | TextIO, rows: Iterable[TrackingRow]) -> int:
    """Writes rows as they come (none is held) and returns how many; `read_series` reads them back.

    A path is written under a hidden name beside it and renamed when complete. Full-schema values have 4
    decimals, `_r` intensities (5 times the mean of both sides) 3.

    Raises:
        VideoWriteError: the file cannot be written.
    """
    if not isinstance(destination, str | Path):
        return _write_rows(destination, rows)
    with (
        whole_file(Path(destination), failure="cannot be written") as part,
        part.open("w", encoding="utf-8", newline="") as file,
    ):
        return _write_rows(file, rows)


def _write_rows(file: TextIO, rows: Iterable[TrackingRow]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(TRACKING_COLUMNS)
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007 - the last count is the result
        writer.writerow(_cells(row))
    return count


def _cells(row: TrackingRow) -> list[str]:
    values = np.where(row.success, row.values, 0.0).astype(np.float64)
    sides = [values[list(action_units.resolve(name))] for name in action_units.OPENFACE_NAMES]
    return [
        str(row.frame),
        str(row.face_id),
        f"{row.seconds:.6f}",
        f"{row.confidence:.3f}",
        str(int(row.success)),
        *(f"{action_units.OPENFACE_SCALE * float(side.mean()):.3f}" for side in sides),
        *(f"{value:.4f}" for value in values),
    ]
