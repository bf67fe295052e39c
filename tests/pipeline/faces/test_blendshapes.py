"""Blendshapes as action units, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.faces import blendshapes


def index(name: str) -> int:
    return action_units.NAMES.index(name)


def test_sides_are_the_subjects() -> None:
    names = ["MouthSmileLeft", "mouthSmileRight", "browInnerUp"]
    values, filled = blendshapes.from_blendshapes(names, np.array([[0.2, 0.6, 0.4]]))
    assert values[0, index("AU12L")] == pytest.approx(0.2)
    assert values[0, index("AU12R")] == pytest.approx(0.6)
    assert values[0, index("AU01L")] == values[0, index("AU01R")] == pytest.approx(0.4)
    assert set(np.flatnonzero(filled)) == {index(n) for n in ("AU12L", "AU12R", "AU01L", "AU01R")}


def test_lips_part_as_far_as_mouth_close_does_not_make_up() -> None:
    names = [
        *("jawOpen", "mouthClose", "mouthLowerDownLeft", "mouthLowerDownRight"),
        *("mouthUpperUpLeft", "mouthUpperUpRight"),
    ]
    rows = np.array([[0.6, 0.6, 0, 0, 0, 0], [0.5, 0.1, 0.2, 0.4, 0.1, 0.1], [0, 0.3, 0, 0, 0, 0]])
    values, _ = blendshapes.from_blendshapes(names, rows)
    np.testing.assert_allclose(values[:, index("AU25")], [0, 0.4 + 0.15 + 0.05, 0], atol=1e-6)


def test_gaze_to_the_subjects_left() -> None:
    """The left eye turns outwards and the right eye inwards."""
    values, filled = blendshapes.from_blendshapes(
        ["eyeLookOutLeft", "eyeLookInRight", "eyeLookOutRight", "eyeLookInLeft"],
        np.array([[0.8, 0.6, 0, 0]]),
    )
    assert values[0, index("AU61")] == pytest.approx(0.7)
    assert values[0, index("AU62")] == 0
    assert filled[index("AU62")]


def test_all_but_the_lip_tightener_is_known() -> None:
    _, filled = blendshapes.from_blendshapes(blendshapes.NAMES, np.zeros((1, 52)))
    assert [action_units.NAMES[i] for i in np.flatnonzero(~filled)] == ["AU23"]

    def test_refuses_another_number_of_columns() -> None:
        with pytest.raises(ValueError, match=r"need values \(n, 2\)"):
            blendshapes.from_blendshapes(["jawOpen", "mouthClose"], np.zeros((4, 3)))


# Files
