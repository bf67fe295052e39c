"""Torn motion: both sides as they are, nothing from between them, an edge as fine as the plane."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.model.mesh import LEFT_EYE, MOUTH, RIGHT_EYE, Opening
from retarget.pipeline import RetargetOptions, analyse_clip, edited_frames, load_driver, plan_edits
from retarget.pipeline.edit.blend import blended
from retarget.pipeline.edit.records import FaceEdit
from retarget.pipeline.edit.torn import JUMP_PX, mixed, torn_cells, torn_pixels
from retarget.pipeline.media import sample_rgb
from retarget.pipeline.records import Box

S = 64
AT_ORIGIN = np.array([[1, 0, 0], [0, 1, 0]], np.float64)


def torn_along(slope: float, above: Any, below: Any) -> Any:
    """(S, S, 2) motion with another one below a slanted line through the middle."""
    y, x = np.mgrid[:S, :S] + 0.5
    is_below = y - S / 2 > slope * (x - S / 2)
    return np.where(is_below[..., None], np.float32(below), np.float32(above)).astype(np.float32)


def magnified(scale: float) -> Any:
    """Crop coordinates of a part's pixels where a crop pixel is `scale` of them; both count from centres."""
    return np.array([[1 / scale, 0, 0.5 / scale - 0.5], [0, 1 / scale, 0.5 / scale - 0.5]])


def test_smooth_motion_is_not_torn() -> None:
    y, x = np.mgrid[:S, :S].astype(np.float32)
    assert torn_cells(np.dstack([0.3 * x, 0.4 * y])) is None
    assert torn_cells(torn_along(0, (0, 0), (0, 0.99 * JUMP_PX))) is None
    cells = torn_cells(torn_along(0, (0, 0), (0, 1.01 * JUMP_PX)))
    assert cells is not None
    assert np.flatnonzero(cells.any(1)).tolist() == [31]
    assert cells[31].all()


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("slope", [0.0, 0.2, -0.4])
def test_each_side_keeps_its_motion_and_the_edge_is_a_pixel_wide(scale: float, slope: float) -> None:
    flow = torn_along(slope, (0, -12), (0, 5))
    cells = torn_cells(flow)
    assert cells is not None
    side = int(S * scale)
    torn = torn_pixels(flow, cells, Box(0, 0, side, side), magnified(scale))
    row, column = np.divmod(torn.where, side)
    # The upper motion is one of the two sides everywhere, the lower one the other.
    moved = np.stack([(s[:, 1] - row) / scale for s in torn.sides], 1)
    np.testing.assert_allclose(np.sort(moved, 1), np.broadcast_to((-12, 5), moved.shape), atol=1e-3)
    upper = np.where(moved[:, 0] < 0, torn.share, 1 - torn.share)
    distance = (row + 0.5) / scale - S / 2 - slope * ((column + 0.5) / scale - S / 2)  # crop px below the line
    inner = (column > 3 * scale) & (column < side - 3 * scale)
    assert (upper[inner & (distance < -1.1)] > 0.95).all()
    assert (upper[inner & (distance > 1.1)] < 0.05).all()
    between = ((upper > 0.1) & (upper < 0.9) & inner).sum()
    assert between <= 2.2 * side, "about a pixel or two in each column"
    if scale == 4 and slope:
        place = [distance[inner & (column == c)][np.abs(upper[inner & (column == c)] - 0.5).argmin()] for c in
                 range(16, side - 16)]  # fmt: skip
        assert np.abs(place).max() < 0.75, "steps of the crop's pixels are smoothed"


def test_what_lies_between_the_sides_is_not_seen(make_frame: Any, make_info: Any) -> None:
    # Upper half from 12 px up, lower half from 12 px down; between them a bright band that both leave out.
    frame = make_frame(130, 130, "gray10le", lambda _, y: np.where(np.abs(y - 65) < 8, 1000, 100))
    edit = FaceEdit(AT_ORIGIN - [[0, 0, 33], [0, 0, 33]], torn_along(0.1, (0, -13), (0, 13)), None)
    result = blended(frame, [edit], make_info(130, 130, "gray10le"))
    inside = result.planes[0][55:75, 45:85]
    assert inside.max() <= 130
    edge = FaceEdit(edit.crop_from_display, cv2.GaussianBlur(edit.flow, (0, 0), 2), None)
    assert blended(frame, [edge], make_info(130, 130, "gray10le")).planes[0][55:75, 45:85].max() > 900


def test_two_levels_are_mixed_by_how_much_each_covers() -> None:
    flow = torn_along(0.3, (0, -12), (0, 12))
    cells = torn_cells(flow)
    assert cells is not None
    plane = np.zeros((S, S), np.uint8)
    plane[S // 2 :] = 200
    torn = torn_pixels(flow, cells, Box(0, 0, S, S), AT_ORIGIN)
    shown = mixed(plane, torn, cv2.INTER_LINEAR)
    assert shown.dtype == np.uint8
    assert ((shown > 20) & (shown < 180)).sum() > 20
    assert shown.min() == 0
    assert shown.max() <= 200


def test_the_part_may_begin_anywhere(make_frame: Any, make_info: Any, formats: Any) -> None:
    # The same picture, moved as a whole, is edited the same way, in subsampled planes as well.
    def drawn(offset: int) -> Any:
        shape = lambda x, y: 100 + 40 * np.sin((x - offset) / 3) * np.cos((y - offset) / 4)  # noqa: E731
        frame = make_frame(160, 160, "yuv420p", shape)
        edit = FaceEdit(AT_ORIGIN - [[0, 0, offset]] * 2, torn_along(0.3, (0, -12), (3, 9)), None)
        return blended(frame, [edit], make_info(160, 160, "yuv420p")).planes

    for i, (one, other) in enumerate(zip(drawn(20), drawn(60), strict=True)):
        step = 2 ** formats["yuv420p"].plane_shift(i)[0]
        a, b = (plane[o // step :, o // step :][: S // step, : S // step] for plane, o in ((one, 20), (other, 60)))
        np.testing.assert_allclose(a.astype(int), b, atol=2)


# Real frames whose eyes and lips are asked to shut

Edited = Callable[..., tuple[Any, Any]]


@pytest.fixture(scope="module")
def edited(samples: Path, tmp_path_factory: Any) -> Edited:
    """`edited(clip, curves, frame)` -> landmarks (478, 3) of that frame before and after, as tracked."""
    folder = tmp_path_factory.mktemp("shut")

    def one(clip: str, curves: str, frame: int) -> tuple[Any, Any]:
        options = RetargetOptions(trim_end=(frame + 3) / 24)
        analysis = analyse_clip(samples / clip, options)
        sheet = folder / "asked.yaml"
        sheet.write_text("version: 1\nafter: hold\ncurves:\n" + curves)
        plans = plan_edits(analysis, load_driver(sheet, options), options)
        (shown,) = edited_frames(plans, options, only=[frame])
        return landmarks(shown.source, analysis.info), landmarks(shown.result, analysis.info)

    def landmarks(frame: Any, info: Any) -> Any:
        picture = sample_rgb(frame, info.color, np.eye(2, 3), (info.width, info.height))
        cv2.imwrite(str(folder / "shown.png"), picture[..., ::-1])
        found = analyse_clip(folder / "shown.png")
        return found.landmarks(found.tracks[0], 0)

    return one


def gap(points: Any, opening: Opening) -> float:
    """The widest gap over the width, square to it."""
    upper, lower = (points[list(chain), :2] for chain in opening)
    across = upper[-1] - upper[0]
    down = np.array([-across[1], across[0]]) * np.sign(across[0])
    return float(((lower - upper)[1:-1] @ down).max() / (down @ down))


@pytest.mark.parametrize(("clip", "frame"), [("actress.mp4", 10), ("smile.mp4", 10)])
def test_a_full_blink_is_seen_as_shut_eyes(edited: Edited, clip: str, frame: int) -> None:
    before, after = edited(clip, "  AU45: {blend: add, keys: {0: 1}}\n", frame)
    for eye in (RIGHT_EYE, LEFT_EYE):
        assert gap(before, eye) > 0.2
        assert gap(after, eye) < 0.12


def test_a_wink_shuts_one_eye(edited: Edited) -> None:
    before, after = edited("smile.mp4", "  AU45L: {blend: add, keys: {0: 1}}\n", 10)
    assert gap(after, LEFT_EYE) < 0.15  # the tracker shares some of the open eye's gap out to it
    assert gap(after, RIGHT_EYE) > 0.6 * gap(before, RIGHT_EYE)


def test_a_wide_smile_asked_to_press_its_lips_shows_no_teeth(edited: Edited) -> None:
    shut = "  AU25: {keys: {0: 0}}\n  AU26: {keys: {0: 0}}\n  AU24: {blend: add, keys: {0: 1}}\n"
    before, after = edited("actress.mp4", shut, 40)
    assert gap(before, MOUTH) > 0.15
    assert gap(after, MOUTH) < 0.07
