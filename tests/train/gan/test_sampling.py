"""The sample grid shows a row an example, and its numbers compare with the warp."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from retarget.model.generator import Generator
from retarget.model.geometry import GeometryModel
from retarget.train.gan.batches import BatchSource
from retarget.train.gan.load import load_options
from retarget.train.gan.run import build_editor
from retarget.train.gan.sampling import COLUMNS, sample, write_picture
from retarget.train.gan.state import TrainingError

SMALL = ["generator.width=4", "generator.crop_px=64", "generator.levels=2", "generator.k_msf=1"]


def test_an_untrained_network_is_the_warp(make_dataset: Callable[..., Any], jaw_geometry: GeometryModel) -> None:
    torch.manual_seed(0)
    options = load_options("default", SMALL)
    editor = build_editor(options, jaw_geometry)
    source = BatchSource(make_dataset(), options.data, crop_px=64, mirror=jaw_geometry.mirror.numpy())
    batch = source.validation(6)
    picture, scores = sample(editor, batch, rows=4)
    assert picture.shape == (4 * 64, len(COLUMNS) * 64, 3)
    assert scores["pixel_over_warp"] == pytest.approx(1, abs=1e-3)
    cells = {name: picture[:64, i * 64 : (i + 1) * 64].astype(int) for i, name in enumerate(COLUMNS)}
    assert np.abs(cells["edit"] - cells["warp"]).max() <= 1
    assert np.abs(cells["source"] - cells["warp"]).max() > 20
    # and one that paints is not
    assert isinstance(editor.generator, Generator)
    assert editor.generator.network is not None
    nn.init.normal_(editor.generator.network.pixel_head.weight, std=1.0)
    _, scores = sample(editor, batch, rows=4)
    assert abs(scores["pixel_over_warp"] - 1) > 0.01


def test_pictures_are_written_with_their_colours(tmp_path: Path) -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    write_picture(tmp_path / "new/a.png", red)
    assert cv2.imread(str(tmp_path / "new/a.png"))[0, 0].tolist() == [0, 0, 255]
    (tmp_path / "b.png").mkdir()
    with pytest.raises(TrainingError, match=r"b\.png: cannot be written"):
        write_picture(tmp_path / "b.png", red)
