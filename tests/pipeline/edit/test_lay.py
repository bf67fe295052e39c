"""Native planes of another frame, laid over the plate's."""

from typing import Any

import numpy as np
import pytest

from retarget.model.crop_spec import CropSpec
from retarget.pipeline.edit.blend import blended
from retarget.pipeline.edit.loan import Sighting
from retarget.pipeline.edit.parts import MOUTH_PART
from retarget.pipeline.edit.records import FaceEdit, Fill
from retarget.pipeline.edit.references import References
from retarget.pipeline.faces import alignment, apply, crop_matrix

S = 64
CROP = CropSpec(size_px=S)
NAMES = ["yuv420p", "yuv422p10le", "yuv444p", "gray10le", "gbrp10le", "yuva420p"]


@pytest.fixture
def laid(make_frame: Any, make_info: Any, place_face: Any, formats: Any) -> Any:
    """`laid(name, shift_px, share, shade)`: (plate, lender, result); the lender's face is `shift_px` further."""

    def make(name: str, shift_px: tuple[float, float] = (0, 0), share: float = 1.0, shade: float = 0.0) -> Any:
        unit = 2 ** (formats[name].depth_bits - 8)
        info = make_info(130, 110, name)
        plate = make_frame(130, 110, name, 60 * unit)
        lender = make_frame(130, 110, name, lambda x, y: unit * (80 + x * 0.5 + y * 0.25), index=1)
        landmarks = place_face((60, 50), 24)
        matrix = crop_matrix(alignment(landmarks), CROP)
        there = crop_matrix(alignment(landmarks + np.array([*shift_px, 0])), CROP)
        points = apply(matrix, landmarks).astype(np.float32)
        references = References(info, CROP)
        list(references.collect([lender], {1: [Sighting((0, 0, 1, 0), there, points)]}))
        window = MOUTH_PART.window(points, S)
        side = (window.side, window.side)
        fill = Fill(
            references.get((0, 0, 1, 0)),
            window,
            np.zeros((*side, 2), np.float32),
            share * MOUTH_PART.pieces[0].mask(points, window, S),
            np.full((*side, 3), shade, np.float32),
        )
        edit = FaceEdit(matrix, np.zeros((S, S, 2), np.float32), None, [fill])
        x, y = landmarks[[13, 14], :2].mean(0).astype(int)
        return plate, lender, blended(plate, [edit], info), (int(x), int(y))

    return make


@pytest.mark.parametrize("name", NAMES)
def test_the_lenders_pixels_are_there_and_the_rest_is_the_plates(laid: Any, formats: Any, name: str) -> None:
    plate, lender, result, (x, y) = laid(name)
    for i in range(formats[name].color_plane_count):
        sx, sy = formats[name].plane_shift(i)
        at = (y >> sy, x >> sx)
        assert int(result.planes[i][at]) == pytest.approx(int(lender.planes[i][at]), abs=1)
        assert result.planes[i][0, 0] == plate.planes[i][0, 0]
        assert result.planes[i][-1, -1] == plate.planes[i][-1, -1]
    if formats[name].has_alpha:
        assert result.planes[-1] is plate.planes[-1]


@pytest.mark.parametrize("name", ["yuv420p", "gbrp10le"])
def test_a_face_elsewhere_is_brought_here(laid: Any, formats: Any, name: str) -> None:
    unit = 2 ** (formats[name].depth_bits - 8)
    _, lender, result, (x, y) = laid(name, shift_px=(12, 8))
    # the lender's ramp, 12 px further right and 8 further down
    assert int(result.planes[0][y, x]) == pytest.approx(int(lender.planes[0][y, x]) + unit * (6 + 2), abs=1 + unit)


def test_half_a_share_is_half_of_both(laid: Any) -> None:
    plate, lender, result, (x, y) = laid("yuv444p", share=0.5)
    middle = (int(plate.planes[0][y, x]) + int(lender.planes[0][y, x])) / 2
    assert int(result.planes[0][y, x]) == pytest.approx(middle, abs=1.5)


def test_shade_is_added_in_the_planes_own_units(laid: Any) -> None:
    _, lender, result, (x, y) = laid("gbrp10le", shade=0.1)
    for i in range(3):
        assert int(result.planes[i][y, x]) == pytest.approx(int(lender.planes[i][y, x]) + 0.1 * 1023, abs=2)


def test_nothing_leaves_the_range(laid: Any) -> None:
    _, _, result, (x, y) = laid("gbrp10le", shade=1.0)
    assert int(result.planes[0][y, x]) == 1023
