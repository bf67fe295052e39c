"""Source, result and driver side by side, as a video with the source's times and sound."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..edit import EditedFrame
from ..media import EncodeOptions, VideoReader, VideoWriter, create_video
from ..records import Color, Frame, PixelFormat, VideoInfo
from .artist import Artist
from .drawing import PAPER, Rgb, blank, shortened, write

WIDEST_PX = 3840
"""Players and hardware decoders take H.264 up to about 4096 across."""
ENCODING = EncodeOptions(codec="h264", crf=18, preset="veryfast", pixel_format="yuv420p")

_GBRP = PixelFormat("gbrp", "rgb", 8)


class Comparison:
    """A film that is written frame by frame; a context manager. It appears under its name when it is whole."""

    def __init__(
        self, path: Path, source: VideoReader, driver: Path, pictures: VideoInfo | None, *, overwrite: bool
    ) -> None:
        """Refuses a film that cannot be written before any work.

        Args:
            path: one that `check_output` let pass.
            source: opened, for its times, sound and name.
            driver: named below its picture.
            pictures: of the driver, if it has any; they are the third beside source and result.
        """
        self.path = path
        shown = [source.info, source.info, *([pictures] if pictures else [])]
        self._sizes = panel_sizes(shown)
        width, height = sum(width for width, _ in self._sizes), self._sizes[0][1]
        self._strip = _caption_strip(self._sizes, [source.info.path, None, driver])
        like = _like(source, width, height + self._strip.shape[0])
        self._writer: VideoWriter = create_video(path, like=like, options=ENCODING, overwrite=overwrite)

    @property
    def notes(self) -> list[str]:
        """What could not be kept as it was, one line each."""
        return self._writer.notes

    def __enter__(self) -> Comparison:
        self._writer.__enter__()
        return self

    def __exit__(self, *about: Any) -> None:
        self._writer.__exit__(*about)

    def write(self, artist: Artist, edited: EditedFrame) -> None:
        """One frame of the source as the artist draws it; frames come in order."""
        sizes = self._sizes
        panels = [artist.source(edited, sizes[0]), artist.result(edited, sizes[1])]
        if len(sizes) > 2:
            panels.append(artist.driver_picture(edited, sizes[2]))
        picture = np.concatenate([np.concatenate(panels, axis=1), self._strip])
        red, green, blue = (np.ascontiguousarray(picture[..., i]) for i in range(3))
        moment = edited.source
        planes = (green, blue, red)  # FFmpeg's order
        self._writer.write(Frame(moment.index, moment.pts, moment.time_base, planes, _GBRP, moment.duration))


def panel_sizes(infos: Sequence[VideoInfo]) -> list[tuple[int, int]]:
    """(width, height) of each picture at one height, all even, together not wider than players take."""
    aspects = [info.display_width / info.display_height for info in infos]
    height = _even(min(infos[0].display_height, WIDEST_PX / sum(aspects)))
    return [(_even(height * aspect), height) for aspect in aspects]


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))


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
        is_mirrored=False,
        display_matrix=(),
        field_order="progressive",
        pictures_per_frame=1,
        frame_rate=info.picture_rate,
        sample_aspect_ratio=Fraction(1),
    )
    return like


def _caption_strip(sizes: Sequence[tuple[int, int]], files: Sequence[Path | None]) -> Rgb:
    """A strip to go below the panels, with their names."""
    height = _even(np.clip(sizes[0][1] / 18, 22, 60))
    scale, names = height / 50, ("source", "result", "driver")
    parts = []
    for (width, _), name, file in zip(sizes, names, files, strict=False):
        part = blank((width, height), PAPER)
        label = name if file is None else f"{name}   {shortened(file.name, 40)}"
        write(part, label, (8, round(height * 0.7)), scale=scale)
        parts.append(part)
    return np.concatenate(parts, axis=1)
