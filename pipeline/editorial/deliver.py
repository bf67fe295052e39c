"""Hands the outputs back as an OpenTimelineIO file: the cut with its media replaced, or one after the other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import opentimelineio as otio

from ..errors import OptionError
from ..files import parse_pattern, portable, shown, write_whole
from .clips import clips_of, speed_of
from .media_info import MediaInfo, has_media, probe_media
from .shot import TimelineShot
from .timeline import Timeline


class Mark(Protocol):
    """Something to look at in an output."""

    @property
    def name(self) -> str: ...
    @property
    def comment(self) -> str: ...
    @property
    def color(self) -> str:
        """As OpenTimelineIO names it: "RED"."""
        ...

    @property
    def start_frame(self) -> int:
        """In the output, from 0."""
        ...

    @property
    def frame_count(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """A clip that was made, and what it was made of."""

    name: str
    """The job's."""
    source: Path
    drivers: tuple[Path, ...]
    output: Path
    """A film, a picture, or the pattern of a sequence; it may not be there."""
    sequence_rate: Fraction
    """Frames per second of an output of pictures that is no shot."""
    shot: TimelineShot | None = None
    """What it is of a timeline, placed on its file."""
    marks: Sequence[Mark] = ()


def write_timeline(
    path: Path, clips: Sequence[Delivered], base: Timeline | None = None, *, is_portable: bool = False
) -> None:
    """Writes an OpenTimelineIO file whose clips show the outputs, with markers on them.

    With `base`, it is that timeline with the finished shots' media replaced (transitions, speed changes, sound and
    the other shots stay), and clips that are no shot of it on a track of their own. Without, the outputs follow
    each other on one track. Where an output is not there, its shot stays as it was. Opens every output.

    Raises:
        OptionError: the path is no .otio file, or an output's timecode cannot be read.
        VideoOpenError: an output cannot be read.
        VideoWriteError: the file cannot be written.
    """
    if path.suffix.lower() != ".otio":
        raise OptionError(f"{path}: cannot write a timeline as {path.suffix or 'that'}; name it .otio")
    timeline = otio.schema.Timeline(shown(path.stem)) if base is None else base.native.deepcopy()
    shots = [] if base is None else [clip for _, clip in clips_of(timeline)]
    loose = otio.schema.Track("retarget", kind=otio.schema.TrackKind.Video)
    for made in clips:
        output = _output_media(made)
        if output is None:
            continue
        if made.shot is not None and made.shot.number <= len(shots):
            _show_output(shots[made.shot.number - 1], made, made.shot, output)
        else:
            loose.append(_clip_of_output(made, output))
    if len(loose):
        timeline.tracks.append(loose)
    text = otio.adapters.write_to_string(timeline, "otio_json")
    if is_portable:
        text = json.dumps(_told_from(path.parent, json.loads(text)), indent=4)
    write_whole(path, text.encode(), failure="the timeline could not be written")


def _told_from(folder: Path, document: Any) -> Any:
    """The timeline's JSON with files by their places from its folder, as its reader finds them."""
    return portable(_without_urls(document), folder)


def _without_urls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_urls(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_urls(item) for item in value]
    is_file = isinstance(value, str) and value.startswith("file:")
    return otio.url_utils.filepath_from_url(value) if is_file else value


def _output_media(made: Delivered) -> MediaInfo | None:
    if not has_media(made.output):
        return None
    rate = made.sequence_rate
    if parse_pattern(made.output) is not None and made.shot is not None:
        rate = made.shot.rate  # pictures do not say; those of a film follow it
    media = probe_media(made.output, sequence_rate=rate)
    if media.frame_count == 0 and made.shot is not None:
        return replace(media, frame_count=made.shot.length_frames)
    return media


def _show_output(clip: Any, made: Delivered, shot: TimelineShot, output: MediaInfo) -> None:
    """Puts the output in the clip's place: the same frames, counted as the output counts them."""
    # A transition before the cut shows frames earlier than the clip's own first.
    lead = clip.trimmed_range().start_time - clip.visible_range().start_time
    rate = float(output.rate)
    cut = output.start_frame + shot.head_frames + round(lead.rescaled_to(rate).value * speed_of(clip))
    start = otio.opentime.RationalTime(cut, rate)
    clip.source_range = otio.opentime.TimeRange(start, clip.trimmed_range().duration)
    _attach(clip, made, output)


def _clip_of_output(made: Delivered, output: MediaInfo) -> otio.schema.Clip:
    clip = otio.schema.Clip(shown(made.name))
    _attach(clip, made, output)
    clip.source_range = _range(output.start_frame, output.frame_count, output.rate)
    return clip


def _attach(clip: Any, made: Delivered, output: MediaInfo) -> None:
    reference = _reference(output)
    clip.set_media_references({otio.schema.Clip.DEFAULT_MEDIA_KEY: reference}, otio.schema.Clip.DEFAULT_MEDIA_KEY)
    clip.metadata["retarget"] = {
        "job": shown(made.name),
        "source": shown(str(made.source)),
        "drivers": [shown(str(driver)) for driver in made.drivers],
    }
    for mark in made.marks:
        clip.markers.append(
            otio.schema.Marker(
                name=mark.name,
                marked_range=_range(output.start_frame + mark.start_frame, mark.frame_count, output.rate),
                color=mark.color,
                comment=shown(mark.comment),
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
        name_prefix=shown(pattern.prefix),
        name_suffix=pattern.suffix,
        start_frame=next(iter(pattern.files())),
        rate=float(output.rate),
        frame_zero_padding=pattern.digits,
        available_range=available,
    )


def _range(first: int, count: int, rate: Fraction) -> Any:
    time = otio.opentime.RationalTime
    return otio.opentime.TimeRange(time(first, float(rate)), time(count, float(rate)))
