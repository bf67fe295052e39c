"""What sheet and comparison show of a frame: source, driver and result, with landmarks and edits if asked for."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.crop_spec import CropSpec

from ..drivers import Driver
from ..edit import EditedFrame, FaceEdit, Plans, edited_box
from ..faces import chain, crop_matrix
from ..media import proxy
from ..records import Box, Frame, VideoInfo
from .drawing import Ink, Rgb, fitted, write, write_block
from .driver_clip import DriverClip
from .moments import FaceMoment, faces_at, strongest
from .request_bars import draw_bars
from .view import Affine, View, frame_view, square_view

FACE_MARGIN = 1.7
"""Side of the enlarged square over the face's size."""

FULL_TINT_MOTION_FRACTION = 0.02
"""Motion, in sides of the crop, that is tinted most."""
FULL_TINT_RESIDUAL = 0.1
"""Painted difference, in units of full range, that is tinted most."""
TINT_OPACITY = 0.4

MESH: Ink = (110, 235, 160)
SQUARE: Ink = (255, 214, 90)
OUTLINE: Ink = (255, 128, 48)
MOTION: Ink = (0, 170, 255)
PAINT: Ink = (255, 0, 170)


@dataclass(frozen=True, eq=False, kw_only=True)
class Artist:
    """Draws the pictures of one run. All are upright, in RGB, and new: they may be drawn on."""

    info: VideoInfo
    """Of the source."""
    plans: Plans
    driver: Driver
    clip: DriverClip | None
    """The driver's pictures; None: it has none, and bars are drawn of what it asks."""
    crop: CropSpec
    """The square that the network sees."""
    debug: bool
    """Draw what was tracked onto the source and what is done onto the result."""

    @property
    def shows_several(self) -> bool:
        """Whether faces have to be told apart."""
        return any(plan.position for plan in self.plans.faces)

    def faces(self, frame: Frame) -> list[FaceMoment]:
        """The edited faces of a frame, the most edited first."""
        return faces_at(self.plans.faces, frame.index)

    def seconds(self, frame: Frame) -> float:
        """From the source's first frame, as drivers count."""
        return frame.seconds - self.plans.analysis.first_seconds

    def source(self, edited: EditedFrame, size: tuple[int, int]) -> Rgb:
        """The frame before, in (width, height)."""
        view = frame_view(edited.source, self.info, size)
        if self.debug:
            self._draw_tracked(view, edited)
            write_block(view.picture, self._tracked_lines(edited))
        return view.picture

    def result(self, edited: EditedFrame, size: tuple[int, int]) -> Rgb:
        """The frame after, in (width, height)."""
        view = frame_view(edited.result, self.info, size)
        if self.debug:
            self._draw_edits(view, edited)
            write_block(view.picture, self._edit_lines(edited))
        return view.picture

    def source_face(self, edited: EditedFrame, face: FaceMoment, side_px: int) -> Rgb:
        """A square around a face of the frame before."""
        view = self._face_view(edited.source, face, side_px)
        if self.debug:
            self._draw_tracked(view, edited)
        return view.picture

    def result_face(self, edited: EditedFrame, face: FaceMoment, side_px: int) -> Rgb:
        """A square around a face of the frame after."""
        view = self._face_view(edited.result, face, side_px)
        if self.debug:
            self._draw_edits(view, edited)
        return view.picture

    def driver_picture(self, edited: EditedFrame, size: tuple[int, int]) -> Rgb:
        """The driver's picture at that time, or bars of what is asked; darkened where it asks nothing."""
        seconds, faces = self.seconds(edited.source), self.faces(edited.source)
        target = self.driver.target(np.array([seconds]), faces[0].plan.position if faces else 0)
        if self.clip is None:
            return draw_bars(target, faces[0].delta_au if faces else None, size)
        shown = proxy(self.clip.at(seconds), self.clip.info, max(size))
        picture = fitted(shown, size)
        return picture if target.weight.any() else (picture // 3).astype(np.uint8)

    def _face_view(self, frame: Frame, face: FaceMoment, side_px: int) -> View:
        return square_view(frame, self.info, face.center, FACE_MARGIN * face.size_px, side_px)

    def _draw_tracked(self, view: View, edited: EditedFrame) -> None:
        """Mesh points and the square the network sees."""
        for face in self.faces(edited.source):
            landmarks = self.plans.analysis.landmarks(face.plan.track, face.at)[:, :2]
            drawn_px = face.size_px * view.from_display[0, 0]
            every = 1 if drawn_px > 120 else 4  # all of them would hide a small face
            for x, y in view.points(landmarks)[::every, 0].tolist():
                cv2.circle(view.picture, (x, y), 1 if drawn_px > 240 else 0, MESH, -1)
            display_from_crop = cv2.invertAffineTransform(crop_matrix(face.plan.alignments[face.at], self.crop))
            corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64) * self.crop.size_px
            square = _mapped(display_from_crop, corners)
            cv2.polylines(view.picture, [view.points(square)], True, SQUARE, 1, cv2.LINE_AA)
            if self.shows_several:
                x, y = view.points(square)[3, 0].tolist()
                write(view.picture, str(face.plan.position), (x + 3, y - 4), scale=0.4, color=SQUARE)

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
