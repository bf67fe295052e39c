"""A look at a run before it is made: from files to a contact sheet and a comparison.

Everything is drawn in display orientation, in RGB, at most as large as it will be looked at; the frames
themselves stay native and come one at a time. Besides what `Session.edits` holds, memory is taken by the sheet's
small pictures (a few per moment) and by two frames of the driver.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..edit import Plans
from ..files import write_whole
from ..media import open_video
from ..options import RetargetOptions
from ..refine import refined
from ..report import Report
from ..run import Tally, check_count, report_of_run
from ..session import Session, open_session
from ..stream import Clock, Progress, Stage, no_progress
from ..usage import check_preview
from .artist import Artist
from .comparison import Comparison
from .contact_sheet import ContactSheet, encoded
from .drawing import shortened
from .driver_clip import DriverClip, is_clip
from .moments import choose_moments


def preview(
    source: str | Path,
    driver: str | Path,
    output: str | Path,
    options: RetargetOptions | None = None,
    *,
    moments: int = 6,
    side_by_side: str | Path | None = None,
    debug: bool = False,
    overwrite: bool = False,
    progress: Progress[Any] = no_progress,
) -> Report:
    """Makes a contact sheet of what `retarget_video` would do, and says what that is.

    Args:
        source: film, picture or sequence of pictures whose faces would be edited.
        driver: clip, picture, curve file or capture, as for `retarget_video`.
        output: the sheet, .png or .jpg.
        options: as for `retarget_video`; those of encoding do not matter.
        moments: columns of the sheet, 1 to 24: where most happens, at most one a frame.
        side_by_side: also writes a film (.mp4, .mov, .m4v, .mkv; H.264) of source and result, and of the driver
            if it is a clip or picture, with the source's times and sound.
        debug: draws what was tracked onto the source, and what is done onto the result.
        overwrite: allows replacing files, as `options.overwrite` does.
        progress: sees the stages `Stage.TRACK` and `Stage.PREVIEW`; `Stage.DRIVER` for a driver clip.

    Returns:
        The report as of a run. Without `side_by_side` only the shown frames are rendered; the report then counts
        what a run would do. `details["moments"]` has the seconds of the columns, from the source's first frame.

    Raises:
        OptionError: another suffix or number of moments.
        VideoWriteError: an output exists, is one of the inputs, or cannot be written.
        RetargetError: as `retarget_video`.
    """
    source, driver, output = Path(source), Path(driver), Path(output)
    film_path = None if side_by_side is None else Path(side_by_side)
    options = options or RetargetOptions()
    overwrite = overwrite or options.overwrite
    read = (source, driver, *options.files())
    check_preview(output, film_path, read, moments=moments, overwrite=overwrite)
    started, clock = time.perf_counter(), Clock()
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(open_session(source, driver, options, clock=clock, progress=progress))
        clip = _driver_clip(stack, driver, session) if is_clip(driver) else None
        film = None
        if film_path is not None:  # before the long work: what is wrong with it is said at once
            pictures = clip.info if clip else None
            film = Comparison(film_path, session.reader, driver, pictures, overwrite=overwrite)
        plans = refined(session, session.plan(session.analyse()))
        artist = _artist(session, plans, clip, debug=debug)
        sheet = ContactSheet(artist, _heading(source, driver, options))
        chosen = choose_moments(plans.faces, plans.analysis.frame_count, moments)
        if film is not None:
            stack.enter_context(film)
        tally = _draw(session, plans, artist, chosen, sheet, film)
        write_whole(output, encoded(sheet.picture(), output), overwrite=overwrite)
        report = report_of_run(session, plans, tally)
    details = {"moments": [round(seconds, 3) for seconds in sheet.seconds], "output": str(output)}
    if film is not None:
        details["side_by_side"] = str(film.path)
    return replace(
        report,
        notes=tuple(dict.fromkeys((*report.notes, *(film.notes if film else ())))),
        details={**report.details, **details},
        seconds={**clock.seconds(), "elapsed": round(time.perf_counter() - started, 3)},
    )


def _driver_clip(stack: contextlib.ExitStack, driver: Path, session: Session) -> DriverClip:
    options = session.options
    reader = stack.enter_context(
        open_video(driver, sequence_rate=options.driver_frame_rate or options.sequence_rate)
    )
    return DriverClip(reader, session.driver.duration_seconds - options.driver_offset_seconds, options)


def _artist(session: Session, plans: Plans, clip: DriverClip | None, *, debug: bool) -> Artist:
    return Artist(
        info=session.reader.info,
        plans=plans,
        driver=session.driver,
        clip=clip,
        crop=session.renderer.crop,
        debug=debug,
    )


def _draw(
    session: Session,
    plans: Plans,
    artist: Artist,
    chosen: Sequence[int],
    sheet: ContactSheet,
    film: Comparison | None,
) -> Tally:
    """Fills the sheet with the chosen frames and the film, if there is one, with all; counts as a run would."""
    frame_count, per_frame = plans.analysis.frame_count, plans.analysis.info.pictures_per_frame
    tally = Tally(per_frame=per_frame)
    # closed here: the decoder is stopped as soon as no more is wanted
    with contextlib.closing(session.edits(plans, None if film else chosen)) as edits:
        for edited in session.progress(edits, Stage.PREVIEW, frame_count if film else len(chosen)):
            tally.add(edited)
            with session.clock.running("draw"):
                if edited.source.index in chosen:
                    sheet.add(edited)
                if film is not None:
                    film.write(artist, edited)
    if film is None:
        return Tally(frame_count, plans.edited_frames // per_frame, per_frame)
    check_count(session, plans, tally.pictures)
    return tally


def _heading(source: Path, driver: Path, options: RetargetOptions) -> str:
    play = f"{options.mode}, strength {options.strength:g}"
    return "   ·   ".join([shortened(source.name, 48), shortened(driver.name, 48), play])
