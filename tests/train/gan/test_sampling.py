"""The sample sheet shows a row an example, with its target and who it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from retarget.model.geometry import GeometryModel
from retarget.model.images import from_model, warp
from retarget.train.gan.batches import BatchSource
from retarget.train.gan.layout import TrainingError
from retarget.train.gan.load import load_options
from retarget.train.gan.run import build_editor
from retarget.train.gan.sampling import CAPTION_PX, COLUMNS, HEADING_PX, sheet, write_picture
from retarget.train.gan.steps import apply_editor

SMALL = ["generator.width=4", "generator.crop_px=64", "generator.levels=2", "generator.k_msf=1"]


def test_a_sheet_has_headings_a_row_an_example_and_targets(
    make_dataset: Callable[..., Any], jaw_geometry: GeometryModel
) -> None:
    torch.manual_seed(0)
    options = load_options("default", SMALL)
    editor = build_editor(options, jaw_geometry)
    source = BatchSource(make_dataset(), options.data, crop_px=64, mirror=jaw_geometry.mirror.numpy())
    examples = source.examples(6)
    fake = apply_editor(editor, examples.batch)
    picture = sheet(examples, fake, warp(examples.batch.image, fake.edit.flow), rows=4)
    line = 64 + CAPTION_PX
    assert picture.shape == (HEADING_PX + 4 * line, len(COLUMNS) * 64, 3)
    assert all(picture[:HEADING_PX, i * 64 : (i + 1) * 64].max() > 150 for i in range(5))
    for row in range(4):
        top = HEADING_PX + row * line
        cells = {
            name: picture[top : top + 64, i * 64 : (i + 1) * 64].astype(int) for i, name in enumerate(COLUMNS)
        }
        assert np.abs(cells["edit"] - cells["warp"]).max() <= 1  # untrained
        shown = row if row < 2 else examples.batch.pairs + row - 2
        assert np.abs(cells["target"] - from_model(examples.targets[shown]).numpy()).max() <= 1
        assert picture[top + 64 : top + line].max() > 150
    assert (
        np.abs(
            picture[HEADING_PX : HEADING_PX + 64, :64].astype(int) - picture[HEADING_PX : HEADING_PX + 64, 64:128]
        ).max()
        > 20
    )


def test_pictures_are_written_with_their_colours(tmp_path: Path) -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    write_picture(tmp_path / "new/a.png", red)
    assert cv2.imread(str(tmp_path / "new/a.png"))[0, 0].tolist() == [0, 0, 255]
    (tmp_path / "b.png").mkdir()
    with pytest.raises(TrainingError, match=r"b\.png: cannot be written"):
        write_picture(tmp_path / "b.png", red)
