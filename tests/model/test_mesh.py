"""The index tables fit the face they number."""

import subprocess
import sys

import numpy as np
import pytest

from retarget.model.mesh import (
    FACE_OVAL,
    LANDMARKS,
    LEFT_EYE,
    LEFT_IRIS,
    MOUTH,
    OPENINGS,
    OUTER_LIPS,
    RIGHT_EYE,
    RIGHT_IRIS,
    STABLE,
    Opening,
)
from retarget.pipeline.faces import canonical_face


def test_every_index_is_a_landmark() -> None:
    tables = [
        STABLE,
        FACE_OVAL,
        OUTER_LIPS,
        RIGHT_IRIS,
        LEFT_IRIS,
        *(chain for pair in OPENINGS for chain in pair),
    ]
    for table in tables:
        assert len(set(table)) == len(table)
        assert all(0 <= index < LANDMARKS for index in table)


@pytest.mark.parametrize("opening", OPENINGS)
def test_the_edges_of_an_opening_share_their_corners_and_lie_above_each_other(opening: Opening) -> None:
    upper, lower = opening
    assert len(upper) == len(lower)
    assert (upper[0], upper[-1]) == (lower[0], lower[-1])
    height = canonical_face()[:, 1]
    assert (height[list(upper[1:-1])] <= height[list(lower[1:-1])]).all()


def test_left_is_the_subjects() -> None:
    x = canonical_face()[:, 0]
    for left, right in ((LEFT_EYE, RIGHT_EYE), ((LEFT_IRIS,), (RIGHT_IRIS,))):
        assert x[[i for chain in left for i in chain]].min() > 0 > x[[i for chain in right for i in chain]].max()


def test_the_outlines_go_around_what_they_name() -> None:
    face = canonical_face()
    inner = np.concatenate([face[list(chain)] for chain in MOUTH])[:, :2]
    outer = face[list(OUTER_LIPS), :2]
    assert (outer.min(0) < inner.min(0)).all()
    assert (outer.max(0) > inner.max(0)).all()
    oval = face[list(FACE_OVAL), :2]
    assert (oval.min(0) <= face[:, :2].min(0) + 0.02).all()
    assert (oval.max(0) >= face[:, :2].max(0) - 0.02).all()


@pytest.mark.parametrize("module", ["action_units", "crop_spec", "errors", "files", "mesh"])
def test_names_and_tables_load_nothing_heavy(module: str) -> None:
    code = f"import sys, retarget.model.{module}; print({{'torch', 'numpy', 'safetensors'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
