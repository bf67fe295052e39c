"""What can be said of a call before anything is opened: by the jobs, and by the commands before they load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from retarget.model import action_units

from .drivers import kind_of_driver
from .errors import OptionError
from .files import MADE_FROM, check_output, check_suffix, suffixes
from .media import check_output_name

MOST_MOMENTS = 24
"""Columns of a contact sheet."""


def check_roles(source: Path, drivers: Iterable[Path]) -> None:
    """Refuses text as a source, which is what drivers are.

    Raises:
        OptionError: the source is curves or a capture.
    """
    kind = kind_of_driver(source)
    if kind == "clip":
        return
    what = "is keyframed curves" if kind == "curves" else "is text, such as a capture"
    is_swapped = any(kind_of_driver(driver) == "clip" for driver in drivers)
    advice = "source and driver look swapped" if is_swapped else "name a film or pictures as the source"
    raise OptionError(f"{source}: {what}, which drives and is not edited; {advice}")


def check_film(output: Path, source: Path, read: Iterable[Path], *, overwrite: bool) -> None:
    """Refuses an output of the main job; `read` is what it is made from beside its source.

    Raises:
        OptionError: nothing can be written under that suffix.
        VideoWriteError: it exists, is one of the inputs, or cannot be made there.
    """
    check_output_name(output)
    inputs = {source: "the source itself", **dict.fromkeys(read, MADE_FROM)}
    check_output(output, inputs=inputs, overwrite=overwrite)


def check_table(output: Path, clip: Path, *, overwrite: bool) -> None:
    """Refuses a tracking table; raises as `check_film`."""
    check_suffix(output, (".csv",), "a tracking table")
    check_output(output, inputs={clip: "the clip itself"}, overwrite=overwrite)


def check_preview(output: Path, film: Path | None, read: Iterable[Path], *, moments: int, overwrite: bool) -> None:
    """Refuses a contact sheet and the film beside it; raises as `check_film`, and for a number of moments."""
    if not 1 <= moments <= MOST_MOMENTS:
        raise OptionError(f"{moments} moments make no contact sheet; use 1 to {MOST_MOMENTS}")
    inputs = dict.fromkeys(read, MADE_FROM)
    check_suffix(output, suffixes.CONTACT_SHEETS, "a contact sheet")
    check_output(output, inputs=inputs, overwrite=overwrite)
    if film is not None:
        check_suffix(film, suffixes.FILM_OUTPUTS, "a comparison")
        check_output(film, inputs=inputs, overwrite=overwrite)


def check_plot(output: Path, files: Sequence[Path], units: Sequence[str], *, overwrite: bool) -> None:
    """Refuses a plot of curves; raises as `check_film`, and UnknownActionUnitError."""
    if not files:
        raise OptionError("no file to plot; give a curve, a capture, a clip or a run's report")
    check_suffix(output, suffixes.PLOTS, "a plot")
    check_output(output, inputs=dict.fromkeys(files, MADE_FROM), overwrite=overwrite)
    for name in units:
        action_units.resolve(name)
