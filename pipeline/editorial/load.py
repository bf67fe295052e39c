"""Reads a cut as an editor hands it over: EDL, OpenTimelineIO or PySceneDetect's scene list.

A timeline says which part of which file a shot shows. Its numbers count in the file's own timecode, so a shot is
first read as written and then laid on the file that is there (`place_shot`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from ..files import UniqueNames, check_plain, check_readable, suffixes
from .clips import clips_of, first_line, shot_of
from .edl import Edl
from .exchange import ADAPTERS, read_exchange
from .locate import MediaFinder
from .media_info import probe_media
from .scenes import read_scenes
from .shot import as_file_name
from .timeline import Timeline, TimelineError
from .untrusted import checked_otio

_LIBRARY_ERRORS = (
    otio.exceptions.OTIOError, ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError,
    RuntimeError,
)  # fmt: skip
"""What the library, and plain arithmetic, say of values that do not go together."""


def load_timeline(
    path: Path,
    *,
    media: Path | None = None,
    rate: Fraction | None = None,
    source: Path | None = None,
    sequence_rate: Fraction = Fraction(24),
) -> Timeline:
    """The shots of an EDL (CMX 3600), an OpenTimelineIO file, or a PySceneDetect scene list.

    Args:
        media: a folder, searched with its subfolders for files that are not where the timeline says.
        rate: of an EDL in frames per second, which does not say it; without it, that of the first file found.
        source: the film a scene list is about.
        sequence_rate: of image sequences, in frames per second.

    Raises:
        TimelineError: the file cannot be read as a timeline. What is wrong with one shot is in its `problem`.
        VideoOpenError: the source of a scene list, or the file an EDL's rate is taken from, cannot be used.
    """
    if media is not None and not media.is_dir():
        raise TimelineError(f"{media}: is no folder; name the one that holds the media of {path.name}")
    suffix = path.suffix.lower()
    if suffix in suffixes.TABLES:
        return _load_scenes(path, source, sequence_rate)
    if suffix not in suffixes.TIMELINES:
        raise TimelineError(
            f"{path}: is no timeline that is understood; export it as EDL (CMX 3600) or OpenTimelineIO (.otio)"
        )
    finder = MediaFinder(path.parent, media)
    if suffix in ADAPTERS:
        check_readable(path)
        return _told(path, lambda: _timeline(path, read_exchange(path), finder))
    text = _read_text(path)
    if suffix == ".otio":
        return _told(path, lambda: _timeline(path, _read_otio(path, text), finder))
    edl = Edl(path, text)
    guessed = edl.guess_rate(finder, sequence_rate) if rate is None else None
    native = edl.read(rate or guessed or Fraction(24))
    return _timeline(path, native, finder, is_rate_guessed=rate is None, notes=tuple(edl.notes))


def _told(path: Path, read: Callable[[], Timeline]) -> Timeline:
    """What is read, or a TimelineError for whatever the library trips over."""
    try:
        return read()
    except _LIBRARY_ERRORS as error:
        if isinstance(error, TimelineError):
            raise
        raise TimelineError(
            f"{path}: makes no sense as a timeline ({first_line(error)}); export it again"
        ) from error


def _read_text(path: Path) -> str:
    check_plain(path, TimelineError)
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise TimelineError(f"{path}: cannot be read ({reason}); check the name and the permissions") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # what older editing systems write; never fails


def _read_otio(path: Path, text: str) -> otio.schema.Timeline:
    try:
        found = otio.adapters.read_from_string(checked_otio(text), "otio_json")
    except _LIBRARY_ERRORS as error:
        raise TimelineError(f"{path}: is no OpenTimelineIO file ({first_line(error)}); export it again") from error
    if isinstance(found, otio.schema.SerializableCollection):
        timelines = [item for item in found if isinstance(item, otio.schema.Timeline)]
        found = timelines[0] if len(timelines) == 1 else found
    if not isinstance(found, otio.schema.Timeline):
        raise TimelineError(f"{path}: holds a {type(found).__name__}, not one timeline; export a single timeline")
    return found


def _load_scenes(path: Path, source: Path | None, sequence_rate: Fraction) -> Timeline:
    """PySceneDetect's scenes as shots of the film they are about."""
    scenes = read_scenes(path, _read_text(path))
    if source is None:
        raise TimelineError(f"{path}: a scene list does not name its film; add 'source: FILM'")
    media = probe_media(source, sequence_rate=sequence_rate)
    rate = float(media.rate)
    time = otio.opentime.RationalTime
    whole = otio.opentime.TimeRange(time(0, rate), time(max(media.frame_count, scenes[-1].last), rate))
    track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    for scene in scenes:
        track.append(
            otio.schema.Clip(
                name=f"{as_file_name(source.name)}-Scene-{scene.number:03d}",
                media_reference=otio.schema.ExternalReference(str(source.absolute()), whole),
                source_range=otio.opentime.TimeRange(
                    time(scene.first - 1, rate), time(scene.last - scene.first + 1, rate)
                ),
            )
        )
    native = otio.schema.Timeline(path.stem, tracks=[track])
    timeline = _timeline(path, native, MediaFinder(path.parent, None))
    # as the film counts, from its first frame = 0, even where one scene is all of it
    return replace(timeline, shots=tuple(replace(shot, media_start_frame=0) for shot in timeline.shots))


def _timeline(
    path: Path,
    native: otio.schema.Timeline,
    finder: MediaFinder,
    *,
    is_rate_guessed: bool = False,
    notes: tuple[str, ...] = (),
) -> Timeline:
    names = UniqueNames("_")
    shots = [
        shot_of(
            native, track, clip, finder, number=number, name=names.of(as_file_name(clip.name or f"shot{number}"))
        )
        for number, (track, clip) in enumerate(clips_of(native), 1)
    ]
    left_out = [
        f"{path}: shot {shot.number} ({shot.name}) is left out: {shot.problem}"
        for shot in shots
        if shot.is_left_out
    ]
    if not shots:
        raise TimelineError(f"{path}: shows no clip on its video tracks; export a timeline with its clips")
    return Timeline(
        path=path,
        name=native.name or path.stem,
        shots=tuple(replace(shot, is_rate_guessed=is_rate_guessed) for shot in shots),
        notes=(*notes, *left_out),
        native=native,
    )
