"""Rows made into drafts: jobs with everything but a number and an output."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..editorial import TimelineShot, has_media
from ..faces import FaceSelection
from ..files import media_of
from ..media import EncodeOptions
from ..option_table import Kind, Option, options_of
from ..options import RetargetOptions
from ..usage import check_roles
from .cells import Cell, Mistakes, Place, Row
from .checks import InputChecks
from .job_settings import KEYS, JobSettings, checked
from .names import DEFAULT_NAME
from .sources import SourceFinder
from .times import TRIM_KEYS, RowTimes


@dataclass(frozen=True)
class Draft:
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
    shot: TimelineShot | None = None

    def place_of(self, *keys: str) -> Place:
        """Where the first of these keys was said, or the job."""
        return next((self.row[key].place for key in keys if key in self.row), self.place)


class Drafter:
    """Makes drafts of rows; what is wrong with them goes to the mistakes."""

    def __init__(self, mistakes: Mistakes, *, outputs: Path | None) -> None:
        """`outputs` is a folder that globs do not look into."""
        self.mistakes, self.checks = mistakes, InputChecks()
        self._sources = SourceFinder(mistakes, outputs=outputs)

    def drafts(self, where: Place, row: Row) -> Iterator[Draft]:
        """The jobs of one row: several if its source is a glob."""
        settings = checked(KEYS.model, row, self.mistakes)
        if "source" not in row:
            self.mistakes.add(where, "has no source; add 'source: plate.mov'")
        drivers = self.drivers(where, row, settings)
        sources = self.sources(row, settings.source) if settings.source else []
        if not sources:
            self.options(row, settings, None)  # for its mistakes
        for source in sources:
            options = self.options(row, settings, source)
            name = settings.name or DEFAULT_NAME
            draft = Draft(where, row, source, drivers, options, name, settings.output)
            self.check_files(draft)
            yield draft

    def sources(self, row: Row, text: str) -> list[Path]:
        """The files that a row's source means."""
        return self._sources.find(row["source"], text)

    def drivers(self, where: Place, row: Row, settings: JobSettings) -> tuple[Path, ...]:
        """The drivers, one or one a face; nothing if none is said."""
        key = "drivers" if settings.drivers else "driver"
        texts = settings.drivers or ([settings.driver] if settings.driver else [])
        if not texts:
            if not {"driver", "drivers"} & row.keys():
                self.mistakes.add(where, "has no driver; add 'driver: smile.yaml'")
            return ()
        if settings.driver and settings.drivers:
            self.mistakes.add(row["drivers"].place, "'driver' and 'drivers' are both said; keep one of them")
        paths = tuple(row[key].path(text) for text in texts)
        for path in paths:
            if not has_media(path):
                self.mistakes.add(row[key].place, f"driver {path}: no such file; correct the path")
        return paths

    def options(self, row: Row, settings: JobSettings, source: Path | None) -> RetargetOptions:
        """The row's options; what a single run would refuse is told, each at its own line, and left out."""
        times = RowTimes(self.checks, self.mistakes, row, settings, source)
        values: dict[str, Any] = {}
        for option in options_of(RetargetOptions):
            value = self._value(option, row, settings, times)
            if value is not None and self._fits(row[option.key], {option.field: value}):
                values[option.field] = value
        values["trim_start"], values["trim_end"] = times.trim()
        several = settings.drivers is not None and len(settings.drivers) > 1
        if several and "faces" not in values:
            values["faces"] = FaceSelection("left-right", None)
        elif several and values["faces"].index is not None:
            cell = row["face"]
            self.mistakes.add(
                cell.place, f"{cell.key}: {cell.value} is one face for several drivers; use ORDER:all"
            )
        encode = {option.field: settings.said(option.key) for option in options_of(EncodeOptions)}
        where = next((row[key].place for key in ("crf",) if key in row), Place("encoding"))
        values["encode"] = self.mistakes.of(where, lambda: EncodeOptions(**encode)) or EncodeOptions()
        return RetargetOptions(**values)

    def _value(self, option: Option, row: Row, settings: JobSettings, times: RowTimes) -> Any:
        """What an option's field takes; None where nothing is said, or it is wrong."""
        key, value = option.key, settings.said(option.key)
        if value is None or key in TRIM_KEYS:
            return None
        if option.kind in (Kind.LENGTH, Kind.TIME):
            return times.seconds(key)
        if option.kind is Kind.NEUTRAL:
            return times.neutral(key)
        if option.kind is Kind.FACES:
            return self._face(row[key], value)
        if option.kind is Kind.FILE:
            return self._checkpoint(row[key], row[key].path(value))
        if option.kind is Kind.FILES:
            return tuple(row[key].path(text) for text in value)
        return tuple(value) if option.kind is Kind.NAMES else value

    def _fits(self, cell: Cell, option: dict[str, Any]) -> bool:
        """Whether the option makes sense on its own; all of their rules are about one at a time."""
        return self.mistakes.of(cell.place, lambda: RetargetOptions(**option)) is not None

    def _face(self, cell: Cell, selection: FaceSelection) -> FaceSelection | None:
        """A picture of a person counts from the sheet's folder, as every file."""
        if selection.picture is None:
            return selection
        picture = cell.path(str(selection.picture))
        if not picture.is_file():
            self.mistakes.add(cell.place, f"{cell.key}: {picture}: no such file; correct the path")
            return None
        return replace(selection, picture=picture)

    def _checkpoint(self, cell: Cell, path: Path) -> Path | None:
        error = self.checks.checkpoint_error(path)
        if error is not None:
            self.mistakes.add(cell.place, str(error))
        return None if error else path

    def check_files(self, draft: Draft) -> None:
        """Looks for the references, and into the drivers that are text."""
        where = draft.place_of("reference") if "reference" in draft.row else Place("--reference")
        for reference in draft.options.references:
            if not (reference.is_dir() or has_media(reference)):
                self.mistakes.add(where, f"reference {reference}: no such file; correct the path")
            self.mistakes.of(where, functools.partial(media_of, reference))
        roles = functools.partial(check_roles, draft.source, draft.drivers)
        self.mistakes.of(draft.place_of("source"), roles)
        for driver in draft.drivers:
            if driver.is_file():
                where = draft.place_of("drivers", "driver")
                error = self.checks.driver_error(driver, draft.source, draft.options)
                if error is not None:
                    self.mistakes.add(where, str(error))
            elif "driver" not in draft.row and "drivers" not in draft.row and not has_media(driver):
                self.mistakes.add(Place("--driver"), f"{driver}: no such file; correct the path")
