"""Crops through the generator, in batches. The only user of torch in the pipeline."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from retarget.model.checkpoint import Checkpoint
from retarget.model.crop_spec import CropSpec
from retarget.model.device import device_named
from retarget.model.generator import compose
from retarget.model.images import to_model, warp

from .color import sample_rgb
from .crop import chain
from .errors import OptionError
from .records import Frame, VideoInfo


@dataclass(frozen=True, eq=False)
class FaceRequest:
    """What is asked for one face in one frame."""

    crop_from_display: NDArray[np.float64]
    """(2, 3) similarity."""
    landmarks: NDArray[np.float32]
    """(478, 3) in crop pixels."""
    delta_au: NDArray[np.float32]
    """(C,) relative action units."""
    source_au: NDArray[np.float32]
    """(C,) what the face expresses by itself; of use to networks that take the target and not the change."""


@dataclass(frozen=True, eq=False)
class FaceEdit:
    """The generator's answer, at the resolution of the crop."""

    crop_from_display: NDArray[np.float64]
    """(2, 3) similarity."""
    flow: NDArray[np.float32]
    """(S, S, 2) backward flow in crop pixels (x, y)."""
    residual: NDArray[np.float32] | None
    """(S, S, 3) RGB in units of full range, added to the moved plate: `compose - warp`, so that the plate's own
    detail stays under whatever is painted. None where nothing is painted."""


@dataclass(frozen=True, eq=False)
class FrameRequest:
    """A frame and what is asked of its faces."""

    frame: Frame
    faces: Sequence[FaceRequest]


@dataclass(frozen=True, eq=False)
class RenderedFrame:
    """A frame, still as it was, and the edits to blend into it."""

    frame: Frame
    edits: Sequence[FaceEdit]


class Renderer:
    """A generator on a device, fed with batches of crops."""

    def __init__(self, checkpoint: Checkpoint, info: VideoInfo, *, device: str = "auto", batch: int = 0) -> None:
        """`device`: "auto", "cpu", "cuda", "cuda:1", "mps". `batch`: faces a pass; 0 is by the device.

        Raises:
            OptionError: no such device, or a negative batch.
        """
        if batch < 0:
            raise OptionError(f"batch {batch} makes no sense; use 1 or more, or 0 to let the device decide")
        self.device = device_named(device, error=OptionError)
        self.crop: CropSpec = checkpoint.crop
        self._info = info
        self._editor = checkpoint.build_editor().to(self.device)
        self.paints = self._editor.paints
        """Whether there is a network, or the plate's pixels are only moved."""
        self.batch = batch or (4 if self.device.type == "cpu" else 16)

    def for_video(self, info: VideoInfo) -> Renderer:
        """The same network, already on its device, for the frames of another video."""
        other = copy.copy(self)
        other._info = info
        return other

    def render(self, requests: Iterable[FrameRequest]) -> Iterator[RenderedFrame]:
        """Frames in their order with the edits of their faces. Holds at most `batch` frames."""
        waiting: list[FrameRequest] = []
        faces = 0
        for request in requests:
            waiting.append(request)
            faces += len(request.faces)
            if faces == 0 or faces >= self.batch or len(waiting) >= self.batch:
                yield from self._flush(waiting)
                waiting, faces = [], 0
        yield from self._flush(waiting)

    def _flush(self, requests: Sequence[FrameRequest]) -> Iterator[RenderedFrame]:
        pairs = [(request.frame, face) for request in requests for face in request.faces]
        edits: list[FaceEdit] = []
        for start in range(0, len(pairs), self.batch):
            edits += self._forward(pairs[start : start + self.batch])
        ready = iter(edits)
        for request in requests:
            yield RenderedFrame(request.frame, [next(ready) for _ in request.faces])

    @torch.inference_mode()
    def _forward(self, pairs: Sequence[tuple[Frame, FaceRequest]]) -> list[FaceEdit]:
        source, delta, landmarks = (
            torch.from_numpy(np.stack(arrays)).to(self.device)
            for arrays in zip(*((f.source_au, f.delta_au, f.landmarks) for _, f in pairs), strict=True)
        )
        image = self._crops(pairs)
        with _one_thread():
            edit = self._editor(image, source, delta, landmarks)
        flows = edit.flow.permute(0, 2, 3, 1).float().cpu().numpy()
        if not self.paints:
            return [FaceEdit(face.crop_from_display, flows[i], None) for i, (_, face) in enumerate(pairs)]
        painted = (compose(image, edit) - warp(image, edit.flow)) / 2  # the model's range is [-1, 1]
        residuals = painted.permute(0, 2, 3, 1).float().cpu().numpy()
        return [FaceEdit(face.crop_from_display, flows[i], residuals[i]) for i, (_, face) in enumerate(pairs)]

    def _crops(self, pairs: Sequence[tuple[Frame, FaceRequest]]) -> torch.Tensor:
        """(B, 3, S, S) in [-1, 1]; left empty for a network that does not look."""
        size, info = self.crop.size_px, self._info
        if not self.paints:
            return torch.empty(len(pairs), 3, size, size, device=self.device)
        crops = [
            sample_rgb(frame, info.color, chain(face.crop_from_display, info.display_from_coded), (size, size))
            for frame, face in pairs
        ]
        return to_model(np.stack(crops)).to(self.device)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """torch on one core. Sums come out a bit otherwise with every number of threads, and a film must not depend on
    the machine it was made on; on two cores, which decoder, landmarker and encoder share, it costs a twentieth."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
