"""The torch port: the runner's numbers, batched, differentiable, in half precision, and safe to load."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from retarget.model.errors import FaceNetworksError
from retarget.model.face_networks import FaceNetworks, face_networks_path
from retarget.pipeline.faces.detections import anchors, decoded
from retarget.pipeline.faces.models import read_models
from retarget.pipeline.faces.networks import Networks


@pytest.fixture(scope="module")
def networks() -> FaceNetworks:
    return FaceNetworks.load()


@pytest.fixture(scope="module")
def regions(samples: Path) -> Tensor:
    """(4, 256, 256, 3) uint8: a face a little turned and moved."""
    picture = cv2.cvtColor(cv2.imread(str(samples / "astronaut.png")), cv2.COLOR_BGR2RGB)
    views = []
    for turn, scale, x in ((0, 1.5, 128), (6, 1.4, 126), (-9, 1.6, 130), (0, 1.3, 120)):
        matrix = cv2.getRotationMatrix2D((225, 120), turn, scale)
        matrix[:, 2] += (x - 225, 128 - 120)
        views.append(torch.from_numpy(cv2.warpAffine(picture, matrix, (256, 256))))
    return torch.stack(views)


def pictures(regions: Tensor) -> Tensor:
    return regions.permute(0, 3, 1, 2).float() / 255


def test_landmarks_are_those_of_the_runner(networks: FaceNetworks, regions: Tensor) -> None:
    landmarks, presence = networks.landmarker(pictures(regions))
    shapes = networks.blendshapes(landmarks)
    runner = Networks(read_models())
    for i, region in enumerate(regions.numpy()):
        points, present = runner.landmarks(region)
        np.testing.assert_allclose(landmarks[i].numpy(), points, atol=5e-3)
        assert float(presence[i]) == pytest.approx(present, abs=1e-4)
        np.testing.assert_allclose(shapes[i].numpy(), runner.blendshapes(points), atol=1e-3)


def test_faces_are_those_of_the_runner(networks: FaceNetworks, regions: Tensor) -> None:
    small = np.stack([region[::2, ::2] for region in regions.numpy()])
    scores, places = networks.detector(torch.from_numpy(small).permute(0, 3, 1, 2).float() / 127.5 - 1)
    np.testing.assert_allclose(networks.detector.anchors.numpy(), anchors(), atol=1e-6)
    runner = Networks(read_models())
    for i, picture in enumerate(small):
        raw, logits = runner._detector.run(picture, 1 / 127.5, -1)
        wanted_scores, wanted_places = decoded(raw[0], logits.reshape(-1))
        sure = scores[i] >= 0.5
        assert int(sure.sum()) == len(wanted_scores) > 0
        order = torch.argsort(scores[i][sure], descending=True)
        np.testing.assert_allclose(scores[i][sure][order].numpy(), wanted_scores, atol=1e-4)
        np.testing.assert_allclose(places[i][sure][order].numpy(), wanted_places, atol=1e-4)


def test_a_batch_is_its_pictures(networks: FaceNetworks, regions: Tensor) -> None:
    together, _ = networks.landmarker(pictures(regions))
    for i in range(len(regions)):
        alone, _ = networks.landmarker(pictures(regions[i : i + 1]))
        torch.testing.assert_close(together[i], alone[0], atol=1e-3, rtol=0)


def test_a_picture_feels_what_is_measured_on_it(networks: FaceNetworks, regions: Tensor) -> None:
    picture = pictures(regions[:1]).requires_grad_()
    landmarks, _ = networks.landmarker(picture)
    smile = networks.blendshapes(landmarks)[0, 44:46].sum()
    (slope,) = torch.autograd.grad(smile, picture)
    assert torch.isfinite(slope).all()
    step = slope / slope.norm()
    with torch.no_grad():
        more, less = (
            networks.blendshapes(networks.landmarker(picture + e * step)[0])[0, 44:46].sum() for e in (0.5, -0.5)
        )
    assert more > smile > less


def test_half_precision_is_close(networks: FaceNetworks, regions: Tensor) -> None:
    exact, _ = networks.landmarker(pictures(regions))
    half = FaceNetworks.load().half()
    landmarks, presence = half.landmarker(pictures(regions).half())
    assert landmarks.dtype == torch.float16
    assert float((landmarks.float() - exact)[..., :2].abs().max()) < 0.3
    assert float(presence.min()) > 0.5
    shapes = half.blendshapes(exact.half())
    assert shapes.dtype == torch.float16
    assert float((shapes.float() - networks.blendshapes(exact)).abs().max()) < 0.02


def test_half_precision_holds_the_weights_exactly(networks: FaceNetworks) -> None:
    again = FaceNetworks.load().half().float()
    for name, weight in networks.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name


def test_bfloat16_finds_the_face_but_not_its_expression(networks: FaceNetworks, regions: Tensor) -> None:
    exact, _ = networks.landmarker(pictures(regions))
    with torch.autocast("cpu", torch.bfloat16):
        landmarks, presence = networks.landmarker(pictures(regions))
    off = float((landmarks.float() - exact)[..., :2].abs().max())
    assert 0.3 < off < 2.0  # px of 256; 0.3 is how far trackers that agree may differ
    assert float(presence.min()) > 0.5


def test_a_file_that_is_not_the_networks_is_refused(tmp_path: Path) -> None:
    whole = face_networks_path().read_bytes()
    for name, data in {"cut": whole[:-10], "other": b"hello", "changed": whole[:-1] + b"\0"}.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(data)
        with pytest.raises(FaceNetworksError, match="not the face networks of this retarget") as caught:
            FaceNetworks.load(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(FaceNetworksError, match="cannot be read"):
        FaceNetworks.load(tmp_path / "none.safetensors")
