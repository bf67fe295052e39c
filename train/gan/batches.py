"""Batches from a dataset: every one a function of the seed and the step's number, so that a resumed run goes on
exactly as an uninterrupted one, and any number of processes share the same batches."""

from __future__ import annotations

import queue
from collections.abc import Callable, Collection, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retarget.model import action_units
from retarget.model.errors import RetargetError
from retarget.model.images import to_model

from ..data import Dataset, person_marks
from .options import DataOptions

_SOFT_PX = (64, 160)
"""Size that softened pictures come back from."""

_MOST_TRIES = 20

_MIRRORED = list(action_units.mirrored())


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures and what is wanted of them. The first P rows are pairs: for them the true picture is there."""

    image: Tensor
    """(B, 3, S, S) in [-1, 1]."""
    au: Tensor
    """(B, 46) absolute, in [0, 1]."""
    landmarks: Tensor
    """(B, 478, 3) crop px."""
    wanted_au: Tensor
    """(B, 46) absolute, in [0, 1]."""
    pair_image: Tensor
    """(P, 3, S, S)"""
    pair_landmarks: Tensor
    """(P, 478, 3)"""
    alpha: Tensor
    """(B,) in [0, 1): where between real and edited the gradient penalty is measured. Part of the batch, so that
    it does not depend on how many processes share it."""

    @property
    def delta_au(self) -> Tensor:
        """(B, 46) relative (Eq. 1)."""
        return self.wanted_au - self.au

    @property
    def pairs(self) -> int:
        """P"""
        return len(self.pair_image)

    def to(self, device: torch.device) -> Batch:
        """The batch on a device, pictures as channels_last."""
        moved = {f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)}
        for name in ("image", "pair_image"):
            moved[name] = moved[name].contiguous(memory_format=torch.channels_last)
        return Batch(**moved)

    def pinned(self) -> Batch:
        """The batch in page-locked memory."""
        return Batch(**{f.name: getattr(self, f.name).pin_memory() for f in fields(self)})


@dataclass(frozen=True, eq=False)
class Examples:
    """A batch to look at."""

    batch: Batch
    targets: Tensor
    """(B, 3, S, S) in [-1, 1]: the true frames of pairs, and whose expression the others are to take on."""
    captions: tuple[str, ...]
    """Of each, who becomes what."""
    is_new: bool
    """Whether these people are not trained on."""

    def to(self, device: torch.device) -> Examples:
        """The examples on a device."""
        return replace(self, batch=self.batch.to(device), targets=self.targets.to(device))


@dataclass(frozen=True)
class _Pick:
    """What makes one row of a batch."""

    row: int
    other: int
    """The frame to become (pairs), or whose expression to take on."""
    is_pair: bool
    seed: int


BatchStream = Generator[Batch, None, None]
"""Batches of consecutive steps; closing it ends its threads."""


class BatchSource:
    """Batches of a dataset's training people, less some that are set aside for looking at."""

    def __init__(
        self,
        dataset: Dataset,
        options: DataOptions,
        *,
        crop_px: int,
        mirror: NDArray[np.int64],
        seed: int = 0,
        known: Collection[str] = (),
        set_aside: Collection[str] = (),
    ) -> None:
        """
        Args:
            mirror: (478,) for each landmark its mirror image.
            known: marks of people whom the network has been trained on before: they are not set aside, but
            set_aside: those of them who were set aside then, and are again.

        Raises:
            RetargetError: too few people, or no pairs where pairs are asked for.
        """
        self.dataset, self.options, self.crop_px, self.seed = dataset, options, crop_px, seed
        self._mirror = mirror
        self._scale = crop_px / dataset.crop.size_px
        usable = np.flatnonzero(dataset.usable & ~dataset.is_eval)
        people = np.unique(dataset.identity[usable])
        if len(people) < 2:
            raise RetargetError(
                f"{dataset.folder}: {len(people)} usable person{'s' * (len(people) != 1)} to train on; "
                "another's expression is needed as a target, add people"
            )
        aside = _set_aside(people, dataset, options.validation_fraction, seed, known=known, before=set_aside)
        self.rows = usable[~np.isin(dataset.identity[usable], aside)]
        self.validation_rows = usable[np.isin(dataset.identity[usable], aside)]
        self._until = _cumulative(_by_person(dataset.identity[self.rows]))
        self._pairs = _Pairs(dataset, self.rows, options) if options.pair_fraction else None

    @property
    def set_aside(self) -> list[str]:
        """Names of the people it only looks at."""
        return [self.dataset.identities[i] for i in np.unique(self.dataset.identity[self.validation_rows])]

    @property
    def identities(self) -> list[str]:
        """Names of the people it trains on or looks at."""
        known = np.unique(self.dataset.identity[np.concatenate([self.rows, self.validation_rows])])
        return [self.dataset.identities[i] for i in known]

    @property
    def has_pairs(self) -> bool:
        """Whether some of a batch are pairs."""
        return self._pairs is not None

    def draw_pair(self, rng: np.random.Generator) -> tuple[int, int]:
        """Rows of two frames of a clip."""
        assert self._pairs is not None
        return self._pairs.draw(rng)

    def draw_strangers(self, rng: np.random.Generator) -> tuple[int, int]:
        """A row, and the row whose expression it is to take on."""
        row, other = self.rows[_drawn(rng, self._until, 2)]
        return int(row), int(other)

    def batch(self, step: int, *, rank: int = 0, world: int = 1) -> Batch:
        """The batch of that number: process `rank`'s share of it."""
        return self._made(self._picks(step, self.options.batch)[rank::world], is_training=True)

    def examples(self, count: int) -> Examples:
        """Pairs and strangers of people set aside (of the training people if there are none): always the same, and
        of as many people as there are."""
        is_new = len(self.validation_rows) > 1
        rows, data = self.validation_rows if is_new else self.rows, self.dataset
        rng = np.random.default_rng([self.seed, 1])
        people = rng.permutation(np.unique(data.identity[rows])).tolist()
        filmed = {int(data.identity[frames[0]]) for frames in _clips(data, rows)}
        own = {person: rows[data.identity[rows] == person] for person in people[:count]}
        movers = [
            _Pairs(data, rows[data.identity[rows] == person], self.options)
            for person in [person for person in people if person in filmed][:count]
        ]
        picks = []
        for i in range(count):
            if movers and i < count // 2:
                picks.append(_Pick(*movers[i % len(movers)].draw(rng), True, 0))
            else:
                one, other = (own[people[(i + k) % len(own)]] for k in (0, 1))
                picks.append(_Pick(int(rng.choice(one)), int(rng.choice(other)), False, 0))
        targets = to_model(np.stack([self._face(pick.other)[0] for pick in picks]))
        captions = tuple(self._caption(pick) for pick in picks)
        return Examples(self._made(picks, is_training=False), targets, captions, is_new)

    def _caption(self, pick: _Pick) -> str:
        data = self.dataset
        one, other = (data.identities[data.identity[row]] for row in (pick.row, pick.other))
        return f"{one}: frame {data.frame[pick.other]}" if pick.is_pair else f"{one} as {other}"

    def stream(
        self,
        first_step: int,
        *,
        rank: int = 0,
        world: int = 1,
        threads: int = 2,
        ahead: int | None = None,
        pinned: bool = False,
    ) -> BatchStream:
        """Batches from that step on, for ever; `ahead` (None: `threads`) are made before they are asked for.

        `pinned`: in memory that a GPU copies from while the processor does something else.
        """

        def make(step: int) -> Batch:
            batch = self.batch(step, rank=rank, world=world)
            return batch.pinned() if pinned else batch

        return _ahead(make, first_step, depth=ahead or threads, threads=threads)

    def _picks(self, step: int, count: int) -> list[_Pick]:
        rng = np.random.default_rng([self.seed, 2, step])
        pairs = round(count * self.options.pair_fraction) if self._pairs is not None else 0
        picks = []
        for i in range(count):
            seed = int(rng.integers(2**62))
            row, other = self.draw_pair(rng) if i < pairs else self.draw_strangers(rng)
            picks.append(_Pick(row, other, i < pairs, seed))
        return picks

    def _made(self, picks: list[_Pick], *, is_training: bool) -> Batch:
        picks = sorted(picks, key=lambda pick: not pick.is_pair)
        with_pairs = [pick for pick in picks if pick.is_pair]
        made = [self._example(pick, is_training=is_training) for pick in picks]
        size = self.crop_px
        empty = np.empty((0, size, size, 3), np.uint8), np.empty((0, 478, 3), np.float32)
        pair_images = np.stack([m["pair_image"] for m in made[: len(with_pairs)]]) if with_pairs else empty[0]
        pair_points = np.stack([m["pair_landmarks"] for m in made[: len(with_pairs)]]) if with_pairs else empty[1]
        return Batch(
            image=to_model(np.stack([m["image"] for m in made])),
            au=torch.from_numpy(np.stack([m["au"] for m in made])),
            landmarks=torch.from_numpy(np.stack([m["landmarks"] for m in made])),
            wanted_au=torch.from_numpy(np.stack([m["wanted_au"] for m in made])),
            pair_image=to_model(pair_images),
            pair_landmarks=torch.from_numpy(pair_points),
            alpha=torch.tensor([np.random.default_rng([pick.seed, 1]).random() for pick in picks]).float(),
        )

    def _example(self, pick: _Pick, *, is_training: bool) -> dict[str, NDArray[Any]]:
        data, options = self.dataset, self.options
        rng = np.random.default_rng(pick.seed)
        image, landmarks = self._face(pick.row)
        au, wanted = data.action_units[pick.row], data.action_units[pick.other]
        out: dict[str, NDArray[Any]] = {"image": image, "landmarks": landmarks}
        if pick.is_pair:
            out["pair_image"], out["pair_landmarks"] = self._face(pick.other)
        if is_training:
            out |= _augmented(out, options, rng)
            if options.shift:
                out = _shifted(out, int(options.shift * self.crop_px), rng)
            au = _noisy(au, options.real_noise, rng)
            wanted = _noisy(wanted, options.real_noise if pick.is_pair else options.wanted_noise, rng)
            if options.flip and rng.random() < 0.5:
                out = {key: self._flipped(key, value) for key, value in out.items()}
                au, wanted = au[_MIRRORED], wanted[_MIRRORED]
        known = data.known
        out["au"] = np.where(known, au, 0).astype(np.float32)
        out["wanted_au"] = np.where(known, wanted, 0).astype(np.float32)
        return out

    def _face(self, row: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        image = self.dataset.image(row)
        if self._scale != 1:
            way = cv2.INTER_AREA if self._scale < 1 else cv2.INTER_CUBIC
            image = np.asarray(cv2.resize(image, (self.crop_px, self.crop_px), interpolation=way), np.uint8)
        return image, np.asarray(self.dataset.landmarks[row], np.float32) * np.float32(self._scale)

    def _flipped(self, key: str, value: NDArray[Any]) -> NDArray[Any]:
        if key.endswith("image"):
            return np.asarray(cv2.flip(value, 1), np.uint8)
        return (value[self._mirror] * (-1, 1, 1) + (self.crop_px, 0, 0)).astype(np.float32)


class _Pairs:
    """Frames of one clip in similar pose and with different expressions."""

    def __init__(self, dataset: Dataset, rows: NDArray[np.int64], options: DataOptions) -> None:
        self._data, self._options = dataset, options
        self._of_clip = _clips(dataset, rows)
        if not self._of_clip:
            raise RetargetError(
                f"{dataset.folder}: no clip has two usable frames to pair; add video, or set data.pair_fraction=0"
            )
        people = np.array([dataset.identity[frames[0]] for frames in self._of_clip])
        lengths = np.array([len(frames) for frames in self._of_clip], np.float64)
        chance = _by_person(people) * np.sqrt(lengths)
        self._until = _cumulative(chance / chance.sum())

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """Two rows; the larger the change between them, the likelier.

        Where no frames fit the limits, the nearest thing found in a few tries.
        """
        best: tuple[int, int] | None = None
        for _ in range(_MOST_TRIES):
            frames = self._of_clip[int(_drawn(rng, self._until, 1)[0])]
            row = int(rng.choice(frames))
            turned = np.abs(self._data.angles[frames] - self._data.angles[row]).max(1)
            change = np.linalg.norm(self._data.action_units[frames] - self._data.action_units[row], axis=1)
            fits = (turned <= self._options.pair_pose_degrees) & (change >= self._options.pair_change)
            if fits.any():
                weight = np.where(fits, change, 0)
                return row, int(rng.choice(frames, p=weight / weight.sum()))
            others = frames[frames != row]
            best = best or (row, int(others[np.argmin(turned[frames != row])]))
        assert best is not None
        return best


def _clips(dataset: Dataset, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    order = rows[np.argsort(dataset.clip[rows], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(dataset.clip[order])) + 1)
    return [frames for frames in groups if len(frames) > 1]


def _set_aside(
    people: NDArray[np.int64],
    dataset: Dataset,
    fraction: float,
    seed: int,
    *,
    known: Collection[str],
    before: Collection[str],
) -> NDArray[np.int64]:
    """The people who are looked at only: those of `before`, or by chance from those not `known`; two are left."""
    marks = [person_marks([dataset.identities[person]])[0] for person in people]
    most = len(people) - 2
    if kept := [person for person, mark in zip(people, marks, strict=True) if mark in before]:
        return np.array(kept[:most], np.int64)
    new = people[[mark not in known for mark in marks]]
    count = min(round(fraction * len(people)), most)
    return np.random.default_rng([seed, 0]).permutation(new)[:count]


def _by_person(identity: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) chances: a person with k rows weighs as sqrt(k), not as k."""
    _, index, count = np.unique(identity, return_inverse=True, return_counts=True)
    chance = 1 / np.sqrt(count[index])
    return np.asarray(chance / chance.sum(), np.float64)


def _cumulative(chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of chances that sum to 1, for `_drawn`."""
    until = chance.cumsum()
    return np.asarray(until / until[-1], np.float64)


def _drawn(rng: np.random.Generator, until: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """What `rng.choice(len(until), count, p=chance)` draws, which sums the chances up anew each time."""
    return np.searchsorted(until, rng.random(count), side="right")


def _noisy(au: NDArray[np.float32], size: float, rng: np.random.Generator) -> NDArray[np.float32]:
    return np.clip(au + rng.uniform(-size, size, au.shape), 0, 1).astype(np.float32)


def _augmented(
    pictures: dict[str, NDArray[Any]], options: DataOptions, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """The pictures of one example, all changed alike."""
    images = {key: value for key, value in pictures.items() if key.endswith("image")}
    if options.soften and rng.random() < options.soften:
        size, small = images["image"].shape[0], int(rng.integers(*_SOFT_PX))
        small = min(small, size)
        for key, image in images.items():
            tiny = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
            images[key] = np.asarray(cv2.resize(tiny, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    if options.color:
        gain, contrast, saturation = 1 + rng.uniform(-options.color, options.color, 3)
        change = _color_change(gain, contrast, saturation)
        images = {key: np.asarray(cv2.transform(image, change), np.uint8) for key, image in images.items()}
    return images


def _shifted(faces: dict[str, NDArray[Any]], limit_px: int, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """The pictures and landmarks of one example, all moved alike; black where a picture came from."""
    x, y = (int(by) for by in rng.integers(-limit_px, limit_px + 1, 2))
    out = {}
    for key, value in faces.items():
        if key.endswith("image"):
            wide = np.pad(value, ((limit_px, limit_px), (limit_px, limit_px), (0, 0)))
            height, width = value.shape[:2]
            out[key] = wide[limit_px - y : limit_px - y + height, limit_px - x : limit_px - x + width]
        else:
            out[key] = value + np.array((x, y, 0), np.float32)
    return out


def _color_change(gain: float, contrast: float, saturation: float) -> NDArray[np.float64]:
    """(3, 4) affine: away from gray, away from a middle of 110, brighter."""
    vivid = saturation * np.eye(3) + (1 - saturation) / 3
    return np.hstack([contrast * gain * vivid, np.full((3, 1), 110 * gain * (1 - contrast))])


def _ahead(make: Callable[[int], Batch], first: int, *, depth: int, threads: int) -> BatchStream:
    """make(first), make(first + 1), ...: each started `depth` steps before it is asked for."""
    with ThreadPoolExecutor(threads, thread_name_prefix="batch") as pool:
        waiting: queue.SimpleQueue[Future[Batch]] = queue.SimpleQueue()
        step = first
        try:
            for _ in range(depth):
                waiting.put(pool.submit(make, step))
                step += 1
            while True:
                batch = waiting.get().result()
                waiting.put(pool.submit(make, step))
                step += 1
                yield batch
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
