"""Crops through the generator, in batches. The only user of torch in the pipeline."""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from retarget.model.checkpoint import Checkpoint
from retarget.model.crop_spec import CropSpec
from retarget.model.device import device_named
from retarget.model.generator import EditInput, compose
from retarget.model.images import to_model, warp

from ..errors import OptionError
from ..faces import chain
from ..media import sample_rgb
from ..records import Frame, VideoInfo
from ..stream import usable_cores
from .fill import as_shut, filled, uncovered
from .records import FaceEdit, FaceRequest, Fill, FillRequest, FrameRequest, RenderedFrame

MOST_THREADS = 8
"""More would hold more memory and bring little: each frame has to pass through stages that have one thread."""

_TARGETS_AT_ONCE = 64

TOLD_NORM = 1.0
"""Length of the relative action units that a network which only corrects is told at most, however far the geometry
moves: told of 1.7 to 2.6 it draws bands over cheeks and the root of the nose. Costs 0.005 of the films' ED."""


class Renderer:
    """A generator on a device, fed with batches of crops."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        info: VideoInfo,
        *,
        device: str = "auto",
        batch: int = 0,
        cores: int | None = None,
    ) -> None:
        """`device`: "auto", "cpu", "cuda", "cuda:1", "mps". `batch`: faces a pass; 0 is by the device. `cores`:
        the share of the machine; None is all that the process may use.

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
        self.moves = self._editor.geometry is not None
        """Whether pixels are moved, as a model of motion says."""
        self.borrows = self.paints and self.moves
        """Whether mouth and eyes may come from other frames: pixels are moved, and openings may open."""
        on_cpu = self.device.type == "cpu"
        self.batch = batch or (4 if on_cpu else 16)
        self.threads = min(cores or usable_cores(), MOST_THREADS) if on_cpu else 1
        """Batches that are worked on at once."""

    def for_video(self, info: VideoInfo) -> Renderer:
        """The same network, already on its device, for the frames of another video."""
        other = copy.copy(self)
        other._info = info
        return other

    def render(self, requests: Iterable[FrameRequest]) -> Iterator[RenderedFrame]:
        """Frames in their order with the edits of their faces. Holds at most `threads * batch` frames.

        The edits do not depend on the number of threads, to the bit: what shares a batch is settled before, and
        each thread has torch on one core. Closing this iterator waits for the batches that are worked on.
        """
        at_work: deque[tuple[Sequence[FrameRequest], Future[list[FaceEdit]] | None]] = deque()
        with ThreadPoolExecutor(self.threads, "render", _take_one_core) as pool:
            for group in self._groups(requests):
                has_faces = any(request.faces for request in group)
                at_work.append((group, pool.submit(self._edits, group) if has_faces else None))
                # Where there is nothing to wait for, nothing is held back.
                while at_work and (len(at_work) == self.threads or at_work[0][1] is None):
                    yield from _rendered(*at_work.popleft())
            while at_work:
                yield from _rendered(*at_work.popleft())

    def _groups(self, requests: Iterable[FrameRequest]) -> Iterator[Sequence[FrameRequest]]:
        """What is rendered together: at most `batch` frames, with at least as many faces if there are."""
        waiting: list[FrameRequest] = []
        faces = 0
        for request in requests:
            waiting.append(request)
            faces += len(request.faces)
            if faces == 0 or faces >= self.batch or len(waiting) >= self.batch:
                yield waiting
                waiting, faces = [], 0
        if waiting:
            yield waiting

    def _edits(self, requests: Sequence[FrameRequest]) -> list[FaceEdit]:
        """Of all their faces, in order."""
        pairs = [(request.frame, face) for request in requests for face in request.faces]
        return [edit for together in self._passes(pairs) for edit in self._forward(together)]

    def _passes(self, pairs: Sequence[tuple[Frame, FaceRequest]]) -> Iterator[Sequence[tuple[Frame, FaceRequest]]]:
        """What goes through the network in one call. On a CPU each face by itself: oneDNN picks its sums by shape,
        so that a face would come out a bit otherwise in other company (and four together save a twentieth)."""
        step = 1 if self.device.type == "cpu" else self.batch
        return (pairs[start : start + step] for start in range(0, len(pairs), step))

    @torch.inference_mode()
    def targets(self, faces: Sequence[FaceRequest]) -> NDArray[np.float32]:
        """(n, 478, 3) crop pixels: where the landmarks of these faces go. Where nothing is moved, they stay."""
        parts = []
        for start in range(0, len(faces), _TARGETS_AT_ONCE):
            some = faces[start : start + _TARGETS_AT_ONCE]
            landmarks = self._stacked([face.landmarks for face in some])
            delta = self._stacked([face.delta_au for face in some])
            parts.append(_moved(landmarks, self._displacement(some, delta, landmarks)).cpu().numpy())
        return np.concatenate(parts)

    @torch.inference_mode()
    def motion(self, delta_au: NDArray[np.floating], face: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, 478, 3) canonical units: how a face with canonical landmarks (478, 3) moves by relative action units
        (n, C), after what was learnt from many faces."""
        geometry = self._editor.geometry
        assert geometry is not None
        shape = self._stacked([face.astype(np.float32)])
        parts = []
        for start in range(0, len(delta_au), _TARGETS_AT_ONCE):
            some = self._stacked([row.astype(np.float32) for row in delta_au[start : start + _TARGETS_AT_ONCE]])
            motion = geometry.canonical_motion(self._editor.known(some), shape.expand(len(some), -1, -1))
            parts.append(motion.double().cpu().numpy())
        return np.concatenate(parts)

    def _displacement(
        self, faces: Sequence[FaceRequest], delta: torch.Tensor, landmarks: torch.Tensor
    ) -> torch.Tensor | None:
        geometry = self._editor.geometry
        if geometry is None:
            return None
        still = np.zeros(faces[0].landmarks.shape, np.float32)
        own = [still if face.own_motion is None else face.own_motion for face in faces]
        return geometry.displacement(
            self._editor.known(delta),
            landmarks,
            may_reveal=self.paints,
            own_motion=self._stacked(own),
            lips_together=torch.tensor([face.lips_together for face in faces], device=self.device),
        )

    def _stacked(self, arrays: Sequence[NDArray[np.float32]]) -> torch.Tensor:
        return torch.from_numpy(np.stack(arrays)).to(self.device)

    @torch.inference_mode()
    def _forward(self, pairs: Sequence[tuple[Frame, FaceRequest]]) -> list[FaceEdit]:
        faces = [face for _, face in pairs]
        source, delta, landmarks = (
            self._stacked(list(arrays))
            for arrays in zip(*((f.source_au, f.delta_au, f.landmarks) for f in faces), strict=True)
        )
        image = self._crops(pairs)
        displacement = self._displacement(faces, delta, landmarks)
        told = _shortened(delta) if self.moves else delta
        edit = self._editor(EditInput(image, source, told, landmarks, displacement))
        flows = edit.flow.permute(0, 2, 3, 1).float().cpu().numpy()
        if not self.paints:
            return [FaceEdit(face.crop_from_display, flows[i], None) for i, face in enumerate(faces)]
        plates = warp(image, edit.flow)
        painted = (compose(image, edit) - plates) / 2  # the model's range is [-1, 1]
        residuals = painted.permute(0, 2, 3, 1).float().cpu().numpy()
        targets = _moved(landmarks, displacement).cpu().numpy()
        edits = []
        for i, face in enumerate(faces):
            plate = ((plates[i] + 1) / 2).permute(1, 2, 0).float().cpu().numpy() if face.fills else residuals[i]
            fills = [self._fill(fill, plate, targets[i]) for fill in face.fills]
            edits.append(FaceEdit(face.crop_from_display, flows[i], uncovered(residuals[i], fills), fills))
        return edits

    def _fill(self, request: FillRequest, plate: NDArray[np.float32], target: NDArray[np.float32]) -> Fill:
        """A part of a face whose moved plate is (S, S, 3) RGB in [0, 1], landmarks at `target` (478, 3)."""
        geometry = self._editor.geometry
        assert geometry is not None
        target = as_shut(request.part, target, request.reference.landmarks)
        window = request.part.window(target, self.crop.size_px)
        seen = self._stacked([request.reference.landmarks])
        moved = torch.from_numpy(target[None]).to(self.device) - seen
        corner = seen.new_tensor([window.left, window.top, 0])
        drawn = geometry.drawn(seen - corner, moved[..., :2], window.side, carried=True)
        flow = drawn.flow[0].permute(1, 2, 0).float().cpu().numpy()
        face = drawn.face[0, 0].float().cpu().numpy()
        return filled(request, window, flow, face, window.of(plate), target)

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


def _shortened(delta: torch.Tensor) -> torch.Tensor:
    """Relative action units (B, C), none longer than TOLD_NORM."""
    return delta * (TOLD_NORM / delta.norm(dim=1, keepdim=True).clamp(min=TOLD_NORM))


def _moved(landmarks: torch.Tensor, displacement: torch.Tensor | None) -> torch.Tensor:
    """Landmarks (B, 478, 3) with their displacement (B, 478, 2); their depth stays."""
    if displacement is None:
        return landmarks
    return torch.cat([landmarks[..., :2] + displacement, landmarks[..., 2:]], -1)


def _rendered(requests: Sequence[FrameRequest], edits: Future[list[FaceEdit]] | None) -> Iterator[RenderedFrame]:
    ready = iter(edits.result() if edits else ())
    for request in requests:
        yield RenderedFrame(request.frame, [next(ready) for _ in request.faces])


_taking = threading.Lock()


def _take_one_core() -> None:
    """torch on one core in this thread: sums come out a bit otherwise with every number of cores, and a film must
    not depend on the machine it was made on.

    It has to be said in each thread: oneDNN does not see what was set in another. And what is set in one is also
    what new ones begin with, so a further one, which ends at once, puts that back.
    """
    with _taking:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        restoring = threading.Thread(target=torch.set_num_threads, args=(before,))
        restoring.start()
        restoring.join()
