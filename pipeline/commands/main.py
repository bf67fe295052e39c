"""The command line: it fills options and calls one function."""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from ..drivers import rate_of, seconds_of
from ..edit import REGIONS
from ..errors import OptionError
from ..faces import FACE_ORDERS, FaceSelection, track_video
from ..files import check_output, parse_pattern
from ..media import EncodeOptions, open_video
from ..options import RetargetOptions
from ..records import Report
from ..report import write_report
from ..run import retarget_video
from ..stream import Progress
from .terminal import bars, parser, run_command

T = TypeVar("T")

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
  retarget curves FILE... -o c.png      plot the curves of drivers, clips, or a run's report
  retarget preview -s S -d D -o p.png   a contact sheet (and a side-by-side video) instead of the whole job
  retarget batch JOBS.yaml              many clips, unattended, with a report (also CSV, EDL, OTIO, globs)

exit status: 0 done, 1 failed midway, 2 wrong usage or input, 130 interrupted. Nothing half-written is left.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = _COMMANDS.get(arguments[0]) if arguments else None
    return run_command(
        "retarget",
        lambda: command(arguments[1:]) if command else _retarget(arguments),
        interrupted="nothing was written",
    )


# Commands ----------------------------------------------------------------------------------------------


def _retarget(argv: Sequence[str]) -> int:
    flags = parser("retarget", DESCRIPTION, COMMANDS)
    flags.add_argument("--version", action="version", version=f"retarget {importlib.metadata.version('retarget')}")
    _add_source_and_driver(flags)
    flags.add_argument(
        "-o", "--output", type=Path, help="file (.mp4 .mov .mkv) or image sequence (out.%%04d.png, .tif); "
        "default: SOURCE--DRIVER.mp4 in the current folder"
    )  # fmt: skip
    _add_common(flags)
    _add_performance(flags)
    _add_encoding(flags)
    flags.add_argument("--report", type=Path, metavar="RUN.json", help="write what was done, with all curves")
    arguments = flags.parse_args(argv)
    options = _options(arguments)
    output = arguments.output or default_output(arguments.source, arguments.driver)
    if arguments.report:
        files = (arguments.source, arguments.driver, output, *options.neutral_pictures())
        inputs = dict.fromkeys(files, "another file of this job")
        check_output(arguments.report, inputs=inputs, overwrite=arguments.overwrite)
    report = retarget_video(arguments.source, arguments.driver, output, options, progress=_progress(arguments))
    if arguments.report:
        write_report(report, arguments.report)
    _tell(report, f"{output}: {report.frames} frames, {report.frames_edited} edited", arguments)
    return 0


def _preview(argv: Sequence[str]) -> int:
    from ..review import preview  # the main job need not wait for what draws

    flags = parser("retarget preview", "See an edit before rendering it: source, driver and result at N moments.")
    _add_source_and_driver(flags)
    flags.add_argument("-o", "--output", type=Path, help="contact sheet; default: SOURCE--DRIVER.png")
    flags.add_argument("--moments", type=int, default=6, metavar="N", help="columns of the sheet (default 6)")
    flags.add_argument("--side-by-side", type=Path, metavar="VIDEO", help="also write a comparison video")
    flags.add_argument("--debug", action="store_true", help="draw landmarks, crop, mask and numbers over it")
    _add_common(flags)
    _add_performance(flags)
    arguments = flags.parse_args(argv)
    output = arguments.output or default_output(arguments.source, arguments.driver).with_suffix(".png")
    report = preview(
        arguments.source,
        arguments.driver,
        output,
        _options(arguments),
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
    report = track_video(arguments.source, output, _options(arguments), progress=_progress(arguments))
    _tell(report, f"{output}: {report.frames} frames, {report.frames_without_face} without a face", arguments)
    return 0


def _curves(argv: Sequence[str]) -> int:
    from ..review import plot_curves

    flags = parser("retarget curves", "Plot action-unit curves of drivers, clips and run reports.")
    flags.add_argument("files", type=Path, nargs="+", metavar="FILE", help="YAML, CSV, clip, picture or RUN.json")
    flags.add_argument("-o", "--output", type=Path, default=Path("curves.png"), help="png, pdf or svg")
    flags.add_argument("--units", type=_names, default=(), metavar="AU12,AU06", help="only these action units")
    _add_common(flags)
    arguments = flags.parse_args(argv)
    arguments.source = arguments.files[0]
    plot_curves(
        arguments.files,
        arguments.output,
        options=_options(arguments),
        units=arguments.units,
        overwrite=arguments.overwrite,
        progress=_progress(arguments),
    )
    _say(f"{arguments.output}: {len(arguments.files)} file{'s' * (len(arguments.files) > 1)} plotted", arguments)
    return 0


def _batch(argv: Sequence[str]) -> int:
    from .batch import batch_command

    def add_flags(flags: argparse.ArgumentParser) -> None:
        _add_common(flags)
        _add_performance(flags)
        _add_encoding(flags)

    return batch_command(argv, add_option_flags=add_flags, options_of=_options)


_COMMANDS = {"track": _track, "curves": _curves, "preview": _preview, "batch": _batch}


def default_output(source: Path, driver: Path) -> Path:
    """`SOURCE--DRIVER.mp4` in the current folder, from the names without folder, number pattern and suffix."""
    return Path(f"{_stem(source)}--{_stem(driver)}.mp4")


def _stem(path: Path) -> str:
    pattern = parse_pattern(path)
    return (pattern.stem if pattern else path.stem).rstrip("._- ") or "frames"


# Options -----------------------------------------------------------------------------------------------

_DEFAULTS = {f.name: f.default for f in fields(RetargetOptions)}


def _checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A converter whose own words reach the user; argparse shows only those of its own error type."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def _add_source_and_driver(flags: argparse.ArgumentParser) -> None:
    flags.add_argument(
        "-s", "--source", type=Path, required=True,
        help="what is edited: video, picture, or image sequence (shot.%%04d.png, shot.####.tif)",
    )  # fmt: skip
    flags.add_argument(
        "-d", "--driver", "--driving", type=Path, required=True, dest="driver",
        help="what it shall express: video, picture, AU curves (.yaml) or capture (.csv)",
    )  # fmt: skip


def _add_performance(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("performance")
    group.add_argument(
        "--mode", choices=("match", "add"), default=_DEFAULTS["mode"],
        help="match: take on the driver's expression; add: put its departure from rest on top (default match)",
    )  # fmt: skip
    group.add_argument(
        "--strength", type=float, default=_DEFAULTS["strength"], metavar="X",
        help="1 as driven, 0.5 half, 0 nothing, negative the opposite (default %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--gain", type=_gains, action="append", default=[], metavar="AU12=0.5,AU4=0",
        help="strength of single action units, on top of --strength",
    )  # fmt: skip
    group.add_argument(
        "--region", type=_names, default=(), metavar="R,R",
        help=f"change only these: {', '.join(REGIONS)}, or action units (default all)",
    )  # fmt: skip
    group.add_argument(
        "--smooth", type=float, default=_DEFAULTS["smooth_seconds"], metavar="SECONDS",
        help="window that takes jitter out of measured expressions and alignment; 0 is off (default %(default)s)",
    )  # fmt: skip
    neutral = "auto|none|TIME|IMAGE"
    group.add_argument(
        "--driver-neutral", "--neutral", default="auto", metavar=neutral,
        help="the driver's resting face: estimated, none (absolute), at a time of the driver, or in a picture",
    )  # fmt: skip
    group.add_argument("--source-neutral", default="auto", metavar=neutral, help="likewise the source's")
    group.add_argument("--gaze", action="store_true", help="also follow the eyes' direction of a clip or capture")
    group.add_argument(
        "--driver-offset", default="0", metavar="TIME", help="start the driver at this time of the output"
    )
    group.add_argument(
        "--after", choices=("release", "hold", "loop"), default=None,
        help="when the driver has ended: back to the source's own (clips, captures), hold the last (curves), loop",
    )  # fmt: skip
    group.add_argument(
        "--release", type=float, default=_DEFAULTS["release_seconds"], metavar="SECONDS",
        help="length of that ramp back (default %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--face", type=_checked(FaceSelection.parse), default=None, metavar="WHICH",
        help=f"face(s) of each shot: all, {', '.join(FACE_ORDERS)}, a number, or ORDER:NUMBER "
        "(default large-small, the largest; all if the curve file has faces)",
    )  # fmt: skip
    group.add_argument(
        "--driver-face", type=_checked(FaceSelection.parse), default=FaceSelection(), metavar="WHICH",
        help="which face of the driver (default the largest)",
    )  # fmt: skip


def _add_common(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("running")
    group.add_argument(
        "--trim-start", metavar="TIME", help="first moment of the source: seconds, 36f, or 00:00:01:12"
    )
    group.add_argument("--trim-end", metavar="TIME", help="end of it (this moment is left out)")
    group.add_argument(
        "--frame-rate", type=_checked(rate_of), default=_DEFAULTS["sequence_rate"], metavar="FPS",
        help="of image sequences, and of pictures shown as video: 24, 23.976, 30000/1001 (default %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--min-face", type=int, metavar="PX", help="smallest face to work on (default 6%% of height)"
    )
    group.add_argument("--checkpoint", type=Path, metavar="FILE", help="a trained network (default: built in)")
    group.add_argument("--device", default=_DEFAULTS["device"], help="auto, cpu, cuda, cuda:1, mps (default auto)")
    group.add_argument(
        "--batch-size", type=int, default=_DEFAULTS["batch"], metavar="N", help="faces a pass (default by device)"
    )
    group.add_argument("--overwrite", action="store_true", help="replace an existing output")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")


def _add_encoding(flags: argparse.ArgumentParser) -> None:
    group = flags.add_argument_group("encoding")
    group.add_argument(
        "--encoder", metavar="NAME",
        help="h264 (default), hevc, prores, ffv1, or any encoder of FFmpeg such as h264_nvenc",
    )  # fmt: skip
    group.add_argument("--crf", type=int, metavar="N", help="quality, lower is better (h264 17, hevc 18)")
    group.add_argument("--preset", metavar="NAME", help="the encoder's speed preset (medium)")
    group.add_argument("--pixel-format", "--pix-fmt", metavar="NAME", help="default: the source's, or the nearest")
    group.add_argument("--profile", metavar="NAME", help="the encoder's profile, e.g. hq or 4444 for prores")


def _options(arguments: argparse.Namespace) -> RetargetOptions:
    """Options from whatever flags the command has."""
    given = vars(arguments)
    clock = _Clock(arguments.source, arguments.frame_rate)
    values: dict[str, Any] = {
        "trim_start": clock.seconds(arguments.trim_start, "--trim-start"),
        "trim_end": clock.seconds(arguments.trim_end, "--trim-end"),
        "sequence_rate": arguments.frame_rate,
        "min_face_px": arguments.min_face,
        "checkpoint": arguments.checkpoint,
        "device": arguments.device,
        "batch": arguments.batch_size,
        "overwrite": arguments.overwrite,
    }
    if "mode" in given:
        values |= {
            "mode": arguments.mode,
            "strength": arguments.strength,
            "gains": {name: value for pairs in arguments.gain for name, value in pairs.items()},
            "regions": arguments.region,
            "smooth_seconds": arguments.smooth,
            "driver_neutral": clock.neutral(arguments.driver_neutral, "--driver-neutral"),
            "source_neutral": clock.neutral(arguments.source_neutral, "--source-neutral"),
            "gaze": arguments.gaze,
            "driver_offset_seconds": clock.seconds(arguments.driver_offset, "--driver-offset"),
            "after": arguments.after,
            "release_seconds": arguments.release,
            "faces": arguments.face,
            "driver_faces": arguments.driver_face,
        }
    if "encoder" in given:
        values["encode"] = EncodeOptions(
            codec=arguments.encoder,
            crf=arguments.crf,
            preset=arguments.preset,
            pixel_format=arguments.pixel_format,
            profile=arguments.profile,
        )
    return RetargetOptions(**values)


class _Clock:
    """Turns times as people write them into seconds; frames and timecodes count at the source's rate."""

    def __init__(self, source: Path, sequence_rate: Fraction) -> None:
        self._source, self._sequence_rate = source, sequence_rate

    def seconds(self, text: str | None, flag: str) -> float | None:
        """Raises OptionError naming the flag."""
        if text is None:
            return None
        try:
            return float(text)
        except ValueError:
            pass
        try:
            return seconds_of(text, self._rate())
        except ValueError as error:
            raise OptionError(f"{flag} {text!r}: {error}") from error

    def neutral(self, text: str, flag: str) -> float | str | Path:
        """auto, none, seconds, or a file."""
        if text in ("auto", "none"):
            return text
        if Path(text).exists():
            return Path(text)
        try:
            seconds = self.seconds(text, flag)
        except OptionError as error:
            raise OptionError(f"{flag} {text!r} is neither auto, none, a time nor an existing picture") from error
        assert seconds is not None
        return seconds

    def _rate(self) -> Fraction:
        with open_video(self._source, sequence_rate=self._sequence_rate) as reader:
            return self._sequence_rate if reader.info.is_still else reader.info.frame_rate


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _gains(text: str) -> dict[str, float]:
    out: dict[str, float] = {}
    for pair in _names(text):
        name, equals, value = pair.partition("=")
        try:
            out[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise argparse.ArgumentTypeError(f"{pair!r} is not AU=NUMBER, such as AU12=0.5")
    return out


# Talking -----------------------------------------------------------------------------------------------


def _progress(arguments: argparse.Namespace) -> Progress[Any]:
    return bars(quiet=arguments.quiet)


def _tell(report: Report, headline: str, arguments: argparse.Namespace) -> None:
    what = [f"{report.faces} face{'s' * (report.faces != 1)}", f"{report.shots} shot{'s' * (report.shots != 1)}"]
    elapsed = report.seconds.get("elapsed")
    _say(", ".join([headline, *what, *([f"{elapsed:.1f} s"] if elapsed else [])]), arguments)
    if not arguments.quiet:
        for note in report.notes:
            print(textwrap.fill(f"note: {note}", 110, subsequent_indent="      "), file=sys.stderr)


def _say(text: str, arguments: argparse.Namespace) -> None:
    if not arguments.quiet:
        print(text)


if __name__ == "__main__":
    sys.exit(main())
