"""What a batch shall do, made out and checked whole before anything runs: job sheets, timelines, globs -> jobs.

A job's own value goes before the sheet's default, which goes before the command line's. Every mistake is found and
placed, and all are told at once.
"""

from __future__ import annotations

import difflib
import functools
import glob
import os
import re
import string
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.model.checkpoint import load_checkpoint

from ..drivers import (
    CAPTURE_SUFFIXES,
    CURVE_SUFFIXES,
    Driver,
    DriverOptions,
    load_capture,
    load_curves,
    seconds_of,
)
from ..editorial import MediaInfo, Shot, Timeline, as_file_name, load_timeline, place, probe_media, timecode_frames
from ..errors import OptionError, RetargetError
from ..faces import FaceSelection
from ..files import SequencePattern, parse_pattern
from ..media import EncodeOptions, check_encode_options
from ..options import RetargetOptions, is_named
from ..records import Target
from .sheet import (
    BATCH_KEYS,
    JOB_KEYS,
    BatchSettings,
    Cell,
    JobSettings,
    JobSheetError,
    Mistakes,
    Place,
    Row,
    Sheet,
    checked,
    given_row,
    merged,
    read_sheet,
)

__all__ = ["Job", "JobSheet", "JobSheetError", "fill_name", "jobs_from_globs", "load_jobs", "load_sheet"]

DEFAULT_NAME = "{source_name}--{driver_name}"
DEFAULT_SHOT_NAME = "{shot_name}"

_OUTPUT_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".png", ".tif", ".tiff")
_FILM_SUFFIXES = (".mp4", ".mov", ".mkv", ".m4v")

_MAX_NAME_BYTES = 200


@dataclass(frozen=True, kw_only=True)
class Job:
    """One clip to make."""

    index: int
    """Place in the batch, from 1."""
    name: str
    """Unique in the batch, also where case does not count, and fit for a file name."""
    source: Path
    drivers: tuple[Path, ...]
    """One for all faces, or one per selected face, in the order of `options.faces`."""
    output: Path
    """May be there already (an earlier run's); its folder may not be."""
    options: RetargetOptions
    where: str
    """"jobs.yaml:12", for messages."""
    shot: Shot | None = None
    """What it is of a timeline; its handles are in the options' trim range."""


@dataclass(frozen=True, kw_only=True)
class JobSheet:
    """A whole batch, as a sheet says it."""

    jobs: list[Job]
    output_dir: Path
    """Where outputs without a path of their own go; it may not be there yet."""
    timeline: Timeline | None = None
    """The timeline whose shots (some of) the jobs are: the base for `editorial.write_timeline`."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was put right in reading, one line each."""
        return self.timeline.notes if self.timeline else ()


def load_jobs(
    path: Path, *, output_dir: Path | None = None, defaults: Mapping[str, Any] | None = None
) -> list[Job]:
    """The jobs alone of `load_sheet`."""
    return load_sheet(path, output_dir=output_dir, defaults=defaults).jobs


def load_sheet(
    path: Path, *, output_dir: Path | None = None, defaults: Mapping[str, Any] | None = None
) -> JobSheet:
    """The jobs of a sheet (.yaml, .csv), a timeline (.edl, .otio) or a scene list (-Scenes.csv).

    Paths in a sheet count from its folder. Outputs go to `output_dir`, else to the sheet's `output_dir`, else
    beside the sheet. `defaults` are values as a sheet would have them, by the same keys; they count where the
    sheet says nothing, and their paths from the current folder. A timeline on its own has only those.

    Raises:
        JobSheetError: anything wrong with any job, all at once.
    """
    mistakes = Mistakes()
    sheet = read_sheet(path, mistakes)
    given = given_row(defaults or {}, mistakes)
    settings = {**{key: cell for key, cell in given.items() if key in BATCH_KEYS}, **sheet.settings}
    base = merged({key: cell for key, cell in given.items() if key in JOB_KEYS}, sheet.base)
    sheet = replace(sheet, settings=settings, base=base)
    batch_settings = checked(BatchSettings, settings, mistakes)
    if output_dir is None and batch_settings.output_dir is not None:
        output_dir = _path(settings["output_dir"], batch_settings.output_dir)
    batch = _Batch(mistakes, inputs=[(path, "the job sheet")], outputs=output_dir)
    drafts = list(_drafts(sheet, batch_settings, batch))
    if not drafts and not mistakes:
        mistakes.add(sheet.place, "has no jobs; add 'jobs:' with a source and a driver each")
    folder = output_dir or sheet.folder
    jobs = _named(drafts, folder, batch)
    mistakes.check()
    return JobSheet(jobs=jobs, output_dir=_absolute(folder), timeline=batch.timeline)


def jobs_from_globs(
    sources: Sequence[str],
    driver: Path,
    *,
    output_dir: Path,
    pattern: str = DEFAULT_NAME,
    options: RetargetOptions | None = None,
) -> list[Job]:
    """A job for each file that any of the globs matches ("plates/**/*.mov"), all with one driver and one set of
    options; `pattern` names the outputs.

    Raises:
        JobSheetError: anything wrong with any job, all at once.
    """
    mistakes, options = Mistakes(), options or RetargetOptions()
    batch = _Batch(mistakes, outputs=output_dir)
    drafts: dict[Path, _Draft] = {}
    for text in sources:
        where = Place(f"--source {text}")
        row: Row = {"source": Cell(text, where, Path(), "source"), "name": Cell(pattern, where, Path(), "name")}
        for source in batch.sources(row, text):
            drafts.setdefault(source, _Draft(where, row, source, (driver,), options, pattern))
    for draft in drafts.values():
        batch.check_files(draft)
    jobs = _named(list(drafts.values()), output_dir, batch)
    mistakes.check()
    return jobs


_OPTION_OF: Mapping[str, str] = {
    "mode": "mode",
    "strength": "strength",
    "gain": "gains",
    "region": "regions",
    "smooth": "smooth_seconds",
    "driver_neutral": "driver_neutral",
    "source_neutral": "source_neutral",
    "gaze": "gaze",
    "driver_offset": "driver_offset_seconds",
    "after": "after",
    "release": "release_seconds",
    "face": "faces",
    "driver_face": "driver_faces",
    "min_face": "min_face_px",
    "checkpoint": "checkpoint",
    "device": "device",
    "batch_size": "batch",
    "frame_rate": "sequence_rate",
    "overwrite": "overwrite",
}
_ENCODE_OPTION_OF: Mapping[str, str] = {
    "encoder": "codec",
    "crf": "crf",
    "preset": "preset",
    "pixel_format": "pixel_format",
    "profile": "profile",
}


# Rows -> drafts: everything but the name of the output


@dataclass(frozen=True)
class _Draft:
    """A job before it has a number and an output."""

    place: Place
    row: Row
    source: Path
    drivers: tuple[Path, ...]
    options: RetargetOptions
    name: str
    """The pattern of its name."""
    output: str | None = None
    """The pattern of its path, if it was given."""
    shot: Shot | None = None

    def place_of(self, *keys: str) -> Place:
        """Where the first of these keys was said, or the job."""
        return next((self.row[key].place for key in keys if key in self.row), self.place)


def _drafts(sheet: Sheet, settings: BatchSettings, batch: _Batch) -> Iterator[_Draft]:
    """The jobs of the list and those of the timeline; without either the sheet itself is one."""
    for where, row in sheet.jobs or []:
        yield from batch.drafts(where, merged(sheet.base, row))
    if settings.timeline is not None:
        yield from _TimelineJobs(sheet, settings, batch).drafts()
    elif sheet.shots:
        where, _ = next(iter(sheet.shots.values()))
        batch.mistakes.add(where, "'shots' are those of a timeline; add 'timeline: CUT.edl'")
    elif sheet.jobs is None and {"source", "driver", "drivers"} & sheet.base.keys():
        yield from batch.drafts(sheet.place, sheet.base)


class _Batch:
    """What is checked once and used by many jobs: files, drivers, checkpoints, sources."""

    def __init__(
        self, mistakes: Mistakes, *, outputs: Path | None, inputs: Sequence[tuple[Path, str]] = ()
    ) -> None:
        """`outputs` is a folder that globs do not look into: a second run would take the first one's outputs for
        sources."""
        self.mistakes = mistakes
        self.inputs = list(inputs)
        """Every file that is read, and in which words."""
        self.timeline: Timeline | None = None
        self._outputs = outputs
        self._media: dict[tuple[Path, Fraction], MediaInfo | RetargetError] = {}
        self._drivers: dict[object, RetargetError | None] = {}
        self._checkpoints: dict[Path, RetargetError | None] = {}

    def media(self, path: Path, rate: Fraction) -> MediaInfo:
        """Opened once, and only for who asks.

        Raises:
            VideoOpenError: it cannot be used.
        """
        key = (path, rate)
        if key not in self._media:
            try:
                self._media[key] = probe_media(path, sequence_rate=rate)
            except RetargetError as error:
                self._media[key] = error
        found = self._media[key]
        if isinstance(found, RetargetError):
            raise found
        return found

    def drafts(self, where: Place, row: Row) -> Iterator[_Draft]:
        """The jobs of one row: several if its source is a glob."""
        settings = checked(JobSettings, row, self.mistakes)
        if "source" not in row:
            self.mistakes.add(where, "has no source; add 'source: plate.mov'")
        drivers = self.drivers(where, row, settings)
        sources = self.sources(row, settings.source) if settings.source else []
        if not sources:
            self.options(row, settings, None)  # for its mistakes
        for source in sources:
            options = self.options(row, settings, source)
            name = settings.name or DEFAULT_NAME
            draft = _Draft(where, row, source, drivers, options, name, settings.output)
            self.check_files(draft)
            yield draft

    def sources(self, row: Row, text: str) -> list[Path]:
        """The file, the files of a glob, or the sequences of a glob of patterns."""
        cell = row["source"]
        path = _path(cell, text)
        if not glob.has_magic(text) or path.exists():
            if not _is_there(path):
                what = "no picture of this sequence is there" if parse_pattern(path) else "no such file"
                self.mistakes.add(cell.place, f"source {path}: {what}; correct the path")
                return []
            return [path]
        found = [match for match in _matches(path) if not self._is_output(match)]
        if not found:
            self.mistakes.add(cell.place, f"source {path}: matches no file; correct the pattern")
        return found

    def _is_output(self, path: Path) -> bool:
        return self._outputs is not None and self._outputs.resolve() in path.resolve().parents

    def drivers(self, where: Place, row: Row, settings: JobSettings) -> tuple[Path, ...]:
        key = "drivers" if settings.drivers else "driver"
        texts = settings.drivers or ([settings.driver] if settings.driver else [])
        if not texts:
            if not {"driver", "drivers"} & row.keys():
                self.mistakes.add(where, "has no driver; add 'driver: smile.yaml'")
            return ()
        if settings.driver and settings.drivers:
            self.mistakes.add(row["drivers"].place, "'driver' and 'drivers' are both said; keep one of them")
        paths = tuple(_path(row[key], text) for text in texts)
        for path in paths:
            if not _is_there(path):
                self.mistakes.add(row[key].place, f"driver {path}: no such file; correct the path")
        return paths

    # Options

    def options(self, row: Row, settings: JobSettings, source: Path | None) -> RetargetOptions:
        """The row's options; what a single run would refuse is told, each at its own line, and left out."""
        clock = _RowClock(self, row, settings, source)
        values: dict[str, Any] = {}
        for key, name in _OPTION_OF.items():
            value = self._option(key, row, settings, clock)
            if value is not None and self._fits(row[key], {name: value}):
                values[name] = value
        values["trim_start"], values["trim_end"] = clock.trim()
        several = settings.drivers is not None and len(settings.drivers) > 1
        if several and "faces" not in values:
            values["faces"] = FaceSelection("left-right", None)
        elif several and values["faces"].index is not None:
            cell = row["face"]
            self.mistakes.add(
                cell.place, f"{cell.key}: {cell.value} is one face for several drivers; use ORDER:all"
            )
        values["encode"] = EncodeOptions(
            **{name: getattr(settings, key) for key, name in _ENCODE_OPTION_OF.items()}
        )
        return RetargetOptions(**values)

    def _option(self, key: str, row: Row, settings: JobSettings, clock: _RowClock) -> Any:
        value = getattr(settings, key)
        if value is None:
            return None
        if key in ("smooth", "release", "driver_offset"):
            return clock.seconds(key)
        if key in ("driver_neutral", "source_neutral"):
            return clock.neutral(key)
        if key == "checkpoint":
            return self._checkpoint(row[key], _path(row[key], value))
        return tuple(value) if key == "region" else value

    def _fits(self, cell: Cell, option: dict[str, Any]) -> bool:
        """Whether the option makes sense on its own; all of their rules are about one at a time."""
        return self.mistakes.of(cell.place, lambda: RetargetOptions(**option)) is not None

    def _checkpoint(self, cell: Cell, path: Path) -> Path | None:
        if path not in self._checkpoints:
            self._checkpoints[path] = _error_of(lambda: load_checkpoint(path))
        error = self._checkpoints[path]
        if error is not None:
            self.mistakes.add(cell.place, str(error))
        return None if error else path

    # Files

    def check_files(self, draft: _Draft) -> None:
        """Looks into the drivers that are text: a misspelt action unit is found now, not at night."""
        for driver in draft.drivers:
            if driver.is_file():
                where = draft.place_of("drivers", "driver")
                error = self._driver_error(driver, draft)
                if error is not None:
                    self.mistakes.add(where, str(error))
            elif "driver" not in draft.row and "drivers" not in draft.row and not _is_there(driver):
                self.mistakes.add(Place("--driver"), f"{driver}: no such file; correct the path")

    def _driver_error(self, driver: Path, draft: _Draft) -> RetargetError | None:
        play = draft.options.driver_options()
        suffix = driver.suffix.lower()
        if suffix in CAPTURE_SUFFIXES:
            return self._once((driver, play), lambda: load_capture(driver, play))
        if suffix not in CURVE_SUFFIXES:
            return None
        rate = RetargetOptions().sequence_rate
        if _counts_frames(driver):
            try:
                rate = self.media(draft.source, draft.options.sequence_rate).rate
            except RetargetError:
                return None  # the job will fail by its source, which says nothing about the driver

        def load() -> Driver:
            return load_curves(driver, frame_rate=rate, options=play, load_driver=_load_for_checking)

        return self._once((driver, play, rate), load)

    def _once(self, key: object, load: Callable[[], object]) -> RetargetError | None:
        if key not in self._drivers:
            self._drivers[key] = _error_of(load)
        return self._drivers[key]


def _counts_frames(curves: Path) -> bool:
    """Whether the text has frame numbers or timecode in it, right at one rate and perhaps wrong at another."""
    try:
        text = curves.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False  # the reader of curves says it better
    return re.search(r"\d\s*f\b|\d:\d\d:\d\d[:;]\d\d", text) is not None


def _error_of(do: Callable[[], object]) -> RetargetError | None:
    try:
        do()
    except RetargetError as error:
        return error
    return None


@dataclass(frozen=True)
class _Untracked:
    """Stands for a clip that a curve file plays: to check the file, the clip need not be tracked."""

    duration_seconds: float = np.inf
    notes: tuple[str, ...] = ()

    def target(self, seconds: NDArray[np.float64], face: int) -> Target:  # noqa: ARG002 - it asks for nothing
        nothing = np.zeros((len(seconds), action_units.COUNT), np.float32)
        return Target(nothing, nothing, np.zeros(nothing.shape, np.bool_))


def _load_for_checking(path: Path, options: DriverOptions) -> Driver:
    return load_capture(path, options) if path.suffix.lower() in CAPTURE_SUFFIXES else _Untracked()


def _path(cell: Cell, text: str) -> Path:
    return cell.folder / Path(text).expanduser()


def _is_there(path: Path) -> bool:
    pattern = parse_pattern(path)
    return bool(pattern.files()) if pattern else path.is_file()


def _matches(path: Path) -> list[Path]:
    """Files of a glob in order; of `plates/*/shot.####.exr` the sequences that are there, not their pictures."""
    pattern = parse_pattern(path)
    if pattern is None:
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
        return [match for match in found if match.is_file()]
    place = path.name[len(pattern.prefix) : len(path.name) - len(pattern.suffix)]
    pictures = glob.glob(str(pattern.folder / f"{pattern.prefix}[0-9]*{pattern.suffix}"), recursive=True)
    sequences = set()
    for picture in map(Path, pictures):
        numbered = re.fullmatch(r"(.*?)(\d+)", picture.name.removesuffix(pattern.suffix))
        if numbered and picture.is_file():
            sequences.add(picture.with_name(f"{numbered[1]}{place}{pattern.suffix}"))
    return sorted(sequence for sequence in sequences if _is_there(sequence))


class _RowClock:
    """A row's times in seconds. Frames and timecode count at the source's rate; only then is it opened."""

    def __init__(self, batch: _Batch, row: Row, settings: JobSettings, source: Path | None) -> None:
        self._batch, self._row, self._settings, self._source = batch, row, settings, source

    def _media(self, cell: Cell) -> MediaInfo | None:
        source = self._source
        if source is None:
            return None  # the missing source is told already
        rate = self._settings.frame_rate or RetargetOptions().sequence_rate
        return self._batch.mistakes.of(cell.place, lambda: self._batch.media(source, rate))

    def seconds(self, key: str) -> float | None:
        value = getattr(self._settings, key)
        if value is None:
            return None
        cell = self._row[key]
        try:
            return seconds_of(value, Fraction(1)) if _is_clock(value) else self._counted(cell, value)
        except ValueError as error:
            self._batch.mistakes.add(cell.place, f"{cell.key}: {error}")
            return None

    def _counted(self, cell: Cell, value: float | str) -> float | None:
        seconds_of(value, Fraction(1000))  # text that is no time at all is told without opening anything
        media = self._media(cell)
        return None if media is None else seconds_of(value, media.rate)

    def neutral(self, key: str) -> float | str | Path | None:
        """auto, none, seconds, or a picture."""
        value, cell = getattr(self._settings, key), self._row[key]
        if value in ("auto", "none"):
            return str(value)
        picture = _path(cell, str(value))
        if picture.is_file():
            return picture
        try:
            seconds_of(value, Fraction(1000))
        except ValueError:
            text = f"{cell.key}: {value!r} is neither auto, none, a time nor an existing picture"
            self._batch.mistakes.add(cell.place, text)
            return None
        return self.seconds(key)

    def trim(self) -> tuple[float | None, float | None]:
        """The range to work on, from the source's first frame = 0."""
        settings, mistakes = self._settings, self._batch.mistakes
        if settings.frames is not None:
            if settings.trim_start is not None or settings.trim_end is not None:
                text = "'frames' and a start or end are both said; keep one of them"
                mistakes.add(self._row["frames"].place, text)
            return self._frames(self._row["frames"], settings.frames)
        start, end = self.seconds("trim_start"), self.seconds("trim_end")
        if start is not None and start < 0:
            mistakes.add(
                self._row["trim_start"].place, f"start {start:g} s is before the first frame; give 0 or more"
            )
            start = None
        if end is not None and end <= (start or 0):
            mistakes.add(self._row["trim_end"].place, f"the range {start or 0:g} to {end:g} s is empty; end later")
            end = None
        return start, end

    def _frames(self, cell: Cell, text: str) -> tuple[float | None, float | None]:
        """`10-200`: first and last frame, both worked on, from 0; of a sequence by the numbers in the names."""
        span = re.fullmatch(r"\s*(\d{1,9})?\s*(?:(-|\.\.)\s*(\d{1,9})?)?\s*", text)
        if span is None or not (span[1] or span[3]):
            self._batch.mistakes.add(cell.place, f"{cell.key}: {text!r} is no range of frames; write 10-200")
            return None, None
        media = self._media(cell)
        if media is None:
            return None, None
        is_sequence = self._source is not None and parse_pattern(self._source) is not None
        zero = media.first_number if is_sequence else 0
        first = int(span[1]) - zero if span[1] else 0
        last = None if span[2] and not span[3] else int(span[3] or span[1]) - zero
        if first < 0 or (last is not None and last < first):
            ends = f"from {zero}" if zero else "from 0"
            self._batch.mistakes.add(cell.place, f"{cell.key}: {text} is no range; frames count {ends} upwards")
            return None, None
        if media.frame_count and first >= media.frame_count:
            ends = f"{zero} to {zero + media.frame_count - 1}"
            self._batch.mistakes.add(cell.place, f"{cell.key}: {text} lies behind the source's frames {ends}")
            return None, None
        start = float(first / media.rate) if first else None
        return start, None if last is None else float((last + 1) / media.rate)


def _is_clock(value: float | str) -> bool:
    """Whether the time means the same at any rate."""
    return not isinstance(value, str) or not re.search(r"f\s*$|:\d\d[:;]\d\d[:;]", value.strip())


# Timelines


class _TimelineJobs:
    """A timeline's shots as jobs."""

    def __init__(self, sheet: Sheet, settings: BatchSettings, batch: _Batch) -> None:
        self._sheet, self._settings, self._batch = sheet, settings, batch
        self._cell = sheet.settings["timeline"]

    def drafts(self) -> Iterator[_Draft]:
        timeline = self._load()
        if timeline is None:
            return
        self._check_shots(timeline)
        has_driver = bool({"driver", "drivers"} & self._sheet.base.keys())
        for shot in timeline.shots:
            own = self._sheet.shots.get(shot.name) or self._sheet.shots.get(shot.clip_name)
            # without a driver for everyone only the shots that the sheet names are meant
            if own is not None or has_driver or not self._sheet.shots:
                where, row = own or (self._cell.place, {})
                yield from self._draft(shot, where, row)

    def _load(self) -> Timeline | None:
        sheet, settings, mistakes = self._sheet, self._settings, self._batch.mistakes
        cell = self._cell
        base = checked(
            JobSettings, {k: c for k, c in sheet.base.items() if k in ("source", "frame_rate")}, mistakes
        )
        source = _path(sheet.base["source"], base.source) if base.source else None
        media = _path(sheet.settings["media"], settings.media) if settings.media else None
        path = _path(cell, settings.timeline or "")
        self._batch.inputs.append((path, "the timeline"))
        self._batch.timeline = mistakes.of(
            cell.place,
            lambda: load_timeline(
                path,
                media=media,
                rate=settings.timeline_rate,
                source=source,
                sequence_rate=base.frame_rate or RetargetOptions().sequence_rate,
            ),
        )
        return self._batch.timeline

    def _check_shots(self, timeline: Timeline) -> None:
        known = {name for shot in timeline.shots for name in (shot.name, shot.clip_name)}
        for name, (where, _) in self._sheet.shots.items():
            if name not in known:
                close = difflib.get_close_matches(name, sorted(known), n=1)
                hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(known)[:8])}"
                self._batch.mistakes.add(where, f"{timeline.path} has no shot {name}; {hint}")
        for key in ("trim_start", "trim_end", "frames"):
            if key in self._sheet.base and self._sheet.jobs is None:
                cell = self._sheet.base[key]
                self._batch.mistakes.add(
                    cell.place, f"{cell.key}: a shot's range is the timeline's; use 'handles'"
                )

    def _draft(self, shot: Shot, where: Place, own: Row) -> Iterator[_Draft]:
        batch = self._batch
        dropped = ("source", "trim_start", "trim_end", "frames")
        row = merged({k: c for k, c in self._sheet.base.items() if k not in dropped}, own)
        settings = checked(JobSettings, row, batch.mistakes)
        if settings.skip:
            return
        drivers = batch.drivers(where, row, settings)
        options = batch.options(row, settings, shot.media)
        placed = self._placed(shot, where, settings, options)
        if placed is None or placed.media is None:
            return
        options = replace(
            options,
            trim_start=placed.trim_start_seconds,
            trim_end=placed.trim_end_seconds,
            # the driver's beginning belongs to the cut, not to the handle before it
            driver_offset_seconds=options.driver_offset_seconds + placed.head_seconds,
        )
        name = settings.name or DEFAULT_SHOT_NAME
        draft = _Draft(where, row, placed.media, drivers, options, name, settings.output, placed)
        batch.check_files(draft)
        yield draft

    def _placed(self, shot: Shot, where: Place, settings: JobSettings, options: RetargetOptions) -> Shot | None:
        mistakes, named = self._batch.mistakes, f"shot {shot.number} ({shot.name})"
        if shot.problem or shot.media is None:
            mistakes.add(where, f"{named}: {shot.problem}")
            return None
        try:
            start = settings.media_start or self._settings.media_start
            return place(
                shot,
                self._batch.media(shot.media, options.sequence_rate),
                handles_frames=self._settings.handles if settings.handles is None else settings.handles,
                media_start_frame=None if start is None else timecode_frames(start, shot.rate),
            )
        except RetargetError as error:
            mistakes.add(where, f"{named}: {error}")
            return None


# Drafts -> jobs: names and outputs


_FIELDS = ("index", "source_name", "source_folder", "driver_name", "shot_name", "ext")


def _named(drafts: Sequence[_Draft], folder: Path, batch: _Batch) -> list[Job]:
    """The jobs, with numbers, names and outputs that none of the others has."""
    jobs: list[Job] = []
    names = _JobNames(folder)
    for index, draft in enumerate(drafts, 1):
        find = functools.partial(_output_path, draft, index, folder)
        path = batch.mistakes.of(draft.place_of("output", "name"), find)
        if path is None:
            continue
        _check_encoding(draft, path, batch.mistakes)
        job = Job(
            index=index,
            name=names.of(path),
            source=_absolute(draft.source),
            drivers=tuple(_absolute(driver) for driver in draft.drivers),
            output=_absolute(path),
            options=_with_absolute_paths(draft.options),
            where=str(draft.place),
            shot=draft.shot,
        )
        jobs.append(job)
        batch.inputs += [(job.source, f"the source of {job.where}")]
        batch.inputs += [(file, f"read for {job.where}") for file in _read_files(job)]
    _check_outputs(jobs, [draft.place for draft in drafts], batch)
    return jobs


def _absolute(path: Path) -> Path:
    """The path as it holds in any process, wherever that works; links stay, unless ".." may lead through one."""
    path = path.absolute()
    return path.parent.resolve() / path.name if ".." in path.parts else path


def _with_absolute_paths(options: RetargetOptions) -> RetargetOptions:
    pictures: dict[str, Any] = {
        name: _absolute(Path(str(value)))
        for name in ("source_neutral", "driver_neutral")
        if not is_named(value := getattr(options, name))
    }
    checkpoint = _absolute(options.checkpoint) if options.checkpoint else None
    return replace(options, checkpoint=checkpoint, **pictures)


def _read_files(job: Job) -> list[Path]:
    checkpoint = [job.options.checkpoint] if job.options.checkpoint else []
    return [*job.drivers, *job.options.neutral_pictures(), *checkpoint]


class _JobNames:
    """Names for jobs, after their outputs, unique without regard to case."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[str] = set()

    def of(self, output: Path) -> str:
        stem, count = self._stem(output), 1
        name = stem
        while name.casefold() in self._taken:
            count += 1
            name = f"{stem}-{count}"
        self._taken.add(name.casefold())
        return name

    def _stem(self, output: Path) -> str:
        """The output's name without suffix, with its folders within the output folder."""
        pattern = parse_pattern(output)
        stem = pattern.stem if pattern else output.stem
        if output.is_relative_to(self._folder):
            parts = [*output.relative_to(self._folder).parent.parts, stem]
            joined = as_file_name("--".join(parts))
            return joined if len(joined.encode()) <= _MAX_NAME_BYTES else stem
        return stem


def _output_path(draft: _Draft, index: int, folder: Path) -> Path:
    """Where a draft's output goes; raises OptionError for a pattern that cannot be filled in."""
    values: dict[str, str | int] = {
        "index": index,
        "source_name": _stem(draft.source),
        "source_folder": draft.source.absolute().parent.name,
        "driver_name": "+".join(dict.fromkeys(_stem(driver) for driver in draft.drivers)),
        "ext": _extension(draft.source.suffix.lower(), draft.options.encode),
    }
    if draft.shot is not None:
        values["shot_name"] = draft.shot.name
    name = fill_name(draft.name, values)
    if Path(name).suffix.lower() not in _OUTPUT_SUFFIXES:
        name = f"{name}.{values['ext']}"
    if draft.output is None:
        return folder / name
    written = fill_name(draft.output, values)
    path = folder / Path(written).expanduser()
    return path / name if written.endswith(("/", os.sep)) or path.is_dir() else path


def fill_name(pattern: str, values: Mapping[str, str | int]) -> str:
    """The pattern with its fields filled in: "{index:03d}_{source_name}.{ext}".

    Raises:
        OptionError: a field that does not exist or that this job does not have, or a format that does not fit.
    """
    out = []
    try:
        for literal, name, form, conversion in string.Formatter().parse(pattern):
            out.append(literal)
            if name is None:
                continue
            if name not in _FIELDS or conversion:
                close = difflib.get_close_matches(name, _FIELDS, n=1)
                hint = f"did you mean {{{close[0]}}}?" if close else f"there are {', '.join(_FIELDS)}"
                raise OptionError(f"name {pattern!r}: there is no {{{name}}}; {hint}")
            if name not in values:
                raise OptionError(f"name {pattern!r}: {{{name}}} is only for jobs of a timeline; leave it out")
            out.append(format(values[name], form or ""))
    except OptionError:
        raise
    except ValueError as error:
        raise OptionError(f"name {pattern!r}: {error}; write fields as {{index:03d}}_{{source_name}}") from error
    return "".join(out)


def _stem(path: Path) -> str:
    """As the single run's default output: without folder, number pattern and suffix."""
    pattern = parse_pattern(path)
    return (pattern.stem if pattern else path.stem).rstrip("._- ") or "frames"


@functools.lru_cache(maxsize=256)
def _extension(suffix: str, encode: EncodeOptions) -> str:
    """The source's own suffix where that can be written with this encoder, else the first that can."""
    wanted = [suffix] if suffix in _FILM_SUFFIXES else []
    for candidate in dict.fromkeys([*wanted, *_FILM_SUFFIXES]):
        if _encode_error(candidate, EncodeOptions(codec=encode.codec)) is None:
            return candidate[1:]
    return (wanted or _FILM_SUFFIXES)[0][1:]


@functools.lru_cache(maxsize=1024)
def _encode_error(suffix: str, encode: EncodeOptions) -> str | None:
    """Why no source at all could be written like that."""
    error = _error_of(lambda: check_encode_options(Path(f"*{suffix}"), encode))
    return None if error is None else str(error)


def _check_encoding(draft: _Draft, path: Path, mistakes: Mistakes) -> None:
    """Each encoding option on top of the encoder alone, so that each has its own line."""
    suffix = f".%04d{path.suffix}" if parse_pattern(path) else path.suffix
    error = _encode_error(suffix, EncodeOptions(codec=draft.options.encode.codec))
    if error is not None:
        mistakes.add(draft.place_of("encoder", "output", "name"), error)
        return
    for key, name in _ENCODE_OPTION_OF.items():
        value = getattr(draft.options.encode, name)
        alone = EncodeOptions(**{"codec": draft.options.encode.codec, name: value})
        if value is not None and (error := _encode_error(suffix, alone)):
            mistakes.add(draft.place_of(key), error)


def _check_outputs(jobs: Sequence[Job], places: Sequence[Place], batch: _Batch) -> None:
    """No two jobs write one file, none writes what another reads, and every folder can be written to."""
    read = {_exact_key(path): words for path, words in reversed(batch.inputs)}
    numbered = [(pattern, words) for path, words in batch.inputs if (pattern := parse_pattern(path))]
    taken: dict[str, Job] = {}
    for job in jobs:
        where = places[job.index - 1]
        key = unicodedata.normalize("NFC", _exact_key(job.output)).casefold()
        other = taken.setdefault(key, job)
        if other is not job:
            which = other.where if other.where != job.where else f"{other.source.name} of the same entry"
            how = "" if other.output == job.output else ", but for upper and lower case"
            hint = "add {index} or {source_folder} to the name"
            batch.mistakes.add(where, f"output {job.output} is also that of {which}{how}; {hint}")
        words = (
            read.get(_exact_key(job.output)) or _picture_of(job.output, numbered) or _overwritten(job.output, read)
        )
        if words:
            batch.mistakes.add(where, f"output {job.output}: is {words}; write to another name")
        trouble = _folder_trouble(job.output)
        if trouble:
            batch.mistakes.add(where, f"output {job.output}: {trouble}")


def _exact_key(path: Path) -> str:
    """One name for a file, however its path is written; all pictures of a sequence have one."""
    pattern = parse_pattern(path)
    if pattern is None:
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(pattern.folder), f"{pattern.prefix}\0{pattern.suffix}")


def _picture_of(output: Path, numbered: Iterable[tuple[SequencePattern, str]]) -> str:
    """The words for the sequence that a single picture would be written into."""
    beside = [
        words
        for pattern, words in numbered
        if pattern.suffix.endswith(output.suffix) and output in pattern.files().values()
    ]
    return f"a picture of {beside[0]}" if beside else ""


def _overwritten(output: Path, read: Mapping[str, str]) -> str:
    """The words for what is read among the pictures that a sequence replaces."""
    pattern = parse_pattern(output)
    files = pattern.files().values() if pattern else []
    return next((words for file in files if (words := read.get(os.path.realpath(file), ""))), "")


def _folder_trouble(output: Path) -> str:
    if output.is_dir():
        return "is a folder; give a file name in it"
    folder = output.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return f"{folder} is a file, not a folder; name another folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the folder {folder} is not writable; check its permissions"
    return ""
