import itertools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from retarget.model import action_units
from retarget.model.checkpoint import default_checkpoint_path, load_checkpoint
from retarget.model.generator import EditInput, compose
from retarget.model.images import to_model, warp
from retarget.pipeline.edit import render
from retarget.pipeline.edit.render import FaceRequest, FrameRequest, Renderer
from retarget.pipeline.errors import OptionError
from retarget.pipeline.faces import alignment, apply, chain, crop_matrix
from retarget.pipeline.media import sample_rgb

PUSH = {"AU12": lambda p: p * 0 + (0.1, 0.0, 0.0)}
"""Everything to the right by a tenth of the eyes' distance per unit and side: 0.2 for AU12."""


@pytest.fixture
def request_for(place_face: Any) -> Any:
    """A function from a checkpoint's crop to a request for a face at a place."""

    def make(crop: Any, units: float = 0.5, center: tuple[float, float] = (60, 50), scale_px: float = 30) -> Any:
        landmarks = place_face(center, scale_px)
        matrix = crop_matrix(alignment(landmarks), crop)
        delta = np.zeros(action_units.COUNT, np.float32)
        delta[list(action_units.resolve("AU12"))] = units
        return FaceRequest(matrix, apply(matrix, landmarks).astype(np.float32), delta, np.zeros_like(delta))

    return make


def noisy(make_frame: Any, index: int) -> Any:
    noise = np.random.default_rng(index).integers(16, 235, 97)
    return make_frame(
        120, 100, "yuv444p", lambda x, y: noise[(31 * x // 1 + 17 * y // 1).astype(int) % 97], index=index
    )


def test_a_warp_moves_the_crop_by_the_geometry(
    make_checkpoint: Any, make_frame: Any, make_info: Any, request_for: Any
) -> None:
    checkpoint = make_checkpoint(PUSH)
    renderer = Renderer(checkpoint, make_info(120, 100), device="cpu")
    request = FrameRequest(make_frame(120, 100), [request_for(checkpoint.crop)])
    rendered = next(renderer.render([request]))
    assert not renderer.paints
    assert rendered.frame is request.frame
    edit = rendered.edits[0]
    assert edit.residual is None
    assert edit.flow.shape == (64, 64, 2)
    # W 0.1 for each side, 0.5 asked: 0.1 units of 0.34 * 64 px; seen backwards
    assert edit.flow[40, 32].tolist() == pytest.approx([-0.1 * 0.34 * 64, 0], abs=1e-3)
    np.testing.assert_array_equal(edit.crop_from_display, request.faces[0].crop_from_display)


def test_what_is_painted_is_the_difference_to_the_moved_plate(
    make_checkpoint: Any, make_frame: Any, make_info: Any, request_for: Any
) -> None:
    checkpoint = make_checkpoint(PUSH, width=4)
    info = make_info(120, 100, "yuv444p")
    face, frame = request_for(checkpoint.crop), noisy(make_frame, 0)
    edit = next(Renderer(checkpoint, info, device="cpu").render([FrameRequest(frame, [face])])).edits[0]
    # by hand: the same crop through the same network
    matrix = chain(face.crop_from_display, info.display_from_coded)
    image = to_model(sample_rgb(frame, info.color, matrix, (64, 64))[None])
    with torch.no_grad():
        delta, landmarks = torch.from_numpy(face.delta_au)[None], torch.from_numpy(face.landmarks)[None]
        given = EditInput(image, torch.zeros_like(delta), delta, landmarks)
        answer = checkpoint.build_editor()(given)
        painted = ((compose(image, answer) - warp(image, answer.flow)) / 2)[0].permute(1, 2, 0)
    assert edit.residual is not None
    assert np.abs(edit.residual).max() > 0.01
    np.testing.assert_allclose(edit.residual, painted, atol=1e-5)
    np.testing.assert_allclose(edit.flow, answer.flow[0].permute(1, 2, 0), atol=1e-4)


def test_the_network_is_told_of_no_more_than_it_can_paint_while_the_geometry_goes_all_the_way(
    make_checkpoint: Any, make_frame: Any, make_info: Any, request_for: Any
) -> None:
    checkpoint = make_checkpoint(PUSH, width=4)
    renderer = Renderer(checkpoint, make_info(120, 100), device="cpu")
    told = []
    network = renderer._editor.generator.network
    inner = network.forward
    network.forward = lambda image, delta, *rest: told.append(delta) or inner(image, delta, *rest)
    for units in (0.5, 1.2):
        face = request_for(checkpoint.crop, units)
        next(renderer.render([FrameRequest(noisy(make_frame, 0), [face])]))
        moved = (renderer.targets([face])[0] - face.landmarks)[:, 0]
        np.testing.assert_allclose(moved, 0.2 * units * 0.34 * 64, rtol=1e-3)
    asked, much = (delta.norm().item() for delta in told)
    assert asked == pytest.approx(0.5 * 2**0.5)
    assert much == pytest.approx(render.TOLD_NORM)


def interleaved(request_for: Any, crop: Any, make_frame: Any, count: int) -> list[FrameRequest]:
    """Frames with 0, 1, 2 or 3 faces in turn, each asked for something else."""
    out = []
    for i in range(count):
        faces = [
            request_for(crop, 0.1 * (i + 1) / (k + 1), (50 + 3 * k, 50)) for k in range((0, 1, 3, 0, 2)[i % 5])
        ]
        out.append(FrameRequest(noisy(make_frame, i), faces))
    return out


@pytest.mark.parametrize("width", [0, 4])
def test_a_batch_of_one_and_of_eight_are_the_same(
    make_checkpoint: Any, make_frame: Any, make_info: Any, request_for: Any, width: int
) -> None:
    checkpoint = make_checkpoint(PUSH, width=width)
    requests = interleaved(request_for, checkpoint.crop, make_frame, 11)
    one, eight = (
        list(Renderer(checkpoint, make_info(120, 100, "yuv444p"), device="cpu", batch=b).render(requests))
        for b in (1, 8)
    )
    for request, a, b in zip(requests, one, eight, strict=True):
        assert a.frame is b.frame is request.frame
        assert len(a.edits) == len(b.edits) == len(request.faces)
        for first, second in zip(a.edits, b.edits, strict=True):
            np.testing.assert_array_equal(first.flow, second.flow)
            if width:
                np.testing.assert_array_equal(first.residual, second.residual)


def test_edits_belong_to_their_faces(
    make_checkpoint: Any, make_frame: Any, make_info: Any, request_for: Any
) -> None:
    checkpoint = make_checkpoint(PUSH)
    requests = interleaved(request_for, checkpoint.crop, make_frame, 11)
    for rendered in Renderer(checkpoint, make_info(120, 100), device="cpu", batch=3).render(requests):
        i = rendered.frame.index
        asked = [0.1 * (i + 1) / (k + 1) for k in range(len(rendered.edits))]
        found = [-float(edit.flow[40, 32, 0]) / (0.2 * 0.34 * 64) for edit in rendered.edits]
        assert found == pytest.approx(asked, abs=1e-3)


@pytest.mark.parametrize("cores", [1, 3])
def test_ten_of_an_endless_stream_and_no_more_ahead_than_a_batch_a_thread(
    make_checkpoint: Any, make_frame: Any, make_info: Any, request_for: Any, cores: int
) -> None:
    checkpoint = make_checkpoint(PUSH)
    face, read = request_for(checkpoint.crop), []

    def endless() -> Iterator[FrameRequest]:
        for i in itertools.count():
            read.append(i)
            yield FrameRequest(make_frame(8, 8, index=i), [face] if i % 3 else [])

    renderer = Renderer(checkpoint, make_info(120, 100), device="cpu", batch=4, cores=cores)
    taken = []
    for rendered in itertools.islice(renderer.render(endless()), 10):
        taken.append(rendered.frame.index)
        assert len(read) - len(taken) < 4 * cores
    assert taken == list(range(10))


def test_frames_without_faces_are_not_held_back(make_checkpoint: Any, make_frame: Any, make_info: Any) -> None:
    read = []

    def requests() -> Iterator[FrameRequest]:
        for i in range(5):
            read.append(i)
            yield FrameRequest(make_frame(8, 8, index=i), [])

    rendered = Renderer(make_checkpoint(), make_info(), device="cpu", batch=4).render(requests())
    assert next(rendered).frame.index == 0
    assert read == [0]


def test_an_edit_is_the_same_to_the_bit_with_any_number_of_threads(
    make_frame: Any, make_info: Any, request_for: Any
) -> None:
    checkpoint, info = load_checkpoint(default_checkpoint_path()), make_info(120, 100, "yuv444p")
    requests = interleaved(request_for, checkpoint.crop, make_frame, 8)
    # each with its own network, so that three threads come first to what is made at first use
    one, three = (Renderer(checkpoint, info, device="cpu", batch=2, cores=cores) for cores in (1, 3))
    assert one.paints
    assert (one.threads, three.threads) == (1, 3)
    rendered = list(zip(one.render(requests), three.render(requests), strict=True))
    assert [a.frame.index for a, _ in rendered] == list(range(8))
    for a, b in rendered:
        assert a.frame is b.frame
        for first, second in zip(a.edits, b.edits, strict=True):
            np.testing.assert_array_equal(first.crop_from_display, second.crop_from_display)
            np.testing.assert_array_equal(first.flow, second.flow)
            np.testing.assert_array_equal(first.residual, second.residual)


class Watched(Renderer):
    """Counts the batches that are worked on, of a frame each; each waits for `together` of them."""

    def __init__(self, *args: Any, together: int = 1, fails_at: int = -1, **options: Any) -> None:
        super().__init__(*args, device="cpu", batch=1, **options)
        self._meet, self._fails_at = threading.Barrier(together), fails_at
        self._lock, self._running = threading.Lock(), 0
        self.most = 0
        self.torch_threads: set[int] = set()

    def _forward(self, pairs: Any) -> Any:
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
            self.torch_threads.add(torch.get_num_threads())
        try:
            self._meet.wait(timeout=10)
            if pairs[0][0].index == self._fails_at:
                raise RuntimeError("out of memory on the device")
            return super()._forward(pairs)
        finally:
            with self._lock:
                self._running -= 1


def test_each_thread_has_a_batch_and_one_core(
    make_checkpoint: Any, make_frame: Any, make_info: Any, request_for: Any
) -> None:
    checkpoint = make_checkpoint(PUSH)
    requests = [FrameRequest(make_frame(120, 100, index=i), [request_for(checkpoint.crop)]) for i in range(9)]
    renderer = Watched(checkpoint, make_info(120, 100), cores=3, together=3)
    torch.set_num_threads(2)
    try:
        assert [rendered.frame.index for rendered in renderer.render(requests)] == list(range(9))
        assert torch.get_num_threads() == 2
        with ThreadPoolExecutor(1) as new:
            assert new.submit(torch.get_num_threads).result() == 2
    finally:
        torch.set_num_threads(1)
    assert renderer.most == 3
    assert renderer.torch_threads == {1}


@pytest.mark.parametrize("cores", [1, 3])
def test_an_error_comes_at_its_place_and_leaves_no_thread(
    make_checkpoint: Any, make_frame: Any, make_info: Any, request_for: Any, cores: int
) -> None:
    checkpoint, before = make_checkpoint(PUSH), threading.active_count()
    requests = [FrameRequest(make_frame(120, 100, index=i), [request_for(checkpoint.crop)]) for i in range(9)]
    renderer, taken = Watched(checkpoint, make_info(120, 100), cores=cores, fails_at=4), []
    with pytest.raises(RuntimeError, match="out of memory on the device"):
        taken.extend(rendered.frame.index for rendered in renderer.render(requests))
    assert taken == [0, 1, 2, 3]
    assert threading.active_count() == before


def test_as_many_threads_as_cores_on_the_cpu_and_one_elsewhere(
    make_checkpoint: Any, make_info: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, info = make_checkpoint(), make_info()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert [Renderer(checkpoint, info, device="cpu", cores=n).threads for n in (None, 2, 64)] == [6, 2, 8]
    monkeypatch.setattr(render, "device_named", lambda *_, **__: torch.device("meta"))
    assert Renderer(checkpoint, info, cores=4).threads == 1


def test_nothing_in_is_nothing_out(make_checkpoint: Any, make_info: Any) -> None:
    assert list(Renderer(make_checkpoint(), make_info(), device="cpu").render([])) == []


def test_an_unknown_device(make_checkpoint: Any, make_info: Any) -> None:
    with pytest.raises(OptionError, match="device 'warp9' cannot be used here; use cpu, or auto"):
        Renderer(make_checkpoint(), make_info(), device="warp9")


@pytest.mark.skipif(torch.cuda.is_available(), reason="has the device that must be missing")
def test_a_device_that_is_not_there(make_checkpoint: Any, make_info: Any) -> None:
    with pytest.raises(OptionError, match="device 'cuda' cannot be used here"):
        Renderer(make_checkpoint(), make_info(), device="cuda")


def test_a_negative_batch(make_checkpoint: Any, make_info: Any) -> None:
    with pytest.raises(OptionError, match="batch -1 makes no sense; use 1 or more, or 0"):
        Renderer(make_checkpoint(), make_info(), device="cpu", batch=-1)


def test_stopping_in_the_middle_leaves_no_thread(
    make_checkpoint: Any, make_frame: Any, make_info: Any, request_for: Any
) -> None:
    checkpoint, before = make_checkpoint(PUSH), threading.active_count()
    face = request_for(checkpoint.crop)
    endless = (FrameRequest(make_frame(120, 100, index=i), [face]) for i in itertools.count())
    rendered = Renderer(checkpoint, make_info(120, 100), device="cpu", cores=3).render(endless)
    assert next(rendered).frame.index == 0
    assert threading.active_count() > before
    rendered.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
