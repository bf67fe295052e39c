"""What a batch shall do, made out and checked whole before anything runs: job sheets, timelines, globs -> jobs.

A job's own value goes before the sheet's default, which goes before the command line's. Every mistake is found and
placed, and all are told at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..options import RetargetOptions
from .cells import Cell, Mistakes, Place, Row, Sheet
from .drafts import Draft, Drafter
from .job import Job, JobSheet
from .job_settings import BATCH_KEYS, JOB_KEYS, BatchSettings, checked
from .names import DEFAULT_NAME, JobNames, output_path
from .outputs import check_encoding, check_outputs
from .rows import given_row, merged
from .sheet import read_sheet
from .shots import ShotDrafts


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
    sheet = _over(given_row(defaults or {}, mistakes), sheet)
    settings = checked(BatchSettings, sheet.settings, mistakes)
    if output_dir is None and settings.output_dir is not None:
        output_dir = sheet.settings["output_dir"].path(settings.output_dir)
    drafter = Drafter(mistakes, outputs=output_dir)
    shots = ShotDrafts(sheet, settings, drafter) if settings.timeline is not None else None
    drafts = list(_drafts(sheet, shots, drafter))
    if not drafts and not mistakes:
        mistakes.add(sheet.place, "has no jobs; add 'jobs:' with a source and a driver each")
    folder = output_dir or sheet.folder
    inputs = [(path, "the job sheet"), *([(shots.path, "the timeline")] if shots else [])]
    jobs = _named(drafts, folder, inputs, mistakes)
    mistakes.check()
    return JobSheet(jobs=jobs, output_dir=_absolute(folder), timeline=shots.timeline if shots else None)


def jobs_from_globs(
    sources: Sequence[str],
    driver: Path,
    *,
    output_dir: Path,
    pattern: str = DEFAULT_NAME,
    options_of: Callable[[Path], RetargetOptions] = lambda _: RetargetOptions(),
) -> list[Job]:
    """A job for each file that any of the globs matches ("plates/**/*.mov"), all with one driver.

    `pattern` names the outputs. `options_of` says a source's options: frames and timecode count at its own rate.

    Raises:
        JobSheetError: anything wrong with any job, all at once.
    """
    mistakes = Mistakes()
    drafter = Drafter(mistakes, outputs=output_dir)
    drafts: dict[Path, Draft] = {}
    for text in sources:
        where = Place(f"--source {text}")
        row: Row = {"source": Cell(text, where, Path(), "source"), "name": Cell(pattern, where, Path(), "name")}
        for source in drafter.sources(row, text):
            options = mistakes.of(where, functools.partial(options_of, source))
            if options is not None:
                drafts.setdefault(source, Draft(where, row, source, (driver,), options, pattern))
    for draft in drafts.values():
        drafter.check_files(draft)
    jobs = _named(list(drafts.values()), output_dir, [], mistakes)
    mistakes.check()
    return jobs


def _over(given: Row, sheet: Sheet) -> Sheet:
    """The sheet over what the command line gives."""
    settings = {**{key: cell for key, cell in given.items() if key in BATCH_KEYS}, **sheet.settings}
    base = merged({key: cell for key, cell in given.items() if key in JOB_KEYS}, sheet.base)
    return replace(sheet, settings=settings, base=base)


def _drafts(sheet: Sheet, shots: ShotDrafts | None, drafter: Drafter) -> Iterator[Draft]:
    """The jobs of the list and those of the timeline; without either the sheet itself is one."""
    for where, row in sheet.jobs or []:
        yield from drafter.drafts(where, merged(sheet.base, row))
    if shots is not None:
        yield from shots.drafts()
    elif sheet.shots:
        where, _ = next(iter(sheet.shots.values()))
        drafter.mistakes.add(where, "'shots' are those of a timeline; add 'timeline: CUT.edl'")
    elif sheet.jobs is None and {"source", "driver", "drivers"} & sheet.base.keys():
        yield from drafter.drafts(sheet.place, sheet.base)


def _named(
    drafts: Sequence[Draft], folder: Path, inputs: Sequence[tuple[Path, str]], mistakes: Mistakes
) -> list[Job]:
    """The jobs, with numbers, names and outputs that none of the others has.

    `inputs` are files that are read besides those of the jobs, and in which words.
    """
    jobs: list[Job] = []
    names, read = JobNames(folder), list(inputs)
    for index, draft in enumerate(drafts, 1):
        find = functools.partial(output_path, draft, index, folder)
        path = mistakes.of(draft.place_of("output", "name"), find)
        if path is None:
            continue
        check_encoding(draft, path, mistakes)
        job = Job(
            index=index,
            name=names.of(path),
            source=_absolute(draft.source),
            drivers=tuple(_absolute(driver) for driver in draft.drivers),
            output=_absolute(path),
            options=draft.options.with_files(_absolute),
            where=str(draft.place),
            shot=draft.shot,
        )
        jobs.append(job)
        read += [(job.source, f"the source of {job.where}")]
        read += [(file, f"read for {job.where}") for file in (*job.drivers, *job.options.files())]
    check_outputs(jobs, [draft.place for draft in drafts], read, mistakes)
    return jobs


def _absolute(path: Path) -> Path:
    """The path as it holds in any process, wherever that works; links stay, unless ".." may lead through one."""
    path = path.absolute()
    return path.parent.resolve() / path.name if ".." in path.parts else path
