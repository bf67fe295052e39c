"""Faces of other frames: their planes as they were filmed."""

from typing import Any

import numpy as np
import pytest

from retarget.model.crop_spec import CropSpec
from retarget.pipeline.edit import references as module
from retarget.pipeline.edit.loan import Sighting
from retarget.pipeline.edit.references import References
from retarget.pipeline.faces import alignment, apply, chain, crop_matrix
from retarget.pipeline.media import sample_rgb

CROP = CropSpec(size_px=64)


@pytest.fixture
def sighting_of(place_face: Any) -> Any:
    def make(key: tuple[int, int, int], center: tuple[float, float] = (60, 50), scale_px: float = 24) -> Sighting:
        landmarks = place_face(center, scale_px)
        matrix = crop_matrix(alignment(landmarks), CROP)
        return Sighting(key, matrix, apply(matrix, landmarks).astype(np.float32))

    return make


def noisy(make_frame: Any, formats: Any, name: str, index: int = 0) -> Any:
    rng, top = np.random.default_rng(index), 2 ** formats[name].depth_bits - 1
    return make_frame(120, 100, name, lambda x, _: rng.integers(0, top + 1, x.shape), index=index)


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "yuv444p", "gray10le", "gbrp", "yuva420p"])
def test_planes_come_back_as_they_were(
    make_frame: Any, make_info: Any, formats: Any, sighting_of: Any, name: str
) -> None:
    frame, info = noisy(make_frame, formats, name), make_info(120, 100, name)
    references = References(info, CROP)
    passed = list(references.collect([frame], {0: [sighting_of((0, 0, 0))]}))
    assert passed == [frame]
    found = references.get((0, 0, 0))
    for i, plane in enumerate(frame.planes):
        part = found.box.scaled_down(*frame.pixel_format.plane_shift(i))
        np.testing.assert_array_equal(found.frame.planes[i], plane[part.top : part.bottom, part.left : part.right])
    assert found.frame.index == 0


def test_a_crop_of_it_is_the_crop_of_the_frame(
    make_frame: Any, make_info: Any, formats: Any, sighting_of: Any
) -> None:
    frame, info, sighting = (
        noisy(make_frame, formats, "yuv444p"),
        make_info(120, 100, "yuv444p"),
        sighting_of((0, 0, 0)),
    )
    references = References(info, CROP)
    list(references.collect([frame], {0: [sighting]}))
    found = references.get((0, 0, 0))
    whole = sample_rgb(frame, info.color, chain(sighting.crop_from_display, info.display_from_coded), (64, 64))
    inside = np.floor(sighting.landmarks[[13, 14, 33, 263, 1], :2]).astype(int)
    np.testing.assert_array_equal(found.picture[inside[:, 1], inside[:, 0]], whole[inside[:, 1], inside[:, 0]])


def test_a_face_that_leaves_the_picture_is_cut_there(
    make_frame: Any, make_info: Any, formats: Any, sighting_of: Any
) -> None:
    references = References(make_info(120, 100), CROP)
    list(
        references.collect(
            [noisy(make_frame, formats, "yuv420p")], {0: [sighting_of((0, 0, 0), center=(110, 50))]}
        )
    )
    assert references.get((0, 0, 0)).box.right == 120


def test_few_are_held_in_memory(
    make_frame: Any, make_info: Any, formats: Any, sighting_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOADED", 2)
    references = References(make_info(120, 100), CROP)
    frames = [noisy(make_frame, formats, "yuv420p", i) for i in range(4)]
    list(references.collect(frames, {i: [sighting_of((0, 0, i))] for i in range(4)}))
    assert len(references) == 4
    first = references.get((0, 0, 0))
    assert references.get((0, 0, 0)) is first
    for i in range(4):
        assert references.get((0, 0, i)).frame.index == i
    again = references.get((0, 0, 0))
    assert again is not first
    np.testing.assert_array_equal(again.frame.planes[0], first.frame.planes[0])
    assert len(references._loaded) == 2


def test_frames_without_a_wish_pass(make_frame: Any, make_info: Any, sighting_of: Any) -> None:
    references = References(make_info(), CROP)
    frames = [make_frame(index=i) for i in range(3)]
    assert list(references.collect(frames, {})) == frames
    assert len(references) == 0
