"""The face descriptor: dlib's own to a few hundredths, the same for any batch, differentiable."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from retarget.model import to_model
from retarget.model.errors import CheckpointError
from retarget.model.face_chip import CHIP_PX, chip_matrix
from retarget.model.face_descriptor import describe_faces, face_chips, load_face_descriptor

DLIB = "models/dlib_face_recognition_resnet_model_v1.dat"


def portrait(samples: Path) -> Any:
    """(512, 512, 3) uint8 RGB with one face, about 108 px large."""
    return cv2.cvtColor(cv2.imread(str(samples / "astronaut.png")), cv2.COLOR_BGR2RGB)


@pytest.fixture(scope="module")
def landmarks(place_face: Callable[..., Any]) -> Any:
    """(478, 3): about where the astronaut's face is."""
    return place_face((224, 122), 60)


@pytest.fixture(scope="module")
def chips(samples: Path, landmarks: Any) -> Any:
    """(4, 150, 150, 3) uint8: a face, darker, mirrored, and no face."""
    matrix = chip_matrix(landmarks)
    chip = cv2.warpAffine(portrait(samples), matrix, (CHIP_PX, CHIP_PX), flags=cv2.INTER_LINEAR)
    nobody = np.random.default_rng(0).integers(0, 256, chip.shape)
    return np.stack([chip, chip * 0.8, chip[:, ::-1], nobody]).astype(np.uint8)


def test_one_face_is_near_itself_and_far_from_nobody(chips: Any) -> None:
    own, darker, mirrored, nobody = describe_faces(chips)
    assert own.shape == (128,)
    assert own.dtype == np.float32
    assert np.linalg.norm(own - darker) < 0.2
    np.testing.assert_allclose(own, mirrored, atol=1e-5)  # both are looked at
    assert np.linalg.norm(own - nobody) > 0.6


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("dlib", "face_recognition_models")),
    reason="needs retarget[evaluate]",
)
def test_it_is_dlibs_network(chips: Any) -> None:
    spec = importlib.util.find_spec("face_recognition_models")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    dlib: Any = importlib.import_module("dlib")
    theirs = dlib.face_recognition_model_v1(str(Path(spec.submodule_search_locations[0]) / DLIB))
    network = load_face_descriptor()
    for chip in chips:
        wanted = np.array(theirs.compute_face_descriptor(np.ascontiguousarray(chip)))
        (found,) = network(to_model(chip)[None]).numpy()
        assert np.linalg.norm(found - wanted) < 0.06, "8 bits a weight cost that much"


def test_batches_of_any_size_give_the_same(chips: Any) -> None:
    many = np.concatenate([chips] * 5)  # more than a pass
    together = describe_faces(many)
    for i in (0, 3, 17, 19):
        np.testing.assert_allclose(together[i], describe_faces(many[i : i + 1])[0], atol=1e-5)
    assert describe_faces(many[:0]).shape == (0, 128)


def test_it_can_be_learnt_through(samples: Path, landmarks: Any) -> None:
    network = load_face_descriptor()
    image = to_model(portrait(samples))[None].requires_grad_()
    placed = torch.tensor(landmarks)[None]
    described = network(face_chips(image, placed))
    (described[0] ** 2).sum().backward()
    gradient = image.grad
    assert gradient is not None
    assert gradient[..., 80:170, 170:280].abs().max() > 0
    assert gradient[..., 400:, :].abs().max() == 0, "the chip does not reach there"
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_chips_of_small_and_large_pictures_agree(samples: Path, landmarks: Any) -> None:
    picture = portrait(samples)
    large = cv2.resize(picture, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    small, wide = (
        face_chips(to_model(p)[None], torch.tensor(landmarks * scale)[None])
        for p, scale in ((picture, 1), (large, 3))
    )
    assert small.shape == wide.shape == (1, 3, CHIP_PX, CHIP_PX)
    assert (small - wide).abs().mean() < 0.02


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(B, 150, 150, 3\) chips, got \(1, 64, 64, 3\)"):
        describe_faces(np.zeros((1, 64, 64, 3), np.uint8))
    with pytest.raises(ValueError, match=r"expected \(B, 3, 150, 150\) chips, got \(1, 3, 64, 64\)"):
        load_face_descriptor()(torch.zeros(1, 3, 64, 64))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.safetensors: is no file of the face descriptor's weights"):
        load_face_descriptor(tmp_path / "none.safetensors")
    save_file({"fc": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"other\.safetensors: is no file .*train\.convert\.face_descriptor"):
        load_face_descriptor(tmp_path / "other.safetensors")
