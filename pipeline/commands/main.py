"""The command line: it fills options and calls one function. What is heavy is loaded when the call is clear."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import check_output, check_readable, media_of, parse_pattern
from ..media import default_suffix
from ..option_table import ENCODING, PERFORMANCE, RUNNING
from ..stream import hand_over, printable, say, say_aside
from ..usage import check_film, check_plot, check_preview, check_roles, check_table
from .loading import loading
from .option_flags import add_options, names, options_said
from .terminal import bars, did_you_mean, fail, parser, run_command

if TYPE_CHECKING:
    from ..report import Report
    from ..review import Library, People
    from ..stream import Progress

DESCRIPTION = """\
Change what a filmed face expresses, and nothing else.

  retarget --source video.mp4 --driver clip.mp4        a performance by another person
  retarget --source video.mp4 --driver smile.yaml      keyframed action units (FACS)
  retarget --source video.mp4 --driver take.csv        OpenFace, py-feat, Live Link Face, MediaPipe

The output keeps the source's frames, times, sound, colour tags and bit depth; only the edited faces' pixels
differ. `source` is the clip that is edited (face-swap tools call that the target).
"""

COMMANDS = """\
commands:
  retarget track CLIP -o CLIP.csv       measure action units; the table can drive, in OpenFace's columns
  retarget faces CLIP -o people.png     who is in a clip, in which shots: the numbers of --face person:1
  retarget faces CLIP... --library      what takes and stills hold of whom for --reference, and what they lack
  retarget curves FILE... -o c.png      plot the curves of drivers, clips, or a run's report
  retarget preview -s S -d D -o p.png   a contact sheet (and a side-by-side video) instead of the whole job
  retarget batch JOBS.yaml              many clips, unattended, with a report (also CSV, EDL, OTIO, globs)

exit status: 0 done, 1 failed midway, 2 wrong usage or input, 130 interrupted. Nothing half-written is left.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = _COMMANDS.get(arguments[0]) if arguments else None
    if command is None and arguments and not arguments[0].startswith("-"):
        return fail("retarget", _no_command(arguments[0]), 2)
    return run_command(
        "retarget",
        lambda: command(arguments[1:]) if command else _retarget(arguments),
        interrupted="nothing was written",
    )


def _no_command(word: str) -> str:
    if Path(word).exists():
        return f"{word}: say --source before what is edited, and --driver before what drives it"
    hint = did_you_mean(word, _COMMANDS) or f"; there are {', '.join(_COMMANDS)}, or flags alone"
    return f"no command is called {word!r}{hint}"


# Commands


def _retarget(argv: Sequence[str]) -> int:
    flags = parser("retarget", DESCRIPTION, COMMANDS)
    flags.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    _add_source_and_driver(flags)
    flags.add_argument(
        "-o", "--output", type=Path,
        help="file (.mp4 .mov .mkv .webm .mxf) or image sequence (out.%%04d.png, .tif); default: "
        "SOURCE--DRIVER in the current folder, .mov and .mkv staying so, else .mp4",
    )  # fmt: skip
    _add_common(flags)
    add_options(flags, PERFORMANCE, ENCODING)
    flags.add_argument("--report", type=Path, metavar="RUN.json", help="write what was done, with all curves")
    flags.add_argument(
        "--portable", action="store_true", help="in the report, files are told from its folder, to hand it on"
    )
    arguments = flags.parse_args(argv)
    source, driver = arguments.source, arguments.driver
    output = arguments.output or default_output(source, driver, arguments.encoder)
    check_roles(source, [driver])
    _check_inputs(source, driver)
    options = options_said(arguments, source)
    _check_inputs(*options.face_pictures(), *options.reference_files())
    read = (driver, *options.files())
    check_film(output, source, read, overwrite=arguments.overwrite)
    if arguments.report:
        inputs = dict.fromkeys((source, output, *read), "another file of this job")
        check_output(arguments.report, inputs=inputs, overwrite=arguments.overwrite)

    with loading():
        from ..report import write_report
        from ..run import retarget_video

    report = retarget_video(source, driver, output, options, progress=_progress(arguments))
    if arguments.report:
        write_report(report, arguments.report, overwrite=arguments.overwrite, is_portable=arguments.portable)
    _tell(report, f"{output}: {report.frames} frames, {report.frames_edited} edited", arguments)
    return 0


def _preview(argv: Sequence[str]) -> int:
    flags = parser("retarget preview", "See an edit before rendering it: source, driver and result at N moments.")
    _add_source_and_driver(flags)
    flags.add_argument("-o", "--output", type=Path, help="contact sheet; default: SOURCE--DRIVER.png")
    flags.add_argument("--moments", type=int, default=6, metavar="N", help="columns of the sheet (default 6)")
    flags.add_argument("--side-by-side", type=Path, metavar="VIDEO", help="also write a comparison video")
    flags.add_argument("--debug", action="store_true", help="draw landmarks, crop, mask and numbers over it")
    _add_common(flags)
    add_options(flags, PERFORMANCE)
    arguments = flags.parse_args(argv)
    output = arguments.output or default_output(arguments.source, arguments.driver).with_suffix(".png")
    check_roles(arguments.source, [arguments.driver])
    _check_inputs(arguments.source, arguments.driver)
    options = options_said(arguments, arguments.source)
    _check_inputs(*options.face_pictures(), *options.reference_files())
    read = (arguments.source, arguments.driver, *options.files())
    check_preview(output, arguments.side_by_side, read, moments=arguments.moments, overwrite=arguments.overwrite)

    with loading():
        from ..review import preview

    report = preview(
        arguments.source,
        arguments.driver,
        output,
        options,
        moments=arguments.moments,
        side_by_side=arguments.side_by_side,
        debug=arguments.debug,
        progress=_progress(arguments),
    )
    also = f" and {arguments.side_by_side}" if arguments.side_by_side else ""
    _tell(report, f"{output}{also}: {report.frames} frames looked at", arguments)
    return 0


def _track(argv: Sequence[str]) -> int:
    flags = parser("retarget track", "Measure the action units of every face of a clip, picture or sequence.")
    flags.add_argument("source", type=Path, metavar="CLIP")
    flags.add_argument("-o", "--output", type=Path, help="default: CLIP.csv in the current folder")
    _add_common(flags)
    arguments = flags.parse_args(argv)
    output = arguments.output or Path(f"{_stem(arguments.source)}.csv")
    _check_inputs(arguments.source)
    options = options_said(arguments, arguments.source)
    check_table(output, arguments.source, overwrite=arguments.overwrite)

    with loading():
        from ..run import track_video

    report = track_video(arguments.source, output, options, progress=_progress(arguments))
    _tell(report, f"{output}: {report.frames} frames, {report.frames_without_face} without a face", arguments)
    return 0


def _faces(argv: Sequence[str]) -> int:
    flags = parser("retarget faces", "Who is in a clip: in which shots, for how long, how large.")
    flags.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    flags.add_argument(
        "--library", action="store_true",
        help="instead: what CLIPs (takes, pictures, folders) hold of each person to borrow from, and what not",
    )  # fmt: skip
    flags.add_argument("-o", "--output", type=Path, metavar="PEOPLE.png", help="a sheet with portraits (png, jpg)")
    flags.add_argument("--json", action="store_true", help="print JSON in place of the table")
    _add_common(flags)
    arguments = flags.parse_args(argv)
    if len(arguments.clips) > 1 and not arguments.library:
        flags.error("several clips are for --library; name one")
    clip = arguments.clips[0]
    for path in arguments.clips:
        _check_inputs(*(media_of(path) if arguments.library else [path]))
    options = options_said(arguments, clip)

    with loading():
        from ..review import list_library, list_people

    progress = _progress(arguments)
    if arguments.library:
        _list(list_library(arguments.clips, arguments.output, options, progress=progress), arguments)
    else:
        _list(list_people(clip, arguments.output, options, progress=progress), arguments)
    return 0


def _list(found: People | Library, arguments: argparse.Namespace) -> None:
    if arguments.json:
        hand_over(json.dumps(dataclasses.asdict(found), indent=1))
    elif not arguments.quiet:
        hand_over(printable("\n".join([found.headline, *found.table()])))


def _curves(argv: Sequence[str]) -> int:
    flags = parser("retarget curves", "Plot action-unit curves of drivers, clips and run reports.")
    flags.add_argument("files", type=Path, nargs="+", metavar="FILE", help="YAML, CSV, clip, picture or RUN.json")
    flags.add_argument("-o", "--output", type=Path, default=Path("curves.png"), help="png, pdf or svg")
    flags.add_argument("--units", type=names, default=(), metavar="AU12,AU06", help="only these action units")
    add_options(flags, keys=("driver_face", "driver_frame_rate"))
    _add_common(flags)
    arguments = flags.parse_args(argv)
    options = options_said(arguments, arguments.files[0])
    check_plot(arguments.output, arguments.files, arguments.units, overwrite=arguments.overwrite)

    with loading():
        from ..review import plot_curves

    notes: list[str] = []
    plot_curves(
        arguments.files,
        arguments.output,
        options=options,
        units=arguments.units,
        overwrite=arguments.overwrite,
        progress=_progress(arguments),
        note=notes.append,
    )
    _say(f"{arguments.output}: {len(arguments.files)} file{'s' * (len(arguments.files) > 1)} plotted", arguments)
    _note(notes, arguments)
    return 0


def _batch(argv: Sequence[str]) -> int:
    with loading():
        from .batch import batch_command

    return batch_command(argv)


_COMMANDS = {"track": _track, "faces": _faces, "curves": _curves, "preview": _preview, "batch": _batch}


def default_output(source: Path, driver: Path, encoder: str | None = None) -> Path:
    """`SOURCE--DRIVER.mp4` in the current folder, from the names without folder, number pattern and suffix; .mov,
    .mkv and the like stay what they are."""
    return Path(f"{_stem(source)}--{_stem(driver)}{default_suffix(source, encoder)}")


def _stem(path: Path) -> str:
    pattern = parse_pattern(path)
    return (pattern.stem if pattern else path.stem).rstrip("._- ") or "frames"


# Flags


class _Version(argparse.Action):
    """Looks the version up when it is asked for."""

    def __call__(self, flags: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"retarget {version('retarget')}")
        flags.exit()


def _add_source_and_driver(flags: argparse.ArgumentParser) -> None:
    flags.add_argument(
        "-s", "--source", type=Path, required=True,
        help="what is edited: video, picture, or image sequence (shot.%%04d.png, shot.####.tif)",
    )  # fmt: skip
    flags.add_argument(
        "-d", "--driver", "--driving", type=Path, required=True, dest="driver",
        help="what it shall express: video, picture, AU curves (.yaml) or capture (.csv)",
    )  # fmt: skip


def _add_common(flags: argparse.ArgumentParser) -> None:
    add_options(flags, RUNNING)
    flags.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")


def _check_inputs(*files: Path) -> None:
    """What can be said of the inputs before anything heavy is loaded."""
    for file in files:
        check_readable(file)


# Talking


def _progress(arguments: argparse.Namespace) -> Progress[Any]:
    return bars(quiet=arguments.quiet)


def _tell(report: Report, headline: str, arguments: argparse.Namespace) -> None:
    what = [f"{report.faces} face{'s' * (report.faces != 1)}", f"{report.shots} shot{'s' * (report.shots != 1)}"]
    elapsed = report.seconds.get("elapsed")
    _say(", ".join([headline, *what, *([f"{elapsed:.1f} s"] if elapsed else [])]), arguments)
    _note(report.notes, arguments)


def _note(notes: Iterable[str], arguments: argparse.Namespace) -> None:
    if not arguments.quiet:
        for note in notes:
            say_aside(textwrap.fill(f"note: {note}", 110, subsequent_indent="      "))


def _say(text: str, arguments: argparse.Namespace) -> None:
    if not arguments.quiet:
        say(text)


if __name__ == "__main__":
    sys.exit(main())
