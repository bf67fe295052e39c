"""What a run did, as a typed and versioned record: written as JSON, and read back here and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from retarget.model import action_units
from retarget.model.plain_json import parse_json

from .edit import MEANINGS, Fade
from .errors import ReportError
from .files import check_plain, portable, write_whole

FORMAT_VERSION = 1


@dataclass(frozen=True)
class FaceReport:
    """One face's curves over its shot: only action units that were asked to move."""

    shot: int
    face: int
    """Its place among the selected faces of the shot."""
    size_px: float
    """Median of the longer side, in display pixels."""
    seconds: tuple[float, ...]
    """Of its moments, from the source's first frame."""
    allowed: tuple[float, ...]
    """In [0, 1]: how much pose, border, confidence and appearance let through."""
    fades: tuple[Fade, ...]
    """Where and why less was done than was asked; in reports of before there were any, nothing."""
    own: Mapping[str, tuple[float, ...]]
    """Per action unit, absolute, smoothed."""
    v_rel: Mapping[str, tuple[float, ...]]
    """Per action unit, the change that was to be made."""
    held_back: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Mouth, right eye, left eye: in [0, 1], how much of what the driver opens was opened; see `edit.reach`."""
    rendered: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Per action unit, what was asked of the network instead of `v_rel`, so that it comes out; empty where it was
    the same."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run did."""

    frames: int = 0
    frames_edited: int = 0
    frames_without_face: int = 0
    """No face found at all; passed through."""
    frames_faded: int = 0
    """Edited with less than the asked strength because of pose, border, confidence or appearance."""
    decode_failures: int = 0
    """Pictures that the decoder could not or only partly make; their place in time is kept."""
    missing_frames: int = 0
    """That the source promises behind its last picture, about; 0: it is whole, or says nothing."""
    not_kept: tuple[str, ...] = ()
    """What of the source's streams, tags and side data the output does not have, a line each."""
    shots: int = 0
    faces: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Busy time per stage; stages overlap, so they can add up to more than the elapsed time."""
    notes: tuple[str, ...] = ()
    """Warnings for the user, one line each, in the order they arose."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What was run: files, options, versions."""
    curves: tuple[FaceReport, ...] = ()
    """Of each edited face."""
    version: int = FORMAT_VERSION

    def as_json(self) -> dict[str, Any]:
        """Plain types, ready for `json.dump`; the curves stand in `details.faces`."""
        written = asdict(self)
        faces = written.pop("curves")
        return {"version": written.pop("version"), **written, "details": {**self.details, "faces": faces}}


def write_report(report: Report, path: str | Path, *, overwrite: bool = True, is_portable: bool = False) -> None:
    """The report as JSON, under its name when whole.

    Args:
        overwrite: whether it may be there by then.
        is_portable: files are told from the report's folder, and nothing of whose machine it was.

    Raises:
        VideoWriteError: the file cannot be written.
    """
    document = report.as_json()
    if is_portable:
        document = portable(document, Path(path).parent, _files_of(report.details))
    data = (json.dumps(document, indent=1) + "\n").encode()
    write_whole(Path(path), data, failure="the report cannot be written", overwrite=overwrite)


def _files_of(details: Mapping[str, Any]) -> list[str]:
    """The files of a run, as they were said."""
    drivers = details.get("driver", [])
    said = [
        details.get("source", ""),
        details.get("output", ""),
        *([drivers] if isinstance(drivers, str) else drivers),
    ]
    said += [reference["file"] for reference in details.get("references", ())]
    checkpoint = details.get("checkpoint", "default")
    return [path for path in [*said, *([checkpoint] if checkpoint != "default" else [])] if path]


def read_report(path: Path) -> Report:
    """What `write_report` wrote.

    Raises:
        ReportError: the file cannot be read, is no report, or is damaged.
    """
    check_plain(path, ReportError)
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    except ValueError as error:
        raise ReportError(f"{path}: cannot be read as JSON; give the report of a run") from error
    try:
        return report_of(document)
    except ReportError as error:
        raise ReportError(f"{path}: {error}") from error


def report_of(document: Any) -> Report:
    """A report from what its JSON says. One without a version is of before there were any, and reads the same.

    Raises:
        ReportError: it is no report, is damaged, or is of a version that is not known here.
    """
    if not isinstance(document, dict) or not isinstance(document.get("details"), dict):
        raise ReportError("is JSON, but no report of a run with faces; give one that a run wrote")
    version = document.get("version", FORMAT_VERSION)
    if version != FORMAT_VERSION:
        raise ReportError(f"is a report of version {version}, not {FORMAT_VERSION}; run again")
    details = dict(document["details"])
    faces = details.pop("faces", [])
    try:
        return Report(
            **{name: int(document.get(name, 0)) for name in _COUNTS},
            seconds={str(name): float(value) for name, value in document.get("seconds", {}).items()},
            notes=tuple(str(note) for note in document.get("notes", ())),
            not_kept=tuple(str(line) for line in document.get("not_kept", ())),
            details=details,
            curves=tuple(_face_of(face) for face in faces),
        )
    except (TypeError, KeyError, AttributeError, ValueError, OverflowError) as error:
        raise ReportError("the report's faces are damaged or of another version; run again") from error


_COUNTS = (
    "frames",
    "frames_edited",
    "frames_without_face",
    "frames_faded",
    "decode_failures",
    "missing_frames",
    "shots",
    "faces",
)


def _face_of(face: Any) -> FaceReport:
    """Raises one of the errors of wrong types where the curves do not fit together."""
    read = FaceReport(
        shot=int(face["shot"]),
        face=int(face["face"]),
        size_px=float(face["size_px"]),
        seconds=_column(face["seconds"]),
        allowed=_column(face["allowed"]),
        fades=tuple(_fade_of(fade) for fade in face.get("fades", ())),
        own={name: _column(values) for name, values in face["own"].items()},
        v_rel={name: _column(values) for name, values in face["v_rel"].items()},
        held_back={str(name): _column(values) for name, values in face.get("held_back", {}).items()},
        rendered={str(name): _column(values) for name, values in face.get("rendered", {}).items()},
    )
    columns = [
        column for table in (read.own, read.v_rel, read.held_back, read.rendered) for column in table.values()
    ]
    if not read.seconds or any(len(column) != len(read.seconds) for column in (read.allowed, *columns)):
        raise ValueError("columns of different lengths")
    if not set(read.own) == set(read.v_rel) <= set(action_units.NAMES):
        raise ValueError("unknown action units")
    if read.rendered and set(read.rendered) != set(read.v_rel):
        raise ValueError("not all that was asked for was rendered")
    return read


def _fade_of(fade: Any) -> Fade:
    if fade["cause"] not in MEANINGS:
        raise ValueError("unknown cause of a fade")
    return Fade(int(fade["first_frame"]), int(fade["last_frame"]), fade["cause"])


def _column(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
