"""A look at a run before it is made: a contact sheet, and the source beside the result as a video.

Everything here is drawn in display orientation, in RGB, at most as large as it will be looked at; the frames
themselves stay native and come one at a time. Besides what `Session.edits` holds, memory is taken by the sheet's
small pictures (a few per moment) and by two frames of the driver.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model import action_units

from ..drivers import CAPTURE_SUFFIXES, CURVE_SUFFIXES
from ..edit import EDIT_FLOOR, FaceEdit, FacePlan, edited_box
from ..errors import OptionError
from ..faces import chain, crop_matrix
from ..files import MADE_FROM, check_output, check_suffix, write_whole
from ..media import EncodeOptions, VideoReader, VideoWriter, create_video, open_video, proxy, sample_rgb
from ..options import RetargetOptions
from ..records import Box, Color, Frame, PixelFormat, Report, Target, VideoInfo
from ..run import EditedFrame, Session
from ..stream import Clock, Progress, Stage, no_progress

Rgb = NDArray[np.uint8]
"""(h, w, 3) uint8 RGB."""
Affine = NDArray[np.float64]
"""(2, 3), corner-based coordinates."""
Ink = tuple[int, int, int]

MOST_MOMENTS = 24
SHEET_SUFFIXES = (".png", ".jpg", ".jpeg")
COMPARISON_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv")

CELL_AREA_PX = 320 * 240
"""Of one picture on the sheet; its sides follow from the source's aspect."""
LEAST_COLUMN_PX = 220
MARGIN_PX = 12
LABELS_PX = 72
HEADER_PX = 44
CAPTION_PX = 82

SMALL_FACE_FRACTION = 1 / 3
"""Of the picture's height: smaller faces are shown enlarged as well."""
FACE_MARGIN = 1.7
"""Side of the enlarged square over the face's size."""

WIDEST_COMPARISON_PX = 3840
"""Players and hardware decoders take H.264 up to about 4096 across."""
COMPARISON_ENCODING = EncodeOptions(codec="h264", crf=18, preset="veryfast", pixel_format="yuv420p")

FULL_TINT_MOTION_FRACTION = 0.02
"""Motion, in sides of the crop, that is tinted most."""
FULL_TINT_RESIDUAL = 0.1
"""Painted difference, in units of full range, that is tinted most."""
TINT_OPACITY = 0.4

PAPER: Ink = (27, 28, 31)
BLANK: Ink = (40, 42, 46)
TEXT: Ink = (232, 232, 232)
FAINT: Ink = (150, 152, 156)
MESH: Ink = (110, 235, 160)
SQUARE: Ink = (255, 214, 90)
OUTLINE: Ink = (255, 128, 48)
MOTION: Ink = (0, 170, 255)
PAINT: Ink = (255, 0, 170)
BAR: Ink = (86, 156, 240)
NEGATIVE_BAR: Ink = (240, 120, 90)

_GBRP = PixelFormat("gbrp", "rgb", 8)


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
    """Makes a contact sheet (.png, .jpg) of what `retarget_video` would do, and says what that is.

    The sheet has `moments` columns where most happens. `side_by_side` is a video of source and result (and the
    driver, if it is a clip or picture) with the source's times and sound. `debug` draws what was tracked onto
    the source and what is done onto the result. `overwrite`, or `options.overwrite`, allows replacing files.

    Without `side_by_side` only the shown frames are rendered; the report then counts what a run would do.

    Raises:
        RetargetError: as `retarget_video`; and OptionError for another suffix or number of moments.
    """
    source, driver, output = Path(source), Path(driver), Path(output)
    options = options or RetargetOptions()
    overwrite = overwrite or options.overwrite
    if not 1 <= moments <= MOST_MOMENTS:
        raise OptionError(f"{moments} moments make no contact sheet; use 1 to {MOST_MOMENTS}")
    film_path = None if side_by_side is None else Path(side_by_side)
    inputs = dict.fromkeys((source, driver, *options.neutral_pictures()), MADE_FROM)
    check_suffix(output, SHEET_SUFFIXES, "a contact sheet")
    check_output(output, inputs=inputs, overwrite=overwrite)
    if film_path is not None:
        check_suffix(film_path, COMPARISON_SUFFIXES, "a comparison")
        check_output(film_path, inputs=inputs, overwrite=overwrite)
    started, clock = time.perf_counter(), Clock()
    with contextlib.ExitStack() as stack:
        session = Session(stack, source, driver, options, clock=clock, progress=progress)
        clip = DriverClip.open(stack, driver, session) if is_clip(driver) else None
        artist = Artist(session, clip, debug=debug)
        film = None if film_path is None else Comparison(artist, film_path, driver, overwrite=overwrite)
        session.analyse()
        chosen = choose_moments(session.plans, session.frame_count, moments)
        sheet = ContactSheet(artist, _heading(source, driver, options))
        if film is not None:
            stack.enter_context(film)
        expected = session.frame_count if film else len(chosen)
        for edited in progress(_shown(session, None if film else chosen), Stage.PREVIEW, expected):
            with clock.running("draw"):
                if edited.source.index in chosen:
                    sheet.add(edited)
                if film is not None:
                    film.write(edited)
        if film is not None:
            session.check_count()
        write_whole(output, _encoded(sheet.picture(), output))
        report = _report(session, sheet, film)
    report.details["output"] = str(output)
    report.seconds = {**clock.seconds(), "elapsed": round(time.perf_counter() - started, 3)}
    return report


def choose_moments(plans: Sequence[FacePlan], frame_count: int, count: int) -> list[int]:
    """The frames to show, in order: the strongest edits, spread over the frames that are edited.

    At most `count` of the `frame_count` frames; where fewer are edited, the others are spread over the rest.
    """
    strength = np.zeros(frame_count)
    for plan in plans:
        force = np.linalg.norm(plan.delta_au, axis=1) * plan.is_active
        np.maximum.at(strength, plan.track.frames, force)
    edited = int((strength > 0).sum())
    if edited == 0:
        return sorted({round(x) for x in np.linspace(0, frame_count - 1, min(count, frame_count))})
    reach = max(1.0, edited / count)
    chosen: list[int] = []
    distance = np.full(frame_count, float(frame_count))
    while len(chosen) < min(count, frame_count):
        # squared, so that next to a strong moment a weaker one further on is the better picture
        score = strength * np.minimum(distance / reach, 1) ** 2
        best = int(np.argmax(score if score.any() else distance))
        chosen.append(best)
        distance = np.minimum(distance, np.abs(np.arange(frame_count) - best))
    return sorted(chosen)


# Files


def is_clip(driver: Path) -> bool:
    """Whether a driver is a clip or picture, of which there is something to see."""
    return driver.suffix.lower() not in CURVE_SUFFIXES | CAPTURE_SUFFIXES


def shortened(text: str, limit: int) -> str:
    """The text, or its beginning and end around an ellipsis, in at most `limit` characters."""
    if len(text) <= limit:
        return text
    end = (limit - 1) // 2
    return f"{text[: limit - 1 - end]}…{text[len(text) - end :]}"


def _encoded(picture: Rgb, path: Path) -> bytes:
    suffix = ".png" if path.suffix.lower() == ".png" else ".jpg"
    settings = [cv2.IMWRITE_JPEG_QUALITY, 92] if suffix == ".jpg" else []
    done, data = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), settings)
    assert done, "a picture of a valid size and suffix"
    return bytes(data)


def _shown(session: Session, only: Sequence[int] | None) -> Iterator[EditedFrame]:
    """The edits of those frames, or all; the decoder is stopped as soon as no more is wanted."""
    with contextlib.closing(session.edits(only)) as edits:
        yield from edits


def _heading(source: Path, driver: Path, options: RetargetOptions) -> str:
    play = f"{options.mode}, strength {options.strength:g}"
    return "   ·   ".join([shortened(source.name, 48), shortened(driver.name, 48), play])


def _report(session: Session, sheet: ContactSheet, film: Comparison | None) -> Report:
    report = session.report()
    report.details["moments"] = [round(seconds, 3) for seconds in sheet.seconds]
    if film is None:
        report.frames, report.frames_edited = session.frame_count, len(session.schedule)
        return report
    report.details["side_by_side"] = str(film.path)
    report.notes += [note for note in film.notes if note not in report.notes]
    return report


# What is known of a moment


@dataclass(frozen=True, eq=False)
class FaceMoment:
    """One planned face in one frame."""

    plan: FacePlan
    at: int
    """Its place in the plan's arrays."""

    @property
    def delta_au(self) -> NDArray[np.float32]:
        """(C,) relative action units."""
        return self.plan.delta_au[self.at]

    @property
    def strength(self) -> float:
        return float(np.linalg.norm(self.delta_au))

    @property
    def size_px(self) -> float:
        return float(self.plan.track.size_px[self.at])


def faces_at(plans: Sequence[FacePlan], frame_index: int) -> list[FaceMoment]:
    """The planned faces that are seen in a frame, the most edited (of equals the largest) first."""
    found = []
    for plan in plans:
        at = int(np.searchsorted(plan.track.frames, frame_index))
        if at < len(plan.track.frames) and plan.track.frames[at] == frame_index:
            found.append(FaceMoment(plan, at))
    return sorted(found, key=lambda face: (-face.strength, -face.size_px))


def strongest(values: NDArray[np.floating], count: int, *, floor: float = EDIT_FLOOR) -> list[tuple[str, float]]:
    """(name, value) of the largest magnitudes of a vector (C,); a name without side where both sides agree."""
    merged: list[tuple[str, float]] = []
    for unit in action_units.ACTION_UNITS:
        own = [(entry, float(values[action_units.NAMES.index(entry)])) for entry in unit.entries]
        if len(own) == 2 and abs(own[0][1] - own[1][1]) < 0.05:
            own = [(unit.name, (own[0][1] + own[1][1]) / 2)]
        merged += [(name, value) for name, value in own if abs(value) >= floor]
    return sorted(merged, key=lambda pair: -abs(pair[1]))[:count]


class DriverClip:
    """The pictures of a driver clip by the source's time. Holds two frames."""

    def __init__(self, reader: VideoReader, length_seconds: float, options: RetargetOptions) -> None:
        """`length_seconds` is after how long a looping driver starts again."""
        self.info = reader.info
        self._reader, self._length, self._options = reader, length_seconds, options
        self._frames: Iterator[Frame] = iter(())
        self._first_seconds = 0.0
        self._current: Frame | None = None
        self._next: Frame | None = None

    @classmethod
    def open(cls, stack: contextlib.ExitStack, path: Path, session: Session) -> DriverClip:
        options = session.options
        reader = stack.enter_context(open_video(path, sequence_rate=options.sequence_rate))
        return cls(reader, session.driver.duration_seconds - options.driver_offset_seconds, options)

    def at(self, seconds: float) -> Frame:
        """The frame shown at a second of the source; before the driver's start its first, after its end its last.

        Times should increase: going back means decoding from the beginning.
        """
        own = seconds - self._options.driver_offset_seconds
        if self._options.after == "loop" and np.isfinite(self._length) and own > 0:
            own %= self._length
        if self._current is None or own < self._own_seconds(self._current):
            self._restart()
        while self._next is not None and self._own_seconds(self._next) <= own + 1e-6:
            self._current, self._next = self._next, next(self._frames, None)
        assert self._current is not None, "an opened clip has a frame"
        return self._current

    def _restart(self) -> None:
        if self._current is not None and self._current.index == 0:
            return
        self._frames = iter(self._reader)
        self._current, self._next = next(self._frames, None), next(self._frames, None)
        self._first_seconds = self._current.seconds if self._current else 0.0

    def _own_seconds(self, frame: Frame) -> float:
        return frame.seconds - self._first_seconds


# Drawing


@dataclass(frozen=True, eq=False)
class View:
    """A picture of a part of a frame; drawn on in place."""

    picture: Rgb
    from_display: Affine
    """Display pixels of the frame -> pixels of the picture."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.picture.shape[1], self.picture.shape[0]

    def points(self, display: NDArray[np.floating]) -> NDArray[np.int32]:
        """Display points (n, 2) as whole pixels (n, 1, 2) for cv2."""
        placed = display @ self.from_display[:, :2].T + self.from_display[:, 2]
        return np.floor(placed).astype(np.int32)[:, None]


def frame_view(frame: Frame, info: VideoInfo, size: tuple[int, int]) -> View:
    """The whole frame, upright, stretched to (width, height)."""
    picture = _resized(proxy(frame, info, max(size)), size)
    scale_x, scale_y = size[0] / info.display_width, size[1] / info.display_height
    return View(picture, np.array([[scale_x, 0, 0], [0, scale_y, 0]], np.float64))


def face_view(frame: Frame, info: VideoInfo, face: FaceMoment, side_px: int) -> View:
    """A square around the face, upright, `side_px` wide."""
    x, y = face.plan.track.centers[face.at]
    scale = side_px / (FACE_MARGIN * face.size_px)
    matrix = np.array([[scale, 0, side_px / 2 - scale * x], [0, scale, side_px / 2 - scale * y]], np.float64)
    size = (side_px, side_px)
    return View(sample_rgb(frame, info.color, chain(matrix, info.display_from_coded), size), matrix)


class Artist:
    """Draws the parts of a session's pictures; what sheet and comparison share."""

    def __init__(self, session: Session, clip: DriverClip | None, *, debug: bool) -> None:
        self.session, self.clip, self.debug = session, clip, debug
        self.info = session.reader.info

    @property
    def shows_several(self) -> bool:
        """Whether faces have to be told apart."""
        return any(plan.position for plan in self.session.plans)

    def faces(self, frame: Frame) -> list[FaceMoment]:
        return faces_at(self.session.plans, frame.index)

    def seconds(self, frame: Frame) -> float:
        """From the source's first frame, as drivers count."""
        return frame.seconds - self.session.analysis.first_seconds

    def source(self, edited: EditedFrame, size: tuple[int, int]) -> Rgb:
        view = frame_view(edited.source, self.info, size)
        if self.debug:
            self._draw_tracked(view, edited)
            _write_block(view.picture, self._tracked_lines(edited))
        return view.picture

    def result(self, edited: EditedFrame, size: tuple[int, int]) -> Rgb:
        view = frame_view(edited.result, self.info, size)
        if self.debug:
            self._draw_edits(view, edited)
            _write_block(view.picture, self._edit_lines(edited))
        return view.picture

    def source_face(self, edited: EditedFrame, face: FaceMoment, side_px: int) -> Rgb:
        view = face_view(edited.source, self.info, face, side_px)
        if self.debug:
            self._draw_tracked(view, edited)
        return view.picture

    def result_face(self, edited: EditedFrame, face: FaceMoment, side_px: int) -> Rgb:
        view = face_view(edited.result, self.info, face, side_px)
        if self.debug:
            self._draw_edits(view, edited)
        return view.picture

    def driver(self, edited: EditedFrame, size: tuple[int, int]) -> Rgb:
        """The driver's picture at that time, or bars of what is asked; darkened where it asks nothing."""
        seconds, faces = self.seconds(edited.source), self.faces(edited.source)
        target = self.session.driver.target(np.array([seconds]), faces[0].plan.position if faces else 0)
        if self.clip is None:
            return draw_bars(target, faces[0].delta_au if faces else None, size)
        shown = proxy(self.clip.at(seconds), self.clip.info, max(size))
        picture = _fitted(shown, size)
        return picture if target.weight.any() else (picture // 3).astype(np.uint8)

    def _draw_tracked(self, view: View, edited: EditedFrame) -> None:
        """Mesh points and the square the network sees."""
        for face in self.faces(edited.source):
            landmarks = self.session.analysis.landmarks(face.plan.track, face.at)[:, :2]
            drawn_px = face.size_px * view.from_display[0, 0]
            every = 1 if drawn_px > 120 else 4  # all of them would hide a small face
            for x, y in view.points(landmarks)[::every, 0].tolist():
                cv2.circle(view.picture, (x, y), 1 if drawn_px > 240 else 0, MESH, -1)
            spec = self.session.checkpoint.crop
            corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64) * spec.size_px
            square = _mapped(cv2.invertAffineTransform(crop_matrix(face.plan.alignments[face.at], spec)), corners)
            cv2.polylines(view.picture, [view.points(square)], True, SQUARE, 1, cv2.LINE_AA)
            if self.shows_several:
                x, y = view.points(square)[3, 0].tolist()
                _write(view.picture, str(face.plan.position), (x + 3, y - 4), scale=0.4, color=SQUARE)

    def _draw_edits(self, view: View, edited: EditedFrame) -> None:
        """A tint where pixels are moved or painted, and the outline of the rectangle that may change."""
        for edit in edited.edits:
            _tint(view, edit)
            box = edited_box(edit, self.info)
            if not box.is_empty:
                corners = _mapped(self.info.display_from_coded, _corners(box))
                cv2.polylines(view.picture, [view.points(corners)], True, OUTLINE, 1)

    def _by_position(self, edited: EditedFrame) -> list[FaceMoment]:
        """So that the lines of a face keep their place over time."""
        return sorted(self.faces(edited.source), key=lambda face: face.plan.position)

    def _tracked_lines(self, edited: EditedFrame) -> list[str]:
        lines = []
        for face in self._by_position(edited):
            track, at = face.plan.track, face.at
            lines += [
                f"shot {track.shot}  face {face.plan.position}  {face.size_px:.0f} px",
                f"yaw {track.yaw_degrees[at]:+.0f}  pitch {track.pitch_degrees[at]:+.0f}  "
                f"seen {track.confidence[at]:.2f}",
            ]
        return lines or ["no selected face"]

    def _edit_lines(self, edited: EditedFrame) -> list[str]:
        lines = []
        for face in self._by_position(edited):
            lines.append(f"face {face.plan.position}  allowed {face.plan.allowed[face.at]:.2f}")
            units = [f"{name} {value:+.2f}" for name, value in strongest(face.delta_au, 4)]
            lines += ["  ".join(units[:2]), "  ".join(units[2:])]
        return [line for line in lines if line]


def draw_bars(target: Target, delta_au: NDArray[np.float32] | None, size: tuple[int, int]) -> Rgb:
    """The strongest requests of one moment as bars; "+0.30" is added to the performance, "0.30" replaces it.

    Args:
        target: one moment. delta_au: (C,) what becomes of it, so that relaxing to 0 is listed too.
        size: (width, height).
    """
    width, height = size
    picture = _blank(size)
    value, weight = target.values[0] * target.weight[0], target.weight[0]
    asked = np.abs(value) if delta_au is None else np.maximum(np.abs(value), np.abs(delta_au) * (weight > 0))
    pitch_px = 24
    rows = strongest(asked, max(1, (height - 16) // pitch_px), floor=0.02)
    if not rows:
        _write(picture, "asks nothing", (14, height // 2 + 5), color=FAINT)
    for i, (name, _) in enumerate(rows):
        columns = list(action_units.resolve(name))
        amount, additive = float(value[columns].mean()), bool(target.additive[0, columns[0]])
        y = (height - pitch_px * len(rows)) // 2 + pitch_px * i
        _draw_bar(picture, name, amount, f"{amount:+.2f}" if additive else f"{amount:.2f}", y, width)
    return picture


def _draw_bar(picture: Rgb, name: str, amount: float, shown: str, y: int, width: int) -> None:
    left, right = 76, width - 60
    _write(picture, name.replace("MouthShift", "shift"), (12, y + 17))
    cv2.rectangle(picture, (left, y + 6), (right, y + 17), (58, 61, 66), -1)
    length = round(min(abs(amount), 1.0) * (right - left))
    if length:
        color = BAR if amount > 0 else NEGATIVE_BAR
        cv2.rectangle(picture, (left, y + 6), (left + length, y + 17), color, -1)
    _write(picture, shown, (right + 8, y + 17))


def _tint(view: View, edit: FaceEdit) -> None:
    side_px = edit.flow.shape[0]
    strength = [(np.linalg.norm(edit.flow, axis=-1) / (FULL_TINT_MOTION_FRACTION * side_px), MOTION)]
    if edit.residual is not None:
        strength.append((np.abs(edit.residual).max(-1) / FULL_TINT_RESIDUAL, PAINT))
    matrix = chain(view.from_display, cv2.invertAffineTransform(edit.crop_from_display))
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # cv2 counts pixel centres as whole numbers
    for amount, color in strength:
        alpha = TINT_OPACITY * np.clip(amount, 0, 1).astype(np.float32)
        placed = cv2.warpAffine(alpha, matrix, view.size, flags=cv2.INTER_LINEAR)[..., None]
        mixed = view.picture * (1 - placed) + np.array(color, np.float32) * placed
        view.picture[:] = np.rint(mixed).astype(np.uint8)


def _corners(box: Box) -> NDArray[np.float64]:
    """(4, 2) around the box."""
    return np.array(
        [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)], np.float64
    )


def _mapped(matrix: Affine, points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)


def _blank(size: tuple[int, int], color: Ink = BLANK) -> Rgb:
    return np.full((size[1], size[0], 3), color, np.uint8)


def _resized(picture: Rgb, size: tuple[int, int]) -> Rgb:
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    shrinks = size[0] < picture.shape[1]
    return np.asarray(
        cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), np.uint8
    )


def _fitted(picture: Rgb, size: tuple[int, int]) -> Rgb:
    """The picture as large as it fits, in the middle."""
    height, width = picture.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    return _centred(_resized(picture, (max(1, round(width * scale)), max(1, round(height * scale)))), size)


def _centred(picture: Rgb, size: tuple[int, int], color: Ink = BLANK) -> Rgb:
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    out = _blank(size, color)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    out[top : top + height, left : left + width] = picture
    return out


def _write(picture: Rgb, text: str, at: tuple[int, int], *, scale: float = 0.45, color: Ink = TEXT) -> None:
    """Text whose baseline starts at (x, y)."""
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, color, 1, cv2.LINE_AA)


def _text_width(text: str, scale: float) -> int:
    return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0])


def _write_block(picture: Rgb, lines: Sequence[str]) -> None:
    """Lines on a darkened ground in the upper left, sized by the picture."""
    if not lines:
        return
    scale = float(np.clip(picture.shape[0] / 900, 0.36, 0.9))
    pitch = round(36 * scale) + 1
    width = max(_text_width(line, scale) for line in lines) + 10
    ground = picture[: pitch * len(lines) + 6, :width]
    ground[:] = ground // 3
    for i, line in enumerate(lines):
        _write(picture, line, (5, pitch * (i + 1) - pitch // 5), scale=scale)


# The contact sheet


@dataclass(frozen=True, eq=False)
class _Column:
    """One moment on the sheet."""

    seconds: float
    pictures: tuple[Rgb, Rgb, Rgb]
    """Source, driver, result."""
    face_pictures: tuple[Rgb, Rgb]
    """Source and result, enlarged."""
    face_fraction: float
    """Of the shown face's size to the picture's height; 0 without one."""
    face: str
    """Which face's it is, where there are several."""
    units: tuple[str, ...]
    """Its strongest relative action units."""


class ContactSheet:
    """Columns of moments; rows source, driver, result, and the faces enlarged where they are small."""

    def __init__(self, artist: Artist, heading: str) -> None:
        self._artist, self._heading = artist, heading
        self._columns: list[_Column] = []
        aspect = artist.info.display_width / artist.info.display_height
        width = round(np.sqrt(CELL_AREA_PX * np.clip(aspect, 0.3, 4)))
        self._cell = (width, max(1, round(width / aspect)))
        self._column_px = max(width, LEAST_COLUMN_PX)

    @property
    def seconds(self) -> list[float]:
        """Of each column, from the source's first frame."""
        return [column.seconds for column in self._columns]

    def add(self, edited: EditedFrame) -> None:
        """One more column; keeps its small pictures only."""
        artist, faces = self._artist, self._artist.faces(edited.source)
        side = self._face_px
        enlarged = (_blank((side, side)),) * 2
        if faces:
            enlarged = (
                artist.source_face(edited, faces[0], side),
                artist.result_face(edited, faces[0], side),
            )
        self._columns.append(
            _Column(
                seconds=artist.seconds(edited.source),
                pictures=(
                    artist.source(edited, self._cell),
                    artist.driver(edited, self._cell),
                    artist.result(edited, self._cell),
                ),
                face_pictures=enlarged,
                face_fraction=faces[0].size_px / artist.info.display_height if faces else 0.0,
                face=f"face {faces[0].plan.position}" if faces and artist.shows_several else "",
                units=tuple(f"{n} {v:+.2f}" for n, v in strongest(faces[0].delta_au, 4)) if faces else (),
            )
        )

    @property
    def _face_px(self) -> int:
        return min(self._column_px, 300)

    def picture(self) -> Rgb:
        """The sheet so far."""
        rows = self._rows()
        top = HEADER_PX + sum(height + MARGIN_PX for _, height, _ in rows)
        width = LABELS_PX + (self._column_px + MARGIN_PX) * len(self._columns)
        sheet = _blank((width, top + CAPTION_PX), PAPER)
        _write(sheet, self._heading, (MARGIN_PX, 28), scale=0.55)
        y = HEADER_PX
        for label, height, pictures in rows:
            _write(sheet, label, (MARGIN_PX, y + height // 2 + 5), color=FAINT)
            for i, picture in enumerate(pictures):
                x = self._left(i)
                sheet[y : y + height, x : x + self._column_px] = _centred(
                    picture, (self._column_px, height), PAPER
                )
            y += height + MARGIN_PX
        for i, column in enumerate(self._columns):
            self._write_caption(sheet, column, self._left(i), y)
        return sheet

    def _left(self, i: int) -> int:
        return LABELS_PX + (self._column_px + MARGIN_PX) * i

    def _rows(self) -> list[tuple[str, int, list[Rgb]]]:
        """(label, height, a picture per column)."""
        rows = [
            (label, self._cell[1], [column.pictures[k] for column in self._columns])
            for k, label in enumerate(("source", "driver", "result"))
        ]
        seen = [column.face_fraction for column in self._columns if column.face_fraction > 0]
        if seen and np.median(seen) < SMALL_FACE_FRACTION:
            rows += [
                (label, self._face_px, [column.face_pictures[k] for column in self._columns])
                for k, label in enumerate(("source", "result"))
            ]
        return rows

    def _write_caption(self, sheet: Rgb, column: _Column, x: int, y: int) -> None:
        lines = [
            f"{column.seconds:.2f} s   {column.face}".rstrip(),
            "   ".join(column.units[:2]),
            "   ".join(column.units[2:]),
        ]
        if not column.units:
            lines[1] = "unchanged"
        for i, line in enumerate(lines):
            left = x + (self._column_px - _text_width(line, 0.5 if i == 0 else 0.45)) // 2
            color = TEXT if i == 0 else FAINT
            _write(sheet, line, (left, y + 16 + 23 * i), scale=0.5 if i == 0 else 0.45, color=color)


# The comparison


class Comparison:
    """Source, result and driver side by side as a video with the source's times and sound. A context manager."""

    def __init__(self, artist: Artist, path: Path, driver: Path, *, overwrite: bool) -> None:
        """`path` is one that `check_output` let pass."""
        self.path, self._artist = path, artist
        clip = artist.clip
        shown = [artist.info, artist.info, *([clip.info] if clip else [])]
        self._sizes = _panel_sizes(shown)
        width, height = sum(width for width, _ in self._sizes), self._sizes[0][1]
        self._strip = _caption_strip(self._sizes, [artist.info.path, None, driver if clip else None])
        like = _like(artist.session.reader, width, height + self._strip.shape[0])
        self._writer: VideoWriter = create_video(path, like=like, options=COMPARISON_ENCODING, overwrite=overwrite)

    @property
    def notes(self) -> list[str]:
        """What could not be kept as it was, one line each."""
        return self._writer.notes

    def __enter__(self) -> Comparison:
        self._writer.__enter__()
        return self

    def __exit__(self, *about: Any) -> None:
        self._writer.__exit__(*about)

    def write(self, edited: EditedFrame) -> None:
        """One frame of the source; frames come in order."""
        artist, sizes = self._artist, self._sizes
        panels = [artist.source(edited, sizes[0]), artist.result(edited, sizes[1])]
        if artist.clip is not None:
            panels.append(artist.driver(edited, sizes[2]))
        picture = np.concatenate([np.concatenate(panels, axis=1), self._strip])
        red, green, blue = (np.ascontiguousarray(picture[..., i]) for i in range(3))
        moment = edited.source
        planes = (green, blue, red)  # FFmpeg's order
        self._writer.write(Frame(moment.index, moment.pts, moment.time_base, planes, _GBRP, moment.duration))


def _like(reader: VideoReader, width: int, height: int) -> VideoReader:
    """The reader's times, sound and description with pictures of another size, upright and in RGB."""
    info = reader.info
    like = copy.copy(reader)
    like.hdr_parameters = ""
    like.info = replace(
        info,
        width=width,
        height=height,
        pixel_format=_GBRP,
        native_format_name=_GBRP.name,
        color=Color("rgb", True, 2, 0, info.color.tag_primaries, info.color.tag_transfer),
        rotation_degrees=0,
        sample_aspect_ratio=Fraction(1),
    )
    return like


def _panel_sizes(infos: Sequence[VideoInfo]) -> list[tuple[int, int]]:
    """(width, height) of each picture at one height, all even, together not wider than players take."""
    aspects = [info.display_width / info.display_height for info in infos]
    height = _even(min(infos[0].display_height, WIDEST_COMPARISON_PX / sum(aspects)))
    return [(_even(height * aspect), height) for aspect in aspects]


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))


def _caption_strip(sizes: Sequence[tuple[int, int]], files: Sequence[Path | None]) -> Rgb:
    """A strip to go below the panels, with their names."""
    height = _even(np.clip(sizes[0][1] / 18, 22, 60))
    scale, names = height / 50, ("source", "result", "driver")
    parts = []
    for (width, _), name, file in zip(sizes, names, files, strict=False):
        part = _blank((width, height), PAPER)
        label = name if file is None else f"{name}   {shortened(file.name, 40)}"
        _write(part, label, (8, round(height * 0.7)), scale=scale)
        parts.append(part)
    return np.concatenate(parts, axis=1)
