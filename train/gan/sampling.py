"""The sample grid: what the network does to people it does not train on, as a picture and as numbers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retarget.model.editor import Editor
from retarget.model.images import from_model, warp

from . import losses
from .batches import Batch
from .regions import feature_mask
from .state import TrainingError
from .steps import Edited, apply_editor

COLUMNS = ("source", "warp", "edit", "mask", "target")


@torch.no_grad()
def sample(editor: Editor, batch: Batch, *, rows: int) -> tuple[NDArray[np.uint8], dict[str, float]]:
    """(h, w, 3) uint8 RGB, a row an example: source, geometry's warp, edit, mask, and the target of pairs; and
    what the pairs among them are off by, in mouth and eyes, relative to the warp.
    """
    fake = apply_editor(editor, batch)
    warped = warp(batch.image, fake.edit.flow)
    return _grid(batch, fake, warped, rows), _scores(batch, fake, warped)


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """An RGB picture as PNG.

    Raises:
        TrainingError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture[..., ::-1]):
        raise TrainingError(f"{path}: cannot be written; check the folder and the disk's free space")


def _scores(batch: Batch, fake: Edited, warped: Tensor) -> dict[str, float]:
    if not batch.pairs:
        return {}
    count, target = batch.pairs, batch.pair_image
    mask = feature_mask(batch.pair_landmarks, target.shape[-1])
    ours, theirs = (losses.pixel_loss(x[:count], target, mask, scales=1) for x in (fake.picture, warped))
    sharp, plain = (losses.gradient_loss(x[:count], target, mask) for x in (fake.picture, warped))
    return {
        "pixel_over_warp": float(ours / theirs.clamp(min=1e-6)),
        "gradient_over_warp": float(sharp / plain.clamp(min=1e-6)),
    }


def _grid(batch: Batch, fake: Edited, warped: Tensor, rows: int) -> NDArray[np.uint8]:
    # Half of the rows pairs, half strangers.
    order = [*range(min(batch.pairs, rows // 2)), *range(batch.pairs, len(batch.image))]
    lines = []
    for i in order[:rows]:
        mask = fake.edit.mask[i].expand(3, -1, -1) * 2 - 1
        target = batch.pair_image[i] if i < batch.pairs else torch.zeros_like(mask)
        lines.append(torch.cat([batch.image[i], warped[i], fake.picture[i], mask, target], dim=2))
    return np.asarray(from_model(torch.cat(lines, dim=1).float().cpu()).numpy(), np.uint8)
