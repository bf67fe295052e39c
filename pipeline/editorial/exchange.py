"""Cuts in the formats of other programs: FCPXML, Final Cut 7's XML, ALE and AAF, by OpenTimelineIO's adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import opentimelineio as otio

from .clips import first_line
from .timeline import TimelineError

ADAPTERS = {".fcpxml": "fcpx_xml", ".xml": "fcp_xml", ".ale": "ale", ".aaf": "AAF"}
"""By suffix; each is a package of its own."""


def read_exchange(path: Path) -> otio.schema.Timeline:
    """The cut as a timeline. A list of clips that is no cut (ALE) becomes one after the other.

    Raises:
        TimelineError: its adapter is not installed, or it cannot be read.
    """
    name = ADAPTERS[path.suffix.lower()]
    if name not in otio.adapters.available_adapter_names():
        raise TimelineError(
            f"{path}: {path.suffix} needs OpenTimelineIO's adapter for it; pip install 'retarget[timelines]', or "
            "export the cut as EDL or .otio"
        )
    try:
        found = otio.adapters.read_from_file(str(path), name)
    except Exception as error:  # an adapter raises whatever it trips over
        raise TimelineError(f"{path}: cannot be read ({first_line(error)}); export it again, or as EDL") from error
    return _timeline_of(found, path)


def _timeline_of(found: Any, path: Path) -> otio.schema.Timeline:
    if isinstance(found, otio.schema.Timeline):
        return found
    items = list(found) if isinstance(found, otio.schema.SerializableCollection) else []
    timelines = [item for item in items if isinstance(item, otio.schema.Timeline)]
    if not timelines:
        timelines = [item for inner in items for item in _inside(inner) if isinstance(item, otio.schema.Timeline)]
    if len(timelines) == 1:
        return timelines[0]
    clips = [item for item in items if isinstance(item, otio.schema.Clip)]
    if timelines or not clips:
        held = f"{len(timelines)} timelines" if timelines else "no clip"
        raise TimelineError(f"{path}: holds {held}, not one timeline; export a single one, or an EDL")
    track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    for clip in clips:
        track.append(clip.clone())
    return otio.schema.Timeline(path.stem, tracks=[track])


def _inside(item: Any) -> list[Any]:
    return list(item) if isinstance(item, otio.schema.SerializableCollection) else []
