"""The fit finds a planted geometry, and says how well it holds for people it has not seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec
from retarget.model.errors import RetargetError
from retarget.model.geometry import GeometryModel
from retarget.model.mesh import STABLE
from retarget.pipeline.faces import canonical_face, head_pose, mesh_triangles
from retarget.train.data import Dataset
from retarget.train.fit.groups import GROUPS
from retarget.train.fit.linear import (
    RESPONSE_GAIN,
    canonical_landmarks,
    clip_rows,
    cross_validated,
    explained,
    fit_geometry,
    fit_weight,
    geometry_model,
    mirror_pairs,
)
from retarget.train.fit.moments import Moments

C = action_units.COUNT


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def mirror() -> np.ndarray:
    return mirror_pairs(canonical_face())


@pytest.fixture(scope="module")
def planted(mirror: np.ndarray) -> np.ndarray:
    """W (C, 478 * 3) that treats left and right alike and leaves the stable landmarks, so the pose, alone."""
    weight = np.random.default_rng(0).normal(0, 0.02, (C, 478, 3))
    weight[:, list(STABLE)] = 0
    mirrored = weight[list(action_units.mirrored())][:, mirror] * (-1, 1, 1)
    return ((weight + mirrored) / 2).reshape(C, -1)


def make_dataset(weight: np.ndarray, *, people: int = 6, frames: int = 80, noise: float = 0.0) -> Dataset:
    """Faces on crops that differ from person to person and move by exactly that W."""
    rng = np.random.default_rng(1)
    n = people * frames
    who = np.repeat(np.arange(people), frames)
    units = rng.uniform(0, 1, (n, C))
    own, shake = rng.normal(0, 0.02, (people, 478, 3)), rng.normal(0, noise, (n, 478, 3))
    own[:, list(STABLE)], shake[:, list(STABLE)] = 0, 0
    points = canonical_face() + own[who] + (units @ weight).reshape(n, 478, 3) + shake
    return Dataset(
        folder=Path("planted"),
        crop=CropSpec(),
        au_source="planted",
        files=tuple(f"{i}.jpg" for i in range(n)),
        identities=tuple(f"person {i}" for i in range(people)),
        identity=who,
        clips=tuple(f"clip {i}" for i in range(people)),
        clip=who,
        frame=np.tile(np.arange(frames), people),
        seconds=np.tile(np.arange(frames) / 25, people),
        is_eval=np.zeros(n, np.bool_),
        action_units=units.astype(np.float32),
        known=np.ones(C, np.bool_),
        angles=rng.normal(0, 2, (n, 3)).astype(np.float32),
        residual=np.full(n, 0.02, np.float32),
        face_px=np.full(n, 150, np.float32),
        sharpness=np.full(n, 0.1, np.float32),
        flags={"blurred": np.zeros(n, np.bool_)},
        landmarks=(87 * points + (128, 120, 0)).astype(np.float32),
    )


def rows_of(dataset: Dataset) -> Moments:
    total = Moments.nothing()
    for rows in clip_rows(dataset, canonical_face()):
        total += Moments.of(rows.units, rows.motion)
    return total


def test_landmarks_of_any_pose_become_canonical_as_the_pipeline_says(place_face: Callable[..., Any]) -> None:
    faces = np.stack(
        [place_face((90 + 10 * i, 120), 60 + i, yaw=8 * i, pitch=-4 * i, roll=20 - i) for i in range(4)]
    )
    faces += np.random.default_rng(0).normal(0, 1, faces.shape)
    poser = GeometryModel.from_fit(
        torch.zeros(1, 478, 3), torch.from_numpy(canonical_face().astype(np.float32)), torch.zeros(1, 3).long()
    )
    expected = np.stack([head_pose(face).canonical(face) for face in faces])
    np.testing.assert_allclose(canonical_landmarks(poser, faces), expected, atol=1e-5)


def test_a_planted_geometry_is_found_whoever_it_moves(planted: np.ndarray, mirror: np.ndarray) -> None:
    moments = rows_of(make_dataset(planted))
    weight = fit_weight(moments, mirror, ridge=1e-6)
    np.testing.assert_allclose(weight, planted, atol=1e-4)
    assert explained(moments, weight) > 0.9999
    fit = fit_geometry(make_dataset(planted), canonical_face())
    assert fit.r2_unseen_people > 0.98
    assert (fit.people, fit.clips, fit.frames) == (6, 6, 480)


def test_moments_give_what_the_rows_themselves_give(planted: np.ndarray, mirror: np.ndarray) -> None:
    # The same ridge regression by stacking rows and their mirror images, and R^2 from residuals.
    clips = list(clip_rows(make_dataset(planted, people=3, noise=0.01), canonical_face()))
    units, motion = (np.concatenate([getattr(c, name) for c in clips]) for name in ("units", "motion"))
    swapped = (motion.reshape(-1, 478, 3)[:, mirror] * (-1, 1, 1)).reshape(motion.shape)
    x, y = np.concatenate([units, units[:, list(action_units.mirrored())]]), np.concatenate([motion, swapped])
    by_rows = np.linalg.solve(x.T @ x + np.eye(C), x.T @ y)
    first, second, third = (Moments.of(rows.units, rows.motion) for rows in clips[:3])
    moments = first + second + third
    np.testing.assert_allclose(fit_weight(moments, mirror), by_rows, atol=1e-9)
    at = np.array([3, 700, 1200])
    rest = ((motion - units @ by_rows)[:, at] ** 2).sum() / (motion[:, at] ** 2).sum()
    assert explained(moments, by_rows, at) == pytest.approx(1 - rest, abs=1e-9)


def test_noise_is_not_explained(planted: np.ndarray) -> None:
    # Uniform units have a variance of 1/12; the planted motion's share of the total follows by hand.
    noise = 0.03
    signal = float((planted**2).sum(0).mean()) / 12
    share = signal / (signal + noise**2 * (1 - 12 / 478))  # twelve landmarks stand still
    fit = fit_geometry(make_dataset(planted, noise=noise), canonical_face())
    assert fit.r2_unseen_people == pytest.approx(share, abs=0.1)
    assert fit.r2_unseen_people < fit.r2_fit


def test_the_fit_is_symmetric(mirror: np.ndarray) -> None:
    lopsided = np.random.default_rng(3).normal(0, 0.02, (C, 478 * 3))
    weight = fit_weight(rows_of(make_dataset(lopsided)), mirror).reshape(C, 478, 3)
    swapped = weight[list(action_units.mirrored())][:, mirror] * (-1, 1, 1)
    np.testing.assert_allclose(weight, swapped, atol=1e-9)


def test_a_group_counts_by_what_its_own_units_move(planted: np.ndarray) -> None:
    # Only brows move, by AU01 alone: leaving the brows' units out explains nothing, gaze's leaves all.
    weight = np.zeros((C, 478, 3))
    brows = next(group for group in GROUPS if group.name == "brows")
    weight[np.ix_(list(action_units.resolve("AU01")), list(brows.landmarks), [1])] = -0.05
    fit = fit_geometry(make_dataset(weight.reshape(C, -1), noise=1e-3), canonical_face())
    scores = {score.name: score for score in fit.groups}
    assert scores["brows"].r2 > 0.98 * 0.99
    assert scores["brows"].r2_without < 0.05
    assert scores["brows"].drop > 0.9
    assert scores["gaze"].drop == pytest.approx(0, abs=0.05)
    assert "brows" in fit.table()
    assert fit.scores()["groups"]["brows"]["drop"] == round(scores["brows"].drop, 4)  # type: ignore[index]


def test_turned_flagged_and_evaluation_rows_are_left_out(planted: np.ndarray) -> None:
    dataset = make_dataset(planted, people=5, frames=40)
    angles = dataset.angles.copy()
    angles[dataset.clip == 0, 0] = 50
    flags = {"blurred": dataset.clip == 1}
    changed = dataclasses.replace(dataset, angles=angles, flags=flags, is_eval=dataset.clip == 2)
    assert [rows.identity for rows in clip_rows(changed, canonical_face())] == [3, 4]


def test_clips_that_are_too_short_are_told_of(planted: np.ndarray) -> None:
    with pytest.raises(RetargetError, match="planted: no clip has 2 usable training frames"):
        fit_geometry(make_dataset(planted, people=3, frames=1), canonical_face())


def test_one_person_cannot_be_cross_validated(planted: np.ndarray) -> None:
    with pytest.raises(RetargetError, match="at least two people"):
        fit_geometry(make_dataset(planted, people=1), canonical_face())


def test_people_of_one_fold_are_not_fitted_to(planted: np.ndarray, mirror: np.ndarray) -> None:
    # Two people who move oppositely: predicted from the other, each is further off than by no motion at all.
    one, other = (rows_of(make_dataset(sign * planted, people=1)) for sign in (1, -1))
    assert cross_validated([one, other], mirror) < -1
    assert cross_validated([one, one], mirror) > 0.5


def test_units_nobody_knows_move_nothing(planted: np.ndarray) -> None:
    dataset = make_dataset(planted)
    units = dataset.action_units.copy()
    gone = [i for name in ("AU61", "AU62") for i in action_units.resolve(name)]  # each other's mirror image
    units[:, gone] = 0
    fit = fit_geometry(dataclasses.replace(dataset, action_units=units), canonical_face())
    assert not fit.weight[gone].any()
    assert np.isfinite(fit.weight).all()


def test_the_model_carries_the_response_gain(planted: np.ndarray) -> None:
    model = geometry_model(planted, canonical_face(), mesh_triangles())
    np.testing.assert_allclose(model.weight.numpy().reshape(C, -1), RESPONSE_GAIN * planted, atol=1e-6)
