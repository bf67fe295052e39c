from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.mesh import LEFT_EYE, RIGHT_EYE
from retarget.pipeline.faces.expression import (
    AU_SOURCE,
    LIP_GAP_RANGE,
    measure,
)
from retarget.pipeline.faces.pose import canonical_face

NAMES = ("eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "jawOpen")


def unit(landmarks: Any, name: str, **scores: float) -> float:
    values = measure(landmarks, NAMES, np.array([scores.get(shape, 0.0) for shape in NAMES], np.float32))
    assert values.shape == (action_units.COUNT,)
    assert values.dtype == np.float32
    assert (values >= 0).all()
    assert (values <= 1).all()
    return float(values[list(action_units.resolve(name))].mean())


def with_lids(eye: Any, factor: float) -> Any:
    """The mean face with the lids of an eye apart `factor` times as far as they are."""
    points = canonical_face().copy()
    upper, lower = (list(chain) for chain in eye)
    middle = (points[upper] + points[lower]) / 2
    points[upper], points[lower] = (middle + factor * (points[c] - middle) for c in (upper, lower))
    return points


def with_lips_apart(gap: float) -> Any:
    points = canonical_face().copy()
    for upper, lower in ((13, 14), (82, 87), (312, 317)):
        middle = (points[upper] + points[lower]) / 2
        half = np.array([0, gap / 2, 0])
        points[upper], points[lower] = middle - half, middle + half
    return points


# Action units


def test_blendshapes_go_to_their_side() -> None:
    values = measure(canonical_face(), NAMES, np.array([0.8, 0, 0, 0.6, 0, 0.5], np.float32))
    found = dict(zip(action_units.NAMES, values.tolist(), strict=True))
    assert (found["AU45L"], found["AU45R"]) == (pytest.approx(0.8), 0)
    assert (found["AU12L"], found["AU12R"]) == (0, pytest.approx(0.6))
    assert found["AU26"] == pytest.approx(0.5)


@pytest.mark.parametrize(("eye", "side", "other"), [(LEFT_EYE, "L", "R"), (RIGHT_EYE, "R", "L")])
def test_wide_lids_are_the_lid_raiser_of_that_side(eye: Any, side: str, other: str) -> None:
    values = [unit(with_lids(eye, factor), f"AU05{side}") for factor in (0.0, 0.8, 1.2, 1.5, 2.0, 4.0)]
    assert values == sorted(values)
    assert values[0] == 0
    assert values[-1] == 1
    assert unit(with_lids(eye, 2.0), f"AU05{other}") == unit(canonical_face(), f"AU05{other}")


def test_the_left_eye_is_the_subjects_left() -> None:
    eyes = canonical_face()[list(LEFT_EYE[0])], canonical_face()[list(RIGHT_EYE[0])]
    assert eyes[0][:, 0].mean() > 0 > eyes[1][:, 0].mean()  # facing us, on the picture's right


def test_lips_apart_by_hand() -> None:
    shut, wide = LIP_GAP_RANGE
    assert unit(with_lips_apart(0.0), "AU25") == 0
    assert unit(with_lips_apart((shut + wide) / 2), "AU25") == pytest.approx(0.5)
    assert unit(with_lips_apart(0.5), "AU25") == 1


def test_a_raised_cheek_and_a_wrinkled_nose_go_up() -> None:
    cheek, nose = canonical_face().copy(), canonical_face().copy()
    cheek[[280, 425, 266]] -= (0, 0.05, 0)
    nose[[49, 129, 64]] -= (0, 0.05, 0)
    rest = canonical_face()
    assert unit(cheek, "AU06L") > unit(rest, "AU06L") + 0.3
    assert unit(cheek, "AU06R") == unit(rest, "AU06R")
    assert unit(nose, "AU09R") > unit(rest, "AU09R") + 0.3
    assert unit(nose, "AU09L") == unit(rest, "AU09L")


def test_thin_lips_are_tightened() -> None:
    thin = canonical_face().copy()
    thin[0], thin[17] = thin[13] - (0, 0.05, 0), thin[14] + (0, 0.05, 0)
    assert unit(thin, "AU23") == 1


def test_the_higher_inner_brow_gets_more_of_the_one_blendshape() -> None:
    uneven = canonical_face().copy()
    uneven[[285, 336]] -= (0, 0.04, 0)  # the subject's left one
    assert unit(canonical_face(), "AU01L", browInnerUp=0.4) == pytest.approx(0.4)
    assert unit(uneven, "AU01L", browInnerUp=0.4) == pytest.approx(0.4 + 6.5 * 0.02)
    assert unit(uneven, "AU01R", browInnerUp=0.4) == pytest.approx(0.4 - 6.5 * 0.02)
    assert unit(uneven, "AU01L") == 0, "without the blendshape it is how the brows are"


def test_any_mesh_stays_in_range() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        unit(rng.normal(0, 1, (478, 3)), "AU25", jawOpen=1.0, browInnerUp=1.0)


def test_the_source_of_units_is_named() -> None:
    assert "mediapipe" in AU_SOURCE
