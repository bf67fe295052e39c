"""Batches depend on seed and step alone, and what is in them belongs together."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from retarget.model import action_units
from retarget.model.errors import RetargetError
from retarget.model.geometry import GeometryModel
from retarget.model.mesh import LEFT_EYE, RIGHT_EYE
from retarget.train.gan.batches import Batch, BatchSource, _color_change, _cumulative, _drawn
from retarget.train.gan.options import DataOptions

JAW = action_units.resolve("AU26")[0]
PLAIN = {"flip": False, "real_noise": 0.0, "wanted_noise": 0.0, "validation_fraction": 0.0}


@pytest.fixture
def make_source(make_dataset: Callable[..., Any], jaw_geometry: GeometryModel) -> Callable[..., BatchSource]:
    def make(*, crop_px: int = 64, dataset: Any = None, seed: int = 0, **options: Any) -> BatchSource:
        data = DataOptions(**({"batch": 6, "pair_fraction": 0.5} | PLAIN | options))
        mirror = jaw_geometry.mirror.numpy()
        return BatchSource(dataset or make_dataset(), data, crop_px=crop_px, mirror=mirror, seed=seed)

    return make


def equal(one: Batch, other: Batch) -> bool:
    return all(torch.equal(value, getattr(other, name)) for name, value in vars(one).items())


def test_a_batch_is_a_function_of_seed_and_step(
    make_source: Callable[..., BatchSource], make_dataset: Any
) -> None:
    dataset = make_dataset()
    source = make_source(dataset=dataset, flip=True, color=0.2, soften=0.5, real_noise=0.02)
    assert equal(source.batch(3), source.batch(3))
    assert not equal(source.batch(3), source.batch(4))
    again = make_source(dataset=dataset, seed=1, flip=True, color=0.2, soften=0.5, real_noise=0.02)
    assert not equal(source.batch(3), again.batch(3))
    streamed = list(itertools.islice(source.stream(3), 2))
    assert equal(streamed[0], source.batch(3))
    assert equal(streamed[1], source.batch(4))


def test_processes_share_a_batch(make_source: Callable[..., BatchSource]) -> None:
    source = make_source(batch=8)
    whole = source.batch(0)
    parts = [source.batch(0, rank=rank, world=2) for rank in (0, 1)]
    assert [part.pairs for part in parts] == [2, 2]
    assert sorted(torch.cat([p.alpha for p in parts]).tolist()) == sorted(whole.alpha.tolist())


def test_pairs_are_of_one_clip_and_strangers_of_any(make_source: Callable[..., BatchSource]) -> None:
    batch = make_source().batch(0)
    assert (batch.image.shape, batch.pair_image.shape) == ((6, 3, 64, 64), (3, 3, 64, 64))
    assert batch.image.min() >= -1
    assert batch.image.max() <= 1
    tones = batch.image[:, 1, 0, 0], batch.pair_image[:, 1, 0, 0]
    torch.testing.assert_close(tones[0][:3], tones[1], atol=0.02, rtol=0)  # a person's own tone
    assert (batch.delta_au[:3, JAW].abs() >= 0.24).all()  # pair_change
    # landmarks belong to their picture: the lower lip is where the jaw says
    lip = batch.landmarks[:, 17, 1] - batch.landmarks[:, 0, 1]
    order = torch.argsort(batch.au[:, JAW], stable=True)
    assert (torch.diff(lip[order]) > -1e-3).all()


def test_smaller_crops_take_their_landmarks_along(
    make_source: Callable[..., BatchSource], make_dataset: Any
) -> None:
    dataset = make_dataset(size_px=128)
    full, half = (make_source(dataset=dataset, crop_px=px).batch(0) for px in (128, 64))
    torch.testing.assert_close(half.landmarks, full.landmarks / 2)
    averaged = torch.nn.functional.avg_pool2d(full.image, 2)
    torch.testing.assert_close(half.image, averaged, atol=0.01, rtol=0)


def test_a_flip_swaps_everything(make_source: Callable[..., BatchSource], make_dataset: Any) -> None:
    units = np.zeros((20, action_units.COUNT), np.float32)
    units[:, action_units.resolve("AU12L")[0]] = 0.5
    units[::2, JAW] = 1
    source = make_source(dataset=make_dataset(action_units=units), flip=True, batch=40)
    batch = source.batch(0)
    left, right = (batch.au[:, action_units.resolve(f"AU12{side}")[0]] for side in "LR")
    flipped = right > 0.25
    assert 5 < flipped.sum() < 35
    assert torch.equal(left > 0.25, ~flipped)
    for eye, sign in ((RIGHT_EYE, -1), (LEFT_EYE, 1)):  # names follow the subject's sides
        middle = batch.landmarks[:, [*eye[0], *eye[1]], 0].mean(1) - 32
        assert (sign * middle > 5).all()
    assert torch.allclose(
        batch.au[: batch.pairs, JAW] - batch.wanted_au[: batch.pairs, JAW], -batch.delta_au[: batch.pairs, JAW]
    )


def test_nobody_set_aside_is_trained_on(make_source: Callable[..., BatchSource], make_dataset: Any) -> None:
    dataset = make_dataset(people=6, evaluated=2)
    source = make_source(dataset=dataset, validation_fraction=0.25)
    trained, seen = set(dataset.identity[source.rows]), set(dataset.identity[source.validation_rows])
    assert (len(trained), len(seen)) == (3, 1)
    assert not trained & seen
    assert not (trained | seen) & set(dataset.identity[dataset.is_eval])
    assert source.identities == [dataset.identities[i] for i in sorted(trained | seen)]
    assert equal(source.examples(4).batch, source.examples(4).batch)
    assert source.examples(4).batch.pairs == 2
    assert source.examples(4).is_new


def test_flagged_rows_are_left_out(make_source: Callable[..., BatchSource], make_dataset: Any) -> None:
    blurred = np.arange(20) % 5 == 0
    source = make_source(dataset=make_dataset(flags={"blurred": blurred}))
    assert not blurred[source.rows].any()


def test_draws_are_those_of_choice_without_summing_up_each_time() -> None:
    chance = np.random.default_rng(1).random(500)
    chance /= chance.sum()
    one, other = np.random.default_rng(2), np.random.default_rng(2)
    until = _cumulative(chance)
    for _ in range(100):
        assert _drawn(one, until, 2).tolist() == other.choice(500, 2, p=chance).tolist()


def test_colours_change_about_gray_and_a_middle() -> None:
    picture = np.array([[[200, 100, 60], [110, 110, 110]]], np.uint8)
    for gain, contrast, saturation in ((1.1, 1, 1), (1, 0.8, 1), (1, 1, 1.2), (0.9, 1.1, 0.7)):
        gray = picture.mean(axis=2, keepdims=True)
        vivid = gray + (picture - gray) * saturation
        wanted = np.clip((vivid - 110) * contrast * gain + 110 * gain, 0, 255)
        changed = cv2.transform(picture, _color_change(gain, contrast, saturation))
        np.testing.assert_allclose(changed, wanted, atol=0.51)


def test_refusals(make_source: Callable[..., BatchSource], make_dataset: Any) -> None:
    with pytest.raises(RetargetError, match="1 usable person to train on"):
        make_source(dataset=make_dataset(people=1))
    with pytest.raises(RetargetError, match="no clip has two usable frames to pair"):
        make_source(dataset=make_dataset(frames=1, name="stills"))


def test_pictures_are_shifted_with_their_landmarks(make_source: Callable[..., BatchSource]) -> None:
    plain = make_source()
    shifted = make_source(dataset=plain.dataset, shift=0.1)
    moved = set()
    for step in range(4):
        one, other = plain.batch(step), shifted.batch(step)
        for i in range(one.pairs, len(one.image)):
            by = other.landmarks[i] - one.landmarks[i]
            x, y = (round(v) for v in by[0, :2].tolist())
            torch.testing.assert_close(by, torch.tensor([x, y, 0.0]).expand(478, 3), atol=1e-4, rtol=0)
            assert max(abs(x), abs(y)) <= 6  # of 64 px
            moved.add((x, y))
            wide = torch.nn.functional.pad(one.image[i], (6, 6, 6, 6), value=-1.0)  # black
            torch.testing.assert_close(other.image[i], wide[:, 6 - y : 70 - y, 6 - x : 70 - x])
    assert len(moved) > 3
    assert torch.equal(plain.examples(4).batch.image, shifted.examples(4).batch.image)  # those looked at stay


def test_examples_are_of_different_people_and_show_their_targets(
    make_source: Callable[..., BatchSource], make_dataset: Any
) -> None:
    source = make_source(dataset=make_dataset(people=6), validation_fraction=0.5, pair_fraction=0)
    examples = source.examples(8)
    assert examples.batch.pairs == 4  # also where nothing is learnt from pairs
    tones = examples.batch.image[:, 1, 0, 0]
    assert len(set((tones * 20).round().tolist())) == 3  # all who are set aside
    torch.testing.assert_close(examples.targets[:4], examples.batch.pair_image)
    wanted = examples.targets[4:, 1, 0, 0]
    assert (wanted - tones[4:]).abs().min() > 0.02  # somebody else
    assert all(": frame " in text for text in examples.captions[:4])
    assert all(" as person " in text for text in examples.captions[4:])


def test_pairs_to_look_at_are_of_all_who_were_filmed(
    make_source: Callable[..., BatchSource], make_dataset: Any
) -> None:
    """However few they are among people of stills."""
    people = np.concatenate([np.repeat([0, 1], 5), np.arange(2, 12)])
    names = tuple(f"person {i:02}" for i in range(12))
    dataset = make_dataset(identity=people, clip=people, identities=names, clips=names)
    captions = make_source(dataset=dataset).examples(4).captions
    assert {text.split(":")[0] for text in captions[:2]} == {"person 00", "person 01"}


def test_without_anybody_set_aside_examples_say_so(make_source: Callable[..., BatchSource]) -> None:
    assert not make_source().examples(4).is_new
