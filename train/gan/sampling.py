"""The sample sheet: what the network does to people it does not train on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retarget.model.files import write_whole
from retarget.model.images import from_model

from .batches import Examples
from .layout import written
from .steps import Edited

COLUMNS = ("source", "warp", "edit", "mask", "target")
HEADING_PX, CAPTION_PX = 20, 16
_INK, _PAPER = (230, 230, 230), (24, 24, 24)


def sheet(examples: Examples, fake: Edited, warped: Tensor, *, rows: int) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB, a row an example, half of them pairs: source, geometry's warp, edit, mask, and target
    (the true frame, or the face whose expression is wanted); with headings, and who becomes what."""
    batch = examples.batch
    order = [*range(min(batch.pairs, rows // 2)), *range(batch.pairs, len(batch.image))][:rows]
    size = batch.image.shape[-1]
    lines = [_line(COLUMNS, size, HEADING_PX)]
    for i in order:
        mask = fake.edit.mask[i].expand(3, -1, -1) * 2 - 1
        cells = [batch.image[i], warped[i], fake.picture[i], mask, examples.targets[i]]
        lines.append(np.asarray(from_model(torch.cat(cells, dim=2).float().cpu()).numpy(), np.uint8))
        lines.append(_line((examples.captions[i],), size, CAPTION_PX))
    return np.concatenate(lines)


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """An RGB picture as PNG.

    Raises:
        TrainingError: it cannot be written.
    """
    data = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
    with written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)


def _line(texts: tuple[str, ...], cell_px: int, height_px: int) -> NDArray[np.uint8]:
    """A band as wide as the sheet, a text at the left of each cell."""
    band = np.full((height_px, len(COLUMNS) * cell_px, 3), _PAPER, np.uint8)
    for i, text in enumerate(texts):
        plain = text.encode("ascii", "replace").decode()  # cv2's fonts have no other letters
        at = (i * cell_px + 3, height_px - 5)
        cv2.putText(band, plain, at, cv2.FONT_HERSHEY_SIMPLEX, 0.38, _INK, 1, cv2.LINE_AA)
    return band
