"""Real frames whose eyes and lips are asked to shut: nothing shows through, and the tracker reads them as shut."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.model.mesh import LEFT_EYE, MOUTH, RIGHT_EYE, Opening
from retarget.pipeline import RetargetOptions, analyse_clip, edited_frames, load_driver, plan_edits
from retarget.pipeline.media import sample_rgb

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
    assert gap(after, RIGHT_EYE) > 0.8 * gap(before, RIGHT_EYE)


def test_a_wide_smile_asked_to_press_its_lips_shows_no_teeth(edited: Edited) -> None:
    shut = "  AU25: {keys: {0: 0}}\n  AU26: {keys: {0: 0}}\n  AU24: {blend: add, keys: {0: 1}}\n"
    before, after = edited("actress.mp4", shut, 40)
    assert gap(before, MOUTH) > 0.15
    assert gap(after, MOUTH) < 0.07
