"""`retarget batch`: what is to be done, doing it, and the report in the morning."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..batch import BatchOptions, BatchResult, Run, batch_main, run_batch
from ..errors import OptionError
from ..faces import DEFAULT_LIMIT_BYTES, default_cache_dir
from ..jobs import DEFAULT_NAME, JobSheet, JobSheetError, jobs_from_globs, load_sheet, value_of
from ..option_table import ENCODING, PERFORMANCE, RUNNING
from ..stream import say, say_aside
from .option_flags import add_options, options_said
from .terminal import bars, parser

DESCRIPTION = """\
Many clips, unattended: what is missing or changed is done, one failure does not stop the rest.

  retarget batch jobs.yaml                                   a sheet of jobs (samples/batch.yaml explains itself)
  retarget batch shots.csv --output-dir out                  the same as a table
  retarget batch cut.edl --set driver=smile.yaml --set media=plates/   a job a shot (also .otio, -Scenes.csv)
  retarget batch --source 'plates/**/*.mov' --driver smile.yaml --output-dir out

Running it again does only what is missing, changed or, with --retry-failed, failed. The output folder then has
report.html and report.csv (worst first) and batch.otio (outputs with markers for what needs a look).
"""

GIBIBYTE = 2**30
MOST_GIBIBYTES = 1e9


def batch_command(argv: Sequence[str]) -> int:
    """Runs `retarget batch` and returns the exit status: 0, 1 if a job failed, 2, or 130."""
    arguments = _flags().parse_args(argv)
    try:
        sheet = _sheet(arguments)
    except JobSheetError as error:
        for mistake in error.mistakes:
            say_aside(f"retarget: {mistake}")
        return error.exit_code
    for note in sheet.notes:
        say_aside(f"note: {note}")
    options = BatchOptions(
        output_dir=sheet.output_dir,
        workers=arguments.jobs,
        halt_on_error=arguments.halt_on_error,
        retry_failed=arguments.retry_failed,
        cache_dir=arguments.cache_dir,
        cache_limit_bytes=_cache_bytes(arguments.cache_limit),
        use_cache=not arguments.no_cache,
        devices=tuple(arguments.devices.split(",")) if arguments.devices else (),
        chunk_seconds=arguments.chunk_seconds,
        is_portable=arguments.portable,
    )
    result = batch_main(sheet.jobs, options, quiet=arguments.quiet, run=_runner(arguments))
    if not result.interrupted and not arguments.no_report:
        _report(sheet, result, arguments)
    return result.exit_code


def _flags() -> argparse.ArgumentParser:
    flags = parser("retarget batch", DESCRIPTION)
    what = flags.add_argument_group("what")
    what.add_argument(
        "sheet", type=Path, nargs="?", metavar="JOBS",
        help="sheet (.yaml, .csv), timeline (.edl, .otio, .fcpxml, .xml, .ale, .aaf) or PySceneDetect's scene "
        "list (-Scenes.csv)",
    )  # fmt: skip
    what.add_argument("-s", "--source", action="append", default=[], metavar="GLOB", help="instead: a job a file")
    what.add_argument("-d", "--driver", "--driving", type=Path, dest="driver", help="for all of those")
    what.add_argument(
        "-o", "--output-dir", type=Path, metavar="FOLDER", help="default: as the sheet says, or beside"
    )
    what.add_argument(
        "--name", default=DEFAULT_NAME, metavar="PATTERN",
        help="of the outputs of --source: {index}, {source_name}, {driver_name}, {ext} (default %(default)s)",
    )  # fmt: skip
    what.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE",
        help="for a sheet or timeline: what counts where it says nothing: strength=0.8, driver=smile.yaml",
    )  # fmt: skip
    how = flags.add_argument_group("how")
    how.add_argument(
        "-j", "--jobs", type=int, default=BatchOptions.workers, metavar="N",
        help="clips at a time (default %(default)s)",
    )  # fmt: skip
    how.add_argument("--halt-on-error", action="store_true", help="start nothing more after a failure")
    how.add_argument("--retry-failed", action="store_true", help="also what failed before and has not changed")
    how.add_argument("--devices", metavar="D,D", help="handed out to the workers in turn: cuda:0,cuda:1")
    how.add_argument("--no-cache", action="store_true", help="track every clip anew")
    cache_dir = default_cache_dir() or "none: there is no home folder"
    how.add_argument("--cache-dir", type=Path, metavar="FOLDER", help=f"of tracking results (default {cache_dir})")
    limit = DEFAULT_LIMIT_BYTES / GIBIBYTE
    how.add_argument(
        "--cache-limit", type=float, default=limit, metavar="GIB", help="its size (default %(default)g)"
    )
    how.add_argument(
        "--chunk-seconds", type=float, default=BatchOptions.chunk_seconds, metavar="S",
        help="longer clips are encoded in pieces of this length, and after a crash work resumes after the last "
        "whole one; 0 is never (default %(default)g)",
    )  # fmt: skip
    how.add_argument("--ray", metavar="ADDRESS", help="run on a Ray cluster: auto, HOST:6379 (retarget[ray])")
    how.add_argument("--ray-cpus", type=float, default=1, metavar="N", help="a job needs (default %(default)s)")
    how.add_argument("--ray-gpus", type=float, default=0, metavar="N", help="a job needs (default %(default)s)")
    how.add_argument(
        "--portable", action="store_true",
        help="in reports, manifest and timeline, files are told from the output folder, to hand it on",
    )  # fmt: skip
    how.add_argument("--no-report", action="store_true", help="no report.html, report.csv, batch.otio")
    add_options(flags, RUNNING)
    flags.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")
    add_options(flags, PERFORMANCE, ENCODING)
    return flags


def _cache_bytes(gibibytes: float) -> int:
    if not 0 <= gibibytes <= MOST_GIBIBYTES:
        raise OptionError(f"a cache of {gibibytes:g} GiB makes no sense; use --no-cache for none")
    return round(gibibytes * GIBIBYTE)


def _sheet(arguments: argparse.Namespace) -> JobSheet:
    if (arguments.sheet is None) == (not arguments.source):
        raise OptionError("name either a sheet of jobs or --source; see retarget batch --help")
    if arguments.sheet is not None:
        if arguments.driver is not None:
            raise OptionError("a sheet names its drivers itself; use --set driver=FILE for those it leaves open")
        return load_sheet(arguments.sheet, output_dir=arguments.output_dir, defaults=_settings(arguments.set))
    if arguments.set:
        raise OptionError("--set is for sheets; with --source use the flags themselves, such as --strength")
    if arguments.driver is None or arguments.output_dir is None:
        raise OptionError("--source needs --driver and --output-dir")
    jobs = jobs_from_globs(
        arguments.source,
        arguments.driver,
        output_dir=arguments.output_dir,
        pattern=arguments.name,
        options_of=functools.partial(options_said, arguments),
    )
    return JobSheet(jobs=jobs, output_dir=arguments.output_dir.absolute(), timeline=None)


def _settings(changes: Sequence[str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals:
            raise OptionError(f"--set {change!r} is not KEY=VALUE, such as strength=0.8")
        try:
            out[key.strip()] = value_of(text)
        except JobSheetError as error:
            raise OptionError(f"--set {change!r}: the value is no YAML; quote it") from error
    return out


def _runner(arguments: argparse.Namespace) -> Run:
    if arguments.ray is None:
        return run_batch
    from ..batch import run_on_ray

    return functools.partial(
        run_on_ray, address=arguments.ray, num_cpus=arguments.ray_cpus, num_gpus=arguments.ray_gpus
    )


def _report(sheet: JobSheet, result: BatchResult, arguments: argparse.Namespace) -> None:
    from ..batch import review_batch  # what measures and draws is not needed before

    count = sum(job.state != "pending" for job in result.jobs)
    title = arguments.sheet.name if arguments.sheet else f"{count} clips, {arguments.driver.name}"
    progress = bars(quiet=arguments.quiet, unit="clip")
    review = review_batch(
        sheet,
        result,
        title=title,
        workers=arguments.jobs,
        is_portable=arguments.portable,
        progress=progress,
    )
    for note in review.notes:
        say_aside(f"note: {note}")
    if not arguments.quiet:
        say(f"{review.page}: {review.flagged} of {review.clips} clips have something to look at")
