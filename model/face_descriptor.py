"""Who a face is, as 128 numbers: dlib's face recognition network, in torch.

Two pictures of one person are usually nearer than `face_chip.SAME_PERSON`, those of two people further apart. The
weights (`face_descriptor.safetensors`) are dlib's `dlib_face_recognition_resnet_model_v1`, in the public domain,
in the 8 bits a number that `@vladmandic/face-api` (MIT) packs them in; `train/convert/face_descriptor.py` made the
file.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from .errors import CheckpointError
from .face_chip import CHIP_PX, DESCRIPTOR_SIZE, chip_matrix
from .images import to_model
from .plain_json import parse_json

QUANTISATION_KEY = "quantisation"
"""In the file's metadata, as JSON: of a tensor of bytes [scale, minimum]; a value is scale * byte + minimum."""

_MEAN_RGB = (122.782, 117.001, 104.298)
_BATCH = 16
"""Faces a pass of `describe_faces`: about 60 MiB of intermediate pictures."""

_STAGES = (
    ("conv32_1", "conv32_2", "conv32_3"),
    ("conv64_down", "conv64_1", "conv64_2", "conv64_3"),
    ("conv128_down", "conv128_1", "conv128_2"),
    ("conv256_down", "conv256_1", "conv256_2"),
    ("conv256_down_out",),
)
"""Residual blocks by the names in the file."""


class _Block(nn.Module):
    """Two convolutions beside a shortcut; one that goes down halves the picture."""

    def __init__(self, channels: int, width: int, *, down: bool) -> None:
        super().__init__()
        self.down = down
        self.first = nn.Conv2d(channels, width, 3, stride=2 if down else 1, padding=0 if down else 1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        moved = self.second(F.relu(self.first(x)))
        kept = F.avg_pool2d(x, 2) if self.down else x
        # where the shortcut has fewer channels, or is a pixel larger, the other one counts as 0 there
        more, high, wide = (kept.shape[i] - moved.shape[i] for i in (1, 2, 3))
        kept = F.pad(kept, (0, 0, 0, 0, 0, max(0, -more)))
        return F.relu(F.pad(moved, (0, max(0, wide), 0, max(0, high))) + kept)


class FaceDescriptor(nn.Module):
    """(B, 3, 150, 150) RGB in [-1, 1], aligned as `chip_matrix` says -> (B, 128). Differentiable."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(_MEAN_RGB)[:, None, None])
        self.enter = nn.Conv2d(3, 32, 7, stride=2)
        self.blocks = nn.ModuleDict(dict(_blocks()))
        self.leave = nn.Linear(256, DESCRIPTOR_SIZE, bias=False)

    def forward(self, chips: Tensor) -> Tensor:
        """Raises ValueError for chips of another size."""
        if chips.shape[1:] != (3, CHIP_PX, CHIP_PX):
            raise ValueError(f"expected (B, 3, {CHIP_PX}, {CHIP_PX}) chips, got {tuple(chips.shape)}")
        x = ((chips + 1) * 127.5 - self.mean.to(chips.dtype)) / 256
        x = F.max_pool2d(F.relu(self.enter(x)), 3, 2)
        for block in self.blocks.values():
            x = block(x)
        return torch.as_tensor(self.leave(x.mean((2, 3))))


def _blocks() -> Iterator[tuple[str, _Block]]:
    channels = 32
    for name in (name for stage in _STAGES for name in stage):
        width = int(name[4:].split("_")[0])
        yield name, _Block(channels, width, down="down" in name)
        channels = width


# The file


def default_face_descriptor_path() -> Path:
    """Where the weights that come with the package are."""
    return Path(str(importlib.resources.files("retarget.model"))) / "face_descriptor.safetensors"


def load_face_descriptor(path: Path | str | None = None) -> FaceDescriptor:
    """The network in eval mode on the CPU, float32, its weights not trainable; None: those of the package.

    Raises:
        CheckpointError: the file cannot be read, or is none of this network.
    """
    file = Path(path) if path is not None else default_face_descriptor_path()
    try:
        with safe_open(file, "pt") as stored:
            ranges = parse_json((stored.metadata() or {})[QUANTISATION_KEY])
            tensors = {name: _value(stored.get_tensor(name), ranges.get(name)) for name in stored.keys()}  # noqa: SIM118
        network = FaceDescriptor()
        network.load_state_dict({"mean": network.mean, **_state(tensors)})
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"{file}: is no file of the face descriptor's weights ({error}); "
            "make it with python -m retarget.train.convert.face_descriptor"
        ) from error
    return network.eval().requires_grad_(False)


def _value(stored: Tensor, quantised: Sequence[float] | None) -> Tensor:
    return stored.float() if quantised is None else stored.float() * quantised[0] + quantised[1]


def _state(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The file's tensors as the module's: the scale behind each convolution goes into its weights."""
    places = {"enter": "conv32_down"}
    for name in (name for stage in _STAGES for name in stage):
        places |= {f"blocks.{name}.first": f"{name}/conv1", f"blocks.{name}.second": f"{name}/conv2"}
    state = {"leave.weight": tensors["fc"]}
    for place, name in places.items():
        gain, shift = tensors[f"{name}/scale/weights"], tensors[f"{name}/scale/biases"]
        state[f"{place}.weight"] = tensors[f"{name}/conv/filters"] * gain[:, None, None, None]
        state[f"{place}.bias"] = tensors[f"{name}/conv/bias"] * gain + shift
    return state


# Calls


@cache
def _default_network() -> FaceDescriptor:
    return load_face_descriptor()


def describe_faces(chips: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(B, 128) float32 of chips (B, 150, 150, 3) uint8 RGB, with the weights of the package, on the CPU.

    The mean of a chip and its mirror image, which lies nearer to the person's other pictures than either.

    Raises:
        CheckpointError: the package's weights are missing.
        ValueError: chips of another size or type.
    """
    if chips.ndim != 4 or chips.shape[1:] != (CHIP_PX, CHIP_PX, 3):
        raise ValueError(f"expected (B, {CHIP_PX}, {CHIP_PX}, 3) chips, got {chips.shape}")
    network, found = _default_network(), [np.zeros((0, DESCRIPTOR_SIZE), np.float32)]
    with torch.inference_mode():
        for start in range(0, len(chips), _BATCH):
            batch = to_model(chips[start : start + _BATCH])
            found.append(((network(batch) + network(batch.flip(-1))) / 2).numpy())
    return np.concatenate(found)


def face_chips(images: Tensor, landmarks: Tensor) -> Tensor:
    """(B, 3, 150, 150): the chips of images (B, 3, H, W) with faces at landmarks (B, 478, >= 2), in pixels.

    Differentiable in the images. Where a face is larger than the chip, it is averaged, so that nothing aliases.
    """
    matrices = [chip_matrix(points) for points in landmarks.detach().cpu().double().numpy()]
    shrinks = max((1 / max(np.hypot(*m[:, 0]), 1e-6) for m in matrices), default=1.0)
    fine = int(np.clip(np.ceil(shrinks), 1, 8))
    height, width = images.shape[-2:]
    side = CHIP_PX * fine
    grids = [_grid(matrix, (width, height)) for matrix in matrices]
    theta = torch.tensor(np.array(grids).reshape(-1, 2, 3), dtype=images.dtype, device=images.device)
    grid = F.affine_grid(theta, [len(images), 3, side, side], align_corners=False)
    seen = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return F.avg_pool2d(seen, fine) if fine > 1 else seen


def _grid(matrix: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """affine_grid's (2, 3): from the chip's [-1, 1] to the image's."""
    inverse = np.linalg.inv(np.vstack([matrix, (0, 0, 1)]))
    half = CHIP_PX / 2
    from_unit = np.array([[half, 0, half], [0, half, half], [0, 0, 1]])
    to_unit = np.array([[2 / size[0], 0, -1], [0, 2 / size[1], -1], [0, 0, 1]])
    return np.asarray((to_unit @ inverse @ from_unit)[:2], np.float64)
