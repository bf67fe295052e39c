"""Faces of other frames: their planes as they were filmed; those of other clips in the source's format."""

from typing import Any

import numpy as np
import pytest

from retarget.model.crop_spec import CropSpec
from retarget.pipeline.edit import references as module
from retarget.pipeline.edit.loan import Sighting
from retarget.pipeline.edit.references import References
from retarget.pipeline.faces import alignment, apply, chain, crop_matrix
from retarget.pipeline.media import sample_rgb
from retarget.pipeline.records import Color

CROP = CropSpec(size_px=64)


@pytest.fixture
def sighting_of(place_face: Any) -> Any:
    def make(
        key: tuple[int, int, int, int],
        center: tuple[float, float] = (60, 50),
        scale_px: float = 24,
        scale: float = 1.0,
    ) -> Sighting:
        landmarks = place_face(center, scale_px)
        matrix = crop_matrix(alignment(landmarks), CROP)
        return Sighting(key, matrix, apply(matrix, landmarks).astype(np.float32), scale)

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
    passed = list(references.collect([frame], {0: [sighting_of((0, 0, 0, 0))]}))
    assert passed == [frame]
    found = references.get((0, 0, 0, 0))
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
        sighting_of((0, 0, 0, 0)),
    )
    references = References(info, CROP)
    list(references.collect([frame], {0: [sighting]}))
    found = references.get((0, 0, 0, 0))
    whole = sample_rgb(frame, info.color, chain(sighting.crop_from_display, info.display_from_coded), (64, 64))
    inside = np.floor(sighting.landmarks[[13, 14, 33, 263, 1], :2]).astype(int)
    np.testing.assert_array_equal(found.picture[inside[:, 1], inside[:, 0]], whole[inside[:, 1], inside[:, 0]])


def test_a_face_that_leaves_the_picture_is_cut_there(
    make_frame: Any, make_info: Any, formats: Any, sighting_of: Any
) -> None:
    references = References(make_info(120, 100), CROP)
    list(
        references.collect(
            [noisy(make_frame, formats, "yuv420p")], {0: [sighting_of((0, 0, 0, 0), center=(110, 50))]}
        )
    )
    assert references.get((0, 0, 0, 0)).box.right == 120


def test_few_are_held_in_memory(
    make_frame: Any, make_info: Any, formats: Any, sighting_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOADED", 2)
    references = References(make_info(120, 100), CROP)
    frames = [noisy(make_frame, formats, "yuv420p", i) for i in range(4)]
    list(references.collect(frames, {i: [sighting_of((0, 0, i, 0))] for i in range(4)}))
    assert len(references) == 4
    first = references.get((0, 0, 0, 0))
    assert references.get((0, 0, 0, 0)) is first
    for i in range(4):
        assert references.get((0, 0, i, 0)).frame.index == i
    again = references.get((0, 0, 0, 0))
    assert again is not first
    np.testing.assert_array_equal(again.frame.planes[0], first.frame.planes[0])
    assert len(references._loaded) == 2


def test_frames_without_a_wish_pass(make_frame: Any, make_info: Any, sighting_of: Any) -> None:
    references = References(make_info(), CROP)
    frames = [make_frame(index=i) for i in range(3)]
    assert list(references.collect(frames, {})) == frames
    assert len(references) == 0


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_another_clip_is_kept_in_the_source_s_format(
    make_info: Any, make_frame: Any, sighting_of: Any, disc: Any, scale: float
) -> None:
    """A disc of an 8-bit BT.601 clip lies where it was and looks as it did, in 10 bits of BT.709."""
    source = make_info(160, 120, "yuv422p10le")
    other = make_info(256, 200, "yuv420p", color=Color("bt601", False))
    draw = disc(128, 120, 14, 200, 60)
    frame = make_frame(256, 200, "yuv420p", [draw, 110, 150])
    references, sighting = References(source, CROP, [other]), sighting_of((0, 0, 0, 1), (128, 100), 80, scale)
    assert len(list(references.collect([frame], {0: [sighting]}, 1))) == 1
    native = References(other, CROP)
    plain = sighting_of((0, 0, 0, 0), (128, 100), 80)
    assert len(list(native.collect([frame], {0: [plain]}))) == 1
    reference, expected = references.get(sighting.key), native.get(plain.key)
    assert reference.frame.pixel_format == source.pixel_format
    assert reference.frame.width == pytest.approx(scale * reference.box.width, abs=1)
    error = np.abs(reference.picture.astype(int) - expected.picture)
    assert error.mean() < 1.5
    assert np.quantile(error, 0.99) <= (4 if scale == 1 else 40)


def test_clips_do_not_get_into_each_other_s_way(make_info: Any, make_frame: Any, sighting_of: Any) -> None:
    info = make_info(256, 200)
    references = References(info, CROP, [info])
    for clip, value in ((0, 50), (1, 180)):
        wanted = {0: [sighting_of((0, 0, 0, clip))]}
        assert len(list(references.collect([make_frame(256, 200, draw=value)], wanted, clip))) == 1
    assert [int(references.get((0, 0, 0, clip)).frame.planes[0].mean()) for clip in (0, 1)] == [50, 180]


def test_a_face_outside_of_the_picture_is_none(make_frame: Any, make_info: Any, sighting_of: Any) -> None:
    references = References(make_info(120, 100), CROP)
    outside = sighting_of((0, 0, 0, 0), center=(400, 50))
    list(references.collect([make_frame(120, 100)], {0: [outside]}))
    assert outside.key not in references
    assert len(references) == 0
