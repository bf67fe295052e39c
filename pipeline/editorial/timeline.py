"""Cuts as an editor hands them over: EDL, OpenTimelineIO and PySceneDetect's scene list in, OpenTimelineIO out.

A timeline says which part of which file a shot shows. Its numbers count in the file's own timecode, so a shot is
first read as written (`load_timeline`) and then laid on the file that is there (`place`), with handles.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import opentimelineio as otio

from ..drivers import rate_of
from ..errors import OptionError
from ..files import parse_pattern, write_whole
from ..media import open_video

if TYPE_CHECKING:
    from ..batch import Job

TIMELINE_SUFFIXES = frozenset({".edl", ".otio"})
SCENE_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})

_FILM_SUFFIXES = (".mov", ".mp4", ".m4v", ".mkv", ".mxf", ".avi", ".webm", ".mpg", ".ts", ".m2ts")
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dpx", ".exr")
MEDIA_SUFFIXES = frozenset({*_FILM_SUFFIXES, *_PICTURE_SUFFIXES})

_TIMECODE_RATES = tuple(
    Fraction(*rate)
    for rate in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1))
)
_DROP_RATES = (Fraction(30000, 1001), Fraction(60000, 1001))
_ANY_TIMECODE_RATE = Fraction(60000, 1001)
"""Reads every timecode, drop-frame or not: for the names in an EDL, before its rate is known."""

_SCENE_COLUMNS = ("Scene Number", "Start Frame", "End Frame")


class TimelineError(OptionError):
    """A timeline, or a shot of it, that cannot be used as it is."""


@dataclass(frozen=True)
class MediaInfo:
    """What a shot needs to know of the file it is cut from."""

    path: Path
    rate: Fraction
    frame_count: int
    """As the header says; 0 if unknown."""
    first_number: int = 0
    """In the name of a sequence's first picture."""
    timecode: str = ""
    """Of the first frame, as written in the file."""

    @property
    def start_frame(self) -> int:
        """How the file counts its first frame: its timecode, or the number of a sequence's first picture; else 0.

        Raises:
            TimelineError: its timecode is none at its rate.
        """
        if not self.timecode:
            return self.first_number
        try:
            return timecode_frames(self.timecode, self.rate)
        except TimelineError as error:
            raise TimelineError(f"{self.path}: its timecode cannot be read: {error}") from error


def probe_media(path: Path, *, sequence_rate: Fraction = Fraction(24)) -> MediaInfo:
    """Opens the file and says how it counts.

    Raises:
        VideoOpenError: the file cannot be used.
    """
    with open_video(path, sequence_rate=sequence_rate) as reader:
        info = reader.info
        rate = sequence_rate if info.is_still else info.frame_rate
        return MediaInfo(path, rate, info.frame_count_from_header, reader.first_number or 0, info.start_timecode)


def timecode_frames(timecode: str, rate: Fraction) -> int:
    """How many frames after 00:00:00:00 a timecode is; ";" before the frames means drop-frame counting.

    Raises:
        TimelineError: no timecode, or one that the rate does not have.
    """
    try:
        return int(otio.opentime.from_timecode(timecode, float(_timecode_rate(rate))).to_frames())
    except ValueError as error:
        raise TimelineError(
            f"{timecode!r} is no timecode at {_shown(rate)} frames per second; write it as 01:00:00:00"
        ) from error


def _timecode_rate(rate: Fraction) -> Fraction:
    """The rate that timecode counts at: a header's 23.98 or 2997/100 is one of the usual ones."""
    nearest = min(_TIMECODE_RATES, key=lambda usual: abs(usual - rate))
    return nearest if abs(nearest - rate) <= Fraction(1, 200) else rate


def _shown(rate: Fraction) -> str:
    return f"{float(rate):.6g}"


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One clip of a timeline's video tracks, in plain values."""

    number: int
    """Place among the shots, from 1: by track, then in order of the record."""
    name: str
    """The clip's, made a file name and unique in the timeline."""
    clip_name: str
    """As the timeline has it; a clip that is used twice gives two shots the same."""
    track: str
    media: Path | None
    """The file it is cut from; None where that was not found."""
    problem: str = ""
    """Why it cannot be used, in one line; empty if it can."""
    rate: Fraction
    """What the frame numbers count at: the timeline's rate, once placed that of the file."""
    is_rate_guessed: bool = False
    """An EDL does not say its rate; it was taken from the first file that was found."""
    start_frame: int
    """The first frame shown, as the file counts (timecode). Frames in transitions are shown, too."""
    frame_count: int
    record_frame: int
    """Where it begins on the timeline, at `record_rate`."""
    record_rate: Fraction
    media_start_frame: int | None = None
    """How the timeline says that the file counts its first frame; None: it does not say."""

    first_frame: int = 0
    """Of a placed shot: the first frame to work on, handle included, from the file's first = 0."""
    head_frames: int = 0
    """Of a placed shot: how many of the frames before the cut are worked on as a handle."""
    tail_frames: int = 0
    media_frame_count: int = 0
    """Of a placed shot: length of the file; 0 if unknown."""

    @property
    def length_frames(self) -> int:
        """Frames to work on, handles included."""
        return self.head_frames + self.frame_count + self.tail_frames

    @property
    def head_seconds(self) -> float:
        return float(self.head_frames / self.rate)

    @property
    def trim_start_seconds(self) -> float | None:
        """The range for `RetargetOptions`; None from the file's beginning."""
        return float(self.first_frame / self.rate) if self.first_frame else None

    @property
    def trim_end_seconds(self) -> float | None:
        """None to the file's end."""
        end = self.first_frame + self.length_frames
        return None if end == self.media_frame_count else float(end / self.rate)

    @property
    def record_timecode(self) -> str:
        """Where it begins on the timeline: "10:00:02:00"."""
        rate = float(_timecode_rate(self.record_rate))
        return str(otio.opentime.RationalTime(self.record_frame, rate).to_nearest_timecode())


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """A timeline's shots, and the timeline itself to give back with other media."""

    path: Path
    name: str
    shots: tuple[Shot, ...]
    notes: tuple[str, ...] = ()
    """What was left out or put right, one line each."""
    native: Any = field(repr=False, compare=False)
    """The opentimelineio Timeline."""


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
        rate: of an EDL, which does not say it; without it, that of the first file found.
        source: the film a scene list is about.
        sequence_rate: of image sequences.

    Raises:
        TimelineError: the file cannot be read as a timeline. What is wrong with one shot is in its `problem`.
        VideoOpenError: the source of a scene list, or the file an EDL's rate is taken from, cannot be used.
    """
    if media is not None and not media.is_dir():
        raise TimelineError(f"{media}: is no folder; name the one that holds the media of {path.name}")
    suffix = path.suffix.lower()
    if suffix in SCENE_SUFFIXES:
        return _load_scenes(path, source, sequence_rate)
    if suffix not in TIMELINE_SUFFIXES:
        raise TimelineError(
            f"{path}: is no timeline that is understood; export it as EDL (CMX 3600) or OpenTimelineIO (.otio)"
        )
    text, finder = _read_text(path), _MediaFinder(path.parent, media)
    if suffix == ".otio":
        return _timeline(path, _read_otio(path, text), finder)
    edl = _Edl(path, text)
    guessed = edl.guess_rate(finder, sequence_rate) if rate is None else None
    native = edl.read(rate or guessed or Fraction(24))
    return _timeline(path, native, finder, is_rate_guessed=rate is None, notes=tuple(edl.notes))


def _read_text(path: Path) -> str:
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
        found = otio.adapters.read_from_string(text, "otio_json")
    except (otio.exceptions.OTIOError, ValueError) as error:
        raise TimelineError(
            f"{path}: is no OpenTimelineIO file ({_first_line(error)}); export it again"
        ) from error
    if isinstance(found, otio.schema.SerializableCollection):
        timelines = [item for item in found if isinstance(item, otio.schema.Timeline)]
        found = timelines[0] if len(timelines) == 1 else found
    if not isinstance(found, otio.schema.Timeline):
        raise TimelineError(f"{path}: holds a {type(found).__name__}, not one timeline; export a single timeline")
    return found


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


# Where the media are


class _MediaFinder:
    """Finds a clip's file: where the timeline says, or by name in a folder."""

    def __init__(self, timeline_folder: Path, folder: Path | None) -> None:
        self._timeline_folder, self._folder = timeline_folder, folder

    def find(self, clip: Any) -> tuple[Path | None, str]:
        """The file of a clip, or None and what is wrong."""
        said = list(self._said(clip))
        for path in said:
            if path.is_file() or ((pattern := parse_pattern(path)) and pattern.files()):
                return path, ""
        names = list(dict.fromkeys([*(path.name for path in said), *_names_of(clip)]))
        for name in names:
            found = self._named(name)
            if len(found) > 1:
                return None, f"{name} is there twice ({found[0]} and {found[1]}); keep one in the media folder"
            if found:
                return found[0], ""
        where = f"in {self._folder}" if self._folder else f"beside the timeline in {self._timeline_folder}"
        hint = "check the folder" if self._folder else "say where with 'media: FOLDER'"
        return None, f"no media called {' or '.join(names) or 'anything'} {where}; {hint}"

    def _said(self, clip: Any) -> Iterator[Path]:
        """Where the timeline says the file is; relative places count from the timeline and the media folder."""
        reference = clip.media_reference
        if isinstance(reference, otio.schema.ImageSequenceReference):
            path = _path_of(reference.target_url_base) / (
                f"{reference.name_prefix}%0{max(reference.frame_zero_padding, 1)}d{reference.name_suffix}"
            )
        elif isinstance(reference, otio.schema.ExternalReference) and not _is_faded_into(clip):
            path = _path_of(reference.target_url or "")
        else:
            return
        if not path.name:
            return
        yield self._timeline_folder / path
        if self._folder is not None and not path.is_absolute():
            yield self._folder / path

    def _named(self, name: str) -> list[Path]:
        """By the whole name, else a film, picture or sequence of that name. Suffix and case do not matter."""
        whole, stems = self._index
        key = name.casefold()
        stem = Path(key).stem if Path(key).suffix in MEDIA_SUFFIXES else key
        return whole.get(key) or stems.get(key) or stems.get(stem, [])

    @cached_property
    def _index(self) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
        whole: dict[str, list[Path]] = {}
        stems: dict[str, list[Path]] = {}
        for path in self._candidates():
            whole.setdefault(path.name.casefold(), []).append(path)
            if path.suffix.lower() in MEDIA_SUFFIXES:
                stems.setdefault(path.stem.casefold(), []).append(path)
        for sequence in _sequences(path for paths in whole.values() for path in paths):
            pattern = parse_pattern(sequence)
            if pattern is not None:
                stems.setdefault(pattern.stem.casefold(), []).append(sequence)
        return whole, stems

    def _candidates(self) -> Iterator[Path]:
        if self._folder is None:
            yield from sorted(path for path in self._timeline_folder.iterdir() if path.is_file())
            return
        for folder, folders, files in os.walk(self._folder):
            folders.sort()
            yield from (Path(folder, file) for file in sorted(files) if not file.startswith("."))


def _sequences(pictures: Iterable[Path]) -> list[Path]:
    """The numbered pictures as sequences, `sh010.%04d.exr` once for all of its pictures."""
    found: dict[Path, None] = {}
    for path in pictures:
        numbered = re.fullmatch(r"(.*?)(\d+)", path.stem)
        if numbered and path.suffix.lower() in _PICTURE_SUFFIXES:
            found[path.with_name(f"{numbered[1]}%0{len(numbered[2])}d{path.suffix}")] = None
    return list(found)


def _path_of(url: str) -> Path:
    return Path(otio.url_utils.filepath_from_url(url) if url.startswith("file:") else url)


def _names_of(clip: Any) -> Iterator[str]:
    """What the file may be called: the clip's name ("FROM CLIP NAME"), then the reel."""
    for name in (clip.name, clip.metadata.get("cmx_3600", {}).get("reel", "")):
        if name:
            yield str(name)


def _is_faded_into(clip: Any) -> bool:
    """Whether an EDL's transition leads into the clip: its FROM CLIP comment is then about the one before."""
    track = clip.parent()
    place = track.index(clip)
    before = track[place - 1] if place else None
    return isinstance(before, otio.schema.Transition) and "cmx_3600" in before.metadata


# EDL


class _Edl:
    """A CMX 3600 list, with what its reader stumbles over put right."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        self.is_drop = any(_is_drop_mode(line) for line in lines)
        self._lines = list(_with_drop_signs(_readable(lines)))
        self.notes: list[str] = []
        if not any(line[0].isdigit() for line in self._lines):
            raise TimelineError(f"{path}: has no events; export the cut as EDL (CMX 3600) again")

    def guess_rate(self, finder: _MediaFinder, sequence_rate: Fraction) -> Fraction:
        """The rate of the first file that is found.

        Raises:
            TimelineError: none is, or its rate is none that timecode has.
        """
        clips = _clips_of(self.read(_ANY_TIMECODE_RATE))
        found = next((path for _, clip in clips if (path := finder.find(clip)[0])), None)
        if found is None and not self.is_drop:
            raise TimelineError(
                f"{self._path}: an EDL does not say its frame rate, and none of its media is found; say where with"
                " 'media: FOLDER', or the rate with 'timeline_rate: 24'"
            )
        rate = _timecode_rate(
            _DROP_RATES[0] if found is None else probe_media(found, sequence_rate=sequence_rate).rate
        )
        if rate not in _TIMECODE_RATES or (self.is_drop and rate not in _DROP_RATES):
            counts = "drop-frame timecode" if self.is_drop else "timecode"
            raise TimelineError(
                f"{self._path}: {found} runs at {_shown(rate)} frames per second, which {counts} does not have; "
                "say the list's rate with 'timeline_rate: 24'"
            )
        return rate

    def read(self, rate: Fraction) -> otio.schema.Timeline:
        """The list as a timeline that begins where its record does."""
        self.notes = []
        try:
            timeline = self._parsed(rate, is_lenient=False)
        except (otio.exceptions.OTIOError, ValueError, AttributeError, IndexError, TypeError) as strict:
            # the reader's own complaints, and what it trips over in damaged lines
            try:
                timeline = self._parsed(rate, is_lenient=True)
            except (otio.exceptions.OTIOError, ValueError, AttributeError, IndexError, TypeError) as error:
                raise TimelineError(
                    f"{self._path}: is no EDL (CMX 3600) at {_shown(rate)} frames per second "
                    f"({_first_line(error)}); correct it or its 'timeline_rate'"
                ) from error
            self.notes.append(f"{self._path}: {_first_line(strict)}; the source range was taken")
        _begin_at_record(timeline)
        return timeline

    def _parsed(self, rate: Fraction, *, is_lenient: bool) -> otio.schema.Timeline:
        timeline = otio.adapters.read_from_string(
            "\n".join(self._lines), "cmx_3600", rate=float(rate), ignore_timecode_mismatch=is_lenient
        )
        assert isinstance(timeline, otio.schema.Timeline)
        return timeline


def _is_drop_mode(line: str) -> bool:
    return line.upper().startswith("FCM") and "DROP" in line.upper() and "NON" not in line.upper()


def _readable(lines: Iterable[str]) -> Iterator[str]:
    """Without remarks above the first event, which the reader refuses."""
    is_head = True
    for line in lines:
        is_head = is_head and not line[0].isdigit()
        if not is_head or line.startswith(("TITLE:", "FCM", "SPLIT")):
            yield line


def _with_drop_signs(lines: Iterable[str]) -> Iterator[str]:
    """Timecodes of events under FCM: DROP FRAME with ";" before the frames, which the reader goes by."""
    is_drop = False
    for line in lines:
        if line.upper().startswith("FCM"):
            is_drop = _is_drop_mode(line)
        if is_drop and line[0].isdigit():
            line = re.sub(r"\b(\d\d:\d\d:\d\d):(\d\d)\b", r"\1;\2", line)
        elif line.startswith("M2"):
            line = line.replace(";", ":")  # the reader knows no drop-frame in speed changes; it only skips it
        yield line


def _begin_at_record(timeline: otio.schema.Timeline) -> None:
    """Turns the EDL reader's negative track starts into the timeline's start and gaps, as OTIO has them."""
    begins = {
        i: -track.source_range.start_time
        for i, track in enumerate(timeline.tracks)
        if track.source_range is not None
    }
    if not begins:
        return
    rate = next(iter(begins.values())).rate
    zero = otio.opentime.RationalTime(0, rate)
    start = min(begins.get(i, zero) for i in range(len(timeline.tracks)))
    for i, track in enumerate(timeline.tracks):
        late = begins.get(i, zero) - start
        track.source_range = None
        if late > zero:
            track.insert(0, otio.schema.Gap(source_range=otio.opentime.TimeRange(zero, late)))
    timeline.global_start_time = start


# A timeline's shots


def _clips_of(timeline: otio.schema.Timeline) -> list[tuple[Any, Any]]:
    """(track, clip) of what is seen of the video tracks, in the order shots are numbered."""
    return [
        (track, clip)
        for track in timeline.video_tracks()
        if track.enabled
        for clip in track.find_clips()
        if clip.enabled and not isinstance(clip.media_reference, otio.schema.GeneratorReference)
    ]


def _timeline(
    path: Path,
    native: otio.schema.Timeline,
    finder: _MediaFinder,
    *,
    is_rate_guessed: bool = False,
    notes: tuple[str, ...] = (),
) -> Timeline:
    names = _Names()
    shots = tuple(
        replace(_shot(native, track, clip, finder), number=number, name=names.unique(clip.name or f"shot{number}"))
        for number, (track, clip) in enumerate(_clips_of(native), 1)
    )
    if not shots:
        raise TimelineError(f"{path}: shows no clip on its video tracks; export a timeline with its clips")
    shots = tuple(replace(shot, is_rate_guessed=is_rate_guessed) for shot in shots)
    return Timeline(path=path, name=native.name or path.stem, shots=shots, notes=notes, native=native)


class _Names:
    """Names for files, unique without regard to case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, name: str) -> str:
        stem = as_file_name(name)
        wanted, count = stem, 1
        while wanted.casefold() in self._taken:
            count += 1
            wanted = f"{stem}_{count}"
        self._taken.add(wanted.casefold())
        return wanted


def as_file_name(text: str) -> str:
    """A clip's name as a file name on any system, without a film's suffix."""
    if Path(text).suffix.lower() in MEDIA_SUFFIXES:
        text = text[: -len(Path(text).suffix)]
    return re.sub(r'[\x00-\x1f/\\:*?"<>|]+', "_", text).strip(" .") or "shot"


def _shot(native: otio.schema.Timeline, track: Any, clip: Any, finder: _MediaFinder) -> Shot:
    """The clip in plain values; number and name are given by the caller."""
    media, problem = finder.find(clip)
    try:
        shown = clip.visible_range()
        cut = clip.trimmed_range()
        lead = cut.start_time - shown.start_time
        record = clip.transformed_time_range(cut, native.tracks).start_time - lead
        record += native.global_start_time or otio.opentime.RationalTime(0, record.rate)
        available = clip.media_reference.available_range
    except (otio.exceptions.OTIOError, ValueError) as error:
        zero = otio.opentime.RationalTime(0, 24)
        shown = cut = otio.opentime.TimeRange(zero, zero)
        lead = record = zero
        problem, available = f"the timeline gives it no range ({_first_line(error)}); give the clip one", None
    speed = _speed(clip)
    if speed < 0:
        problem = problem or "runs backwards in the timeline; render it forwards first and reverse the result"
    rate = _rate(cut.start_time.rate)
    first = round(cut.start_time.value - lead.rescaled_to(cut.start_time.rate).value * speed)
    return Shot(
        number=0,
        name="",
        clip_name=clip.name,
        track=track.name,
        media=media,
        problem=problem,
        rate=rate,
        start_frame=first,
        # a speed-up shows more of the file than it lasts, a still frame a single one
        frame_count=max(1, math.ceil(shown.duration.rescaled_to(cut.start_time.rate).value * speed - 1e-6)),
        record_frame=round(record.value),
        record_rate=_rate(record.rate),
        media_start_frame=None if available is None else _media_start(available, clip, float(rate)),
    )


def _media_start(available: Any, clip: Any, rate: float) -> int | None:
    """How the timeline counts the media's first frame; the EDL reader only repeats the cut there."""
    if "cmx_3600" in clip.metadata or available == clip.source_range:
        return None
    return round(available.start_time.rescaled_to(rate).value)


def _rate(rate: float) -> Fraction:
    return rate_of(f"{rate:.6f}") if 0 < rate <= 1000 else Fraction(24)


def _speed(clip: Any) -> float:
    """How many of the media's frames pass in one of the timeline's."""
    speed = 1.0
    for effect in clip.effects:
        if isinstance(effect, otio.schema.LinearTimeWarp):  # FreezeFrame is one, of speed 0
            speed *= effect.time_scalar
    return speed


def place(shot: Shot, media: MediaInfo, *, handles_frames: int = 0, media_start_frame: int | None = None) -> Shot:
    """The shot laid on its file, with handles on both sides as far as the file has frames.

    `media_start_frame` is how to count the file's first frame, where its timecode was lost on the way.

    Raises:
        TimelineError: the file does not have these frames, or runs at another rate than the EDL counts at.
    """
    start, count = _offset(shot, media, media_start_frame), shot.frame_count
    if math.ceil(shot.rate) != math.ceil(media.rate):
        if shot.is_rate_guessed:
            raise TimelineError(
                f"{media.path}: runs at {_shown(media.rate)} frames per second, the EDL seems to count at "
                f"{_shown(shot.rate)}; say which it is with 'timeline_rate: {_shown(shot.rate)}'"
            )
        start, count = (round(frames * media.rate / shot.rate) for frames in (start, count))
        count = max(1, count)
    length = media.frame_count
    if length and start + count == length + 1 and count > 1:
        count -= 1  # some count the last frame's end as one more
    if start < 0 or (length and start + count > length):
        raise TimelineError(
            f"{media.path}: has frames 0 to {length - 1 if length else 'its end'}, the shot wants {start} to "
            f"{start + count - 1}; if the file has lost its timecode, say 'media_start: 01:00:00:00'"
        )
    head = min(handles_frames, start)
    tail = min(handles_frames, length - start - count) if length else handles_frames
    return replace(
        shot,
        rate=media.rate,
        frame_count=count,
        first_frame=start - head,
        head_frames=head,
        tail_frames=tail,
        media_frame_count=length,
    )


def _offset(shot: Shot, media: MediaInfo, media_start_frame: int | None) -> int:
    """The shot's first frame from the file's first = 0, at the shot's rate."""
    if media_start_frame is not None:
        return shot.start_frame - media_start_frame
    if shot.media_start_frame is not None:
        return shot.start_frame - shot.media_start_frame
    return shot.start_frame - media.start_frame


# PySceneDetect


def _load_scenes(path: Path, source: Path | None, sequence_rate: Fraction) -> Timeline:
    """PySceneDetect's `-Scenes.csv`: frames count from 1, and the last one belongs to the scene."""
    scenes = _read_scenes(path, _read_text(path))
    if source is None:
        raise TimelineError(f"{path}: a scene list does not name its film; add 'source: FILM'")
    media = probe_media(source, sequence_rate=sequence_rate)
    rate = float(media.rate)
    time = otio.opentime.RationalTime
    whole = otio.opentime.TimeRange(time(0, rate), time(max(media.frame_count, scenes[-1][2]), rate))
    track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    for number, first, last in scenes:
        track.append(
            otio.schema.Clip(
                name=f"{as_file_name(source.name)}-Scene-{number:03d}",
                media_reference=otio.schema.ExternalReference(str(source.absolute()), whole),
                source_range=otio.opentime.TimeRange(time(first - 1, rate), time(last - first + 1, rate)),
            )
        )
    native = otio.schema.Timeline(path.stem, tracks=[track])
    timeline = _timeline(path, native, _MediaFinder(path.parent, None))
    # as the film counts, from its first frame = 0, even where one scene is all of it
    return replace(timeline, shots=tuple(replace(shot, media_start_frame=0) for shot in timeline.shots))


def _read_scenes(path: Path, text: str) -> list[tuple[int, int, int]]:
    """(number, first frame, last frame) a scene; the line of cut times above the header is optional."""
    if not is_scene_list(text):
        raise TimelineError(
            f"{path}: is no scene list; write one with `scenedetect -i FILM detect-content list-scenes`"
        )
    lines = text.splitlines()
    top = next(i for i, line in enumerate(lines) if _SCENE_COLUMNS[0] in line)
    delimiter = max(",;\t", key=lines[top].count)
    scenes = []
    rows = csv.DictReader(io.StringIO("\n".join(lines[top:])), delimiter=delimiter)
    for row in rows:
        line = top + rows.line_num
        try:
            number, first, last = (int(row[name]) for name in _SCENE_COLUMNS)
        except (KeyError, TypeError, ValueError) as error:
            raise TimelineError(
                f"{path}:{line}: needs whole numbers for {', '.join(_SCENE_COLUMNS)}; write the list again"
            ) from error
        if not 1 <= first <= last:
            raise TimelineError(f"{path}:{line}: scene {number} runs from frame {first} to {last}; correct it")
        scenes.append((number, first, last))
    if not scenes:
        raise TimelineError(f"{path}: lists no scene; detect them again with another threshold")
    return scenes


def is_scene_list(text: str) -> bool:
    """Whether the text is a scene list of PySceneDetect's, with or without its line of cut times."""
    return any(_SCENE_COLUMNS[0] in line and _SCENE_COLUMNS[1] in line for line in text.splitlines()[:2])


# The way back


class Mark(Protocol):
    """Something to look at in an output; `qc.MarkerSpec` is one."""

    @property
    def name(self) -> str: ...
    @property
    def comment(self) -> str: ...
    @property
    def color(self) -> str: ...
    @property
    def start_frame(self) -> int:
        """In the output, from 0."""
        ...

    @property
    def frame_count(self) -> int: ...


def write_timeline(
    path: Path, jobs_done: Sequence[tuple[Job, Sequence[Mark]]], base: Timeline | None = None
) -> None:
    """Writes an OpenTimelineIO file whose clips show the outputs, with markers on them.

    With `base`, it is that timeline with the done shots' media replaced (transitions, speed changes, sound and
    the other shots stay), and jobs that are no shot of it on a track of their own. Without, the outputs follow
    each other on one track. A job whose output is not there is left as it was, or out. Opens every output.

    Raises:
        OptionError: the path is no .otio file, or an output's timecode cannot be read.
        VideoOpenError: an output cannot be read.
        VideoWriteError: the file cannot be written.
    """
    if path.suffix.lower() != ".otio":
        raise OptionError(f"{path}: cannot write a timeline as {path.suffix or 'that'}; name it .otio")
    timeline = otio.schema.Timeline(path.stem) if base is None else base.native.deepcopy()
    clips = [clip for _, clip in _clips_of(timeline)]
    loose = otio.schema.Track("retarget", kind=otio.schema.TrackKind.Video)
    for job, marks in jobs_done:
        output = _output_media(job)
        if output is None:
            continue
        if base is not None and job.shot is not None and job.shot.number <= len(clips):
            _show_output(clips[job.shot.number - 1], job, output, marks)
        else:
            loose.append(_clip_of_output(job, output, marks))
    if len(loose):
        timeline.tracks.append(loose)
    text = otio.adapters.write_to_string(timeline, "otio_json")
    write_whole(path, text.encode(), failure="the timeline could not be written")


def _output_media(job: Job) -> MediaInfo | None:
    pattern = parse_pattern(job.output)
    if not (job.output.is_file() or (pattern and pattern.files())):
        return None
    rate = job.options.sequence_rate
    if pattern is not None and job.shot is not None:
        rate = job.shot.rate  # pictures do not say; those of a film follow it
    media = probe_media(job.output, sequence_rate=rate)
    if media.frame_count == 0 and job.shot is not None:
        return replace(media, frame_count=job.shot.length_frames)
    return media


def _show_output(clip: Any, job: Job, output: MediaInfo, marks: Sequence[Mark]) -> None:
    """Puts the output in the clip's place: the same frames, counted as the output counts them."""
    assert job.shot is not None
    # A transition before the cut shows frames earlier than the clip's own first.
    lead = clip.trimmed_range().start_time - clip.visible_range().start_time
    rate = float(output.rate)
    cut = output.start_frame + job.shot.head_frames + round(lead.rescaled_to(rate).value * _speed(clip))
    start = otio.opentime.RationalTime(cut, rate)
    clip.source_range = otio.opentime.TimeRange(start, clip.trimmed_range().duration)
    _attach(clip, job, output, marks)


def _clip_of_output(job: Job, output: MediaInfo, marks: Sequence[Mark]) -> otio.schema.Clip:
    clip = otio.schema.Clip(job.name)
    _attach(clip, job, output, marks)
    clip.source_range = _range(output.start_frame, output.frame_count, output.rate)
    return clip


def _attach(clip: Any, job: Job, output: MediaInfo, marks: Sequence[Mark]) -> None:
    reference = _reference(output)
    clip.set_media_references({otio.schema.Clip.DEFAULT_MEDIA_KEY: reference}, otio.schema.Clip.DEFAULT_MEDIA_KEY)
    clip.metadata["retarget"] = {
        "job": job.name,
        "source": str(job.source),
        "drivers": [str(driver) for driver in job.drivers],
    }
    for mark in marks:
        clip.markers.append(
            otio.schema.Marker(
                name=mark.name,
                marked_range=_range(output.start_frame + mark.start_frame, mark.frame_count, output.rate),
                color=mark.color,
                comment=mark.comment,
                metadata={"retarget": {"output_frame": mark.start_frame}},
            )
        )


def _reference(output: MediaInfo) -> Any:
    available = _range(output.start_frame, output.frame_count, output.rate)
    pattern = parse_pattern(output.path)
    if pattern is None:
        return otio.schema.ExternalReference(output.path.absolute().as_uri(), available)
    return otio.schema.ImageSequenceReference(
        target_url_base=f"{pattern.folder.absolute().as_uri()}/",
        name_prefix=pattern.prefix,
        name_suffix=pattern.suffix,
        start_frame=next(iter(pattern.files())),
        rate=float(output.rate),
        frame_zero_padding=pattern.digits,
        available_range=available,
    )


def _range(first: int, count: int, rate: Fraction) -> Any:
    time = otio.opentime.RationalTime
    return otio.opentime.TimeRange(time(first, float(rate)), time(count, float(rate)))
