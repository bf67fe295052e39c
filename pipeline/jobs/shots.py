"""A timeline's shots made into drafts, each on its own part of its file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from retarget.model.suggestions import suggestion

from .. import editorial
from ..editorial import Timeline, TimelineShot, frames_of_timecode, place_shot
from ..errors import RetargetError
from ..options import RetargetOptions
from .cells import Place, Row, Sheet
from .drafts import Draft, Drafter
from .job_settings import KEYS, BatchSettings, JobSettings, checked
from .names import DEFAULT_SHOT_NAME
from .rows import merged

_OF_THE_TIMELINE = ("trim_start", "trim_end", "frames")
"""Keys that make no sense for a shot: the timeline says its range."""


class ShotDrafts:
    """The drafts of a sheet's timeline."""

    timeline: Timeline | None = None
    """Once the drafts are asked for, unless it cannot be read."""

    def __init__(self, sheet: Sheet, settings: BatchSettings, drafter: Drafter) -> None:
        self._sheet, self._settings, self._drafter = sheet, settings, drafter
        self._cell = sheet.settings["timeline"]
        self.path: Path = self._cell.path(settings.timeline or "")

    def drafts(self) -> Iterator[Draft]:
        """A draft a shot; of the shots that the sheet names alone if it has no driver for all."""
        self.timeline = timeline = self._load()
        if timeline is None:
            return
        self._check_shots(timeline)
        has_driver = bool({"driver", "drivers"} & self._sheet.base.keys())
        has_others = not all(shot.is_left_out for shot in timeline.shots)
        for shot in timeline.shots:
            own = self._sheet.shots.get(shot.name) or self._sheet.shots.get(shot.clip_name)
            if shot.is_left_out and own is None and has_others:
                continue
            if own is not None or has_driver or not self._sheet.shots:
                where, row = own or (self._cell.place, {})
                yield from self._draft(shot, where, row)

    def _load(self) -> Timeline | None:
        sheet, settings, mistakes = self._sheet, self._settings, self._drafter.mistakes
        base = checked(
            KEYS.model, {k: c for k, c in sheet.base.items() if k in ("source", "frame_rate")}, mistakes
        )
        source = sheet.base["source"].path(base.source) if base.source else None
        media = sheet.settings["media"].path(settings.media) if settings.media else None
        return mistakes.of(
            self._cell.place,
            lambda: editorial.load_timeline(
                self.path,
                media=media,
                rate=settings.timeline_rate,
                source=source,
                sequence_rate=base.said("frame_rate") or RetargetOptions().sequence_rate,
            ),
        )

    def _check_shots(self, timeline: Timeline) -> None:
        mistakes = self._drafter.mistakes
        known = {name for shot in timeline.shots for name in (shot.name, shot.clip_name)}
        for name, (where, _) in self._sheet.shots.items():
            if name not in known:
                hint = suggestion(name, sorted(known), f"it has {', '.join(sorted(known)[:8])}")
                mistakes.add(where, f"{timeline.path} has no shot {name}; {hint}")
        for key in _OF_THE_TIMELINE:
            if key in self._sheet.base and self._sheet.jobs is None:
                cell = self._sheet.base[key]
                mistakes.add(cell.place, f"{cell.key}: a shot's range is the timeline's; use 'handles'")

    def _draft(self, shot: TimelineShot, where: Place, own: Row) -> Iterator[Draft]:
        drafter, dropped = self._drafter, ("source", *_OF_THE_TIMELINE)
        row = merged({k: c for k, c in self._sheet.base.items() if k not in dropped}, own)
        settings = checked(KEYS.model, row, drafter.mistakes)
        if settings.skip:
            return
        drivers = drafter.drivers(where, row, settings)
        options = drafter.options(row, settings, shot.media)
        placed = self._placed(shot, where, settings, options)
        if placed is None or placed.media is None:
            return
        options = replace(
            options,
            trim_start=placed.trim_start_seconds,
            trim_end=placed.trim_end_seconds,
            # the driver's beginning belongs to the cut, not to the handle before it
            driver_offset_seconds=options.driver_offset_seconds + placed.head_seconds,
        )
        name = settings.name or DEFAULT_SHOT_NAME
        draft = Draft(where, row, placed.media, drivers, options, name, settings.output, placed)
        drafter.check_files(draft)
        yield draft

    def _placed(
        self, shot: TimelineShot, where: Place, settings: JobSettings, options: RetargetOptions
    ) -> TimelineShot | None:
        drafter, named = self._drafter, f"shot {shot.number} ({shot.name})"
        if shot.problem or shot.media is None:
            drafter.mistakes.add(where, f"{named}: {shot.problem}")
            return None
        try:
            start = settings.media_start or self._settings.media_start
            return place_shot(
                shot,
                drafter.checks.media(shot.media, options.sequence_rate),
                handles_frames=self._settings.handles if settings.handles is None else settings.handles,
                media_start_frame=None if start is None else frames_of_timecode(start, shot.rate),
            )
        except RetargetError as error:
            drafter.mistakes.add(where, f"{named}: {error}")
            return None
