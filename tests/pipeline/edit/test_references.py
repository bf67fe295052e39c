"""Faces of other frames and other clips, kept for the run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retarget.model.crop_spec import CropSpec
from retarget.pipeline.edit.loan import Sighting
from retarget.pipeline.edit.references import References
from retarget.pipeline.faces import alignment, apply, crop_matrix
from retarget.pipeline.records import Color

CROP = CropSpec(size_px=64)


def sighting_of(points: Any, *, clip: int = 0, at: int = 0, scale: float = 1.0) -> Sighting:
    matrix = crop_matrix(alignment(points), CROP)
    return Sighting((clip, 0, 0, at), matrix, apply(matrix, points).astype(np.float32), scale)


def test_the_clip_s_own_planes_are_kept_to_the_bit(make_info: Any, make_frame: Any, place_face: Any) -> None:
    info, noise = make_info(256, 200), np.random.default_rng(0)
    frame = make_frame(256, 200, draw=lambda x, _: noise.integers(0, 255, x.shape), index=3)
    references, sighting = References([info], CROP), sighting_of(place_face())
    assert list(references.collect([frame], {3: [sighting]})) == [frame]
    reference, box = references.get(sighting.key), references.get(sighting.key).box
    assert (reference.frame.width, reference.frame.height) == (box.width, box.height)
    for i, plane in enumerate(reference.frame.planes):
        part = box.scaled_down(*info.pixel_format.plane_shift(i))
        np.testing.assert_array_equal(plane, frame.planes[i][part.top : part.bottom, part.left : part.right])


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_another_clip_is_kept_in_the_source_s_format(
    make_info: Any, make_frame: Any, place_face: Any, disc: Any, scale: float
) -> None:
    """A disc of an 8-bit BT.601 clip lies where it was and looks as it did, in 10 bits of BT.709."""
    source = make_info(160, 120, "yuv422p10le")
    other = make_info(256, 200, "yuv420p", color=Color("bt601", False))
    draw = disc(128, 120, 14, 200, 60)
    frame = make_frame(256, 200, "yuv420p", [draw, 110, 150])
    references, sighting = References([source, other], CROP), sighting_of(place_face(), clip=1, scale=scale)
    assert len(list(references.collect([frame], {0: [sighting]}, 1))) == 1
    native = References([other], CROP)
    plain = sighting_of(place_face())
    assert len(list(native.collect([frame], {0: [plain]}))) == 1
    reference, expected = references.get(sighting.key), native.get(plain.key)
    assert reference.frame.pixel_format == source.pixel_format
    assert reference.frame.width == pytest.approx(scale * reference.box.width, abs=1)
    error = np.abs(reference.picture.astype(int) - expected.picture)
    assert error.mean() < 1.5
    assert np.quantile(error, 0.99) <= (4 if scale == 1 else 40)


def test_clips_do_not_get_into_each_other_s_way(make_info: Any, make_frame: Any, place_face: Any) -> None:
    info = make_info(256, 200)
    references = References([info, info], CROP)
    for clip, value in ((0, 50), (1, 180)):
        wanted = {0: [sighting_of(place_face(), clip=clip)]}
        assert len(list(references.collect([make_frame(256, 200, draw=value)], wanted, clip))) == 1
    assert [int(references.get((clip, 0, 0, 0)).frame.planes[0].mean()) for clip in (0, 1)] == [50, 180]
