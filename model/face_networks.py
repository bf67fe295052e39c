"""MediaPipe's three face networks in torch: where faces are, their 478 landmarks, their 52 blendshapes.

The weights stand in `face_networks.safetensors`, made from MediaPipe's own file by
`python -m retarget.train.convert.face_networks`. All of it is batched and differentiable, on any device, in
single or half precision. What surrounds the networks (tiles, regions, which face is which) is the tracker's.
"""

from __future__ import annotations

import hashlib
import importlib.resources
from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F
from safetensors.torch import load
from torch import Tensor, nn

from .blendshapes import BLENDSHAPE_LANDMARKS
from .errors import FaceNetworksError

DETECTOR_PX: Final = 128
"""Side of the detector's picture."""

LANDMARKER_PX: Final = 256
"""Side of the landmarker's picture."""

ANCHORS: Final = 896
"""Places where the detector looks: 16 x 16 twice and 8 x 8 six times."""

SHA256: Final = "f847f25c99d78d951b2e998db00b89cdb65e4c66397ab1106075b310aad2d23f"
"""Of the file that comes with the package."""


class _Narrow(nn.Module):
    """A residual block of the landmarker: narrow, look around, widen. The first of a stage halves the picture."""

    def __init__(self, channels_in: int, channels: int, *, halve: bool) -> None:
        super().__init__()
        size = 2 if halve else 1
        narrow = min(channels // 2, 64)
        self.narrow = nn.Conv2d(channels_in, narrow, size, stride=size)
        self.inner = nn.PReLU(narrow)
        self.around = nn.Conv2d(narrow, narrow, 3, padding=1, groups=narrow)
        self.widen = nn.Conv2d(narrow, channels, 1)
        self.outer = nn.PReLU(channels)
        self.halve, self.more = halve, channels - channels_in

    def forward(self, x: Tensor) -> Tensor:
        change = self.widen(self.around(self.inner(self.narrow(x))))
        return self.outer(_with_channels(F.max_pool2d(x, 2) if self.halve else x, self.more) + change)


class Landmarker(nn.Module):
    """One face, seen upright on a square about half as large again -> its landmarks and whether it is one."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2)
        self.stem_act = nn.PReLU(16)
        blocks = [_Narrow(16, 16, halve=False) for _ in range(4)]
        channels = 16
        for wider in (32, 64, 128, 128, 128, 128):
            blocks += [_Narrow(channels, wider, halve=True)]
            blocks += [_Narrow(wider, wider, halve=False) for _ in range(4)]
            channels = wider
        self.blocks = nn.Sequential(*blocks)
        self.presence = nn.Conv2d(channels, 1, 2)
        self.landmarks = nn.Conv2d(channels, 3 * 478, 2)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """What stands in pictures (N, 3, 256, 256) RGB in [0, 1].

        Returns:
            landmarks (N, 478, 3) in the picture's pixels, z away from the camera on the same scale, and
            presence (N,) in [0, 1].
        """
        x = self.blocks(self.stem_act(self.stem(F.pad(pictures, (0, 1, 0, 1)))))
        return self.landmarks(x).reshape(-1, 478, 3), self.presence(x).reshape(-1).sigmoid()


class _Mixer(nn.Module):
    """A block of the blendshape network: over the points, then over their features."""

    def __init__(self) -> None:
        super().__init__()
        self.points_norm = _Scaled()
        self.points_in, self.points_out = nn.Linear(97, 384), nn.Linear(384, 97)
        self.features_norm = _Scaled()
        self.features_in, self.features_out = nn.Linear(64, 256), nn.Linear(256, 64)

    def forward(self, x: Tensor) -> Tensor:
        across = self.points_norm(x).transpose(1, 2)
        x = x + self.points_out(F.relu(self.points_in(across))).transpose(1, 2)
        return x + self.features_out(F.relu(self.features_in(self.features_norm(x))))


class _Scaled(nn.Module):
    """Layer normalisation without an offset."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(64))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, (64,), self.weight, None, 1.01327896e-06)  # 1e-6 in half precision


class Blendshapes(nn.Module):
    """Landmarks -> how far each of the 52 shapes is on. Where, how large and in which picture does not count."""

    chosen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.reduce = nn.Linear(146, 96)
        self.embed = nn.Linear(2, 64)
        self.token = nn.Parameter(torch.zeros(1, 1, 64))
        self.mixers = nn.Sequential(*[_Mixer() for _ in range(4)])
        self.head = nn.Linear(64, 52)
        self.register_buffer("chosen", torch.tensor(BLENDSHAPE_LANDMARKS), persistent=False)

    def forward(self, landmarks: Tensor) -> Tensor:
        """Scores (N, 52) in [0, 1], named by `BLENDSHAPES`, of landmarks (N, 478, 2 or 3) in any pixels."""
        return self.logits(landmarks).sigmoid()

    def logits(self, landmarks: Tensor) -> Tensor:
        """(N, 52) whose sigmoids the scores are."""
        points = landmarks[:, self.chosen, :2]
        points = points - points.mean(1, keepdim=True)
        points = points / points.square().sum(2, keepdim=True).sqrt().mean(1, keepdim=True) * 0.5
        x = self.embed(self.reduce(points.transpose(1, 2)).transpose(1, 2))
        x = self.mixers(torch.cat((self.token.expand(len(x), -1, -1), x), 1))
        return self.head(x[:, 0])


class _Blaze(nn.Module):
    """A residual block of the detector: look around, then mix. One with a stride halves the picture."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.around = nn.Conv2d(channels_in, channels_in, 3, stride, padding=2 - stride, groups=channels_in)
        self.mix = nn.Conv2d(channels_in, channels, 1)
        self.stride, self.more = stride, channels - channels_in

    def forward(self, x: Tensor) -> Tensor:
        wide = F.pad(x, (0, 1, 0, 1)) if self.stride == 2 else x
        kept = F.max_pool2d(x, 2) if self.stride == 2 else x
        return F.relu(_with_channels(kept, self.more) + self.mix(self.around(wide)))


class Detector(nn.Module):
    """Where faces are in a picture: a score, a box and six points for each of 896 anchors."""

    anchors: Tensor
    """(896, 2) x and y of their centres, as fractions of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 5, stride=2)
        widths = (
            (24, 1),
            (28, 1),
            (32, 2),
            (36, 1),
            (42, 1),
            (48, 2),
            (56, 1),
            (64, 1),
            (72, 1),
            (80, 1),
            (88, 1),
        )
        self.fine = nn.Sequential(*self._blocks(24, widths))
        self.coarse = nn.Sequential(*self._blocks(88, ((96, 2), (96, 1), (96, 1), (96, 1), (96, 1))))
        self.fine_scores, self.coarse_scores = nn.Conv2d(88, 2, 1), nn.Conv2d(96, 6, 1)
        self.fine_boxes, self.coarse_boxes = nn.Conv2d(88, 32, 1), nn.Conv2d(96, 96, 1)
        self.register_buffer("anchors", _anchors(), persistent=False)

    @staticmethod
    def _blocks(channels: int, widths: tuple[tuple[int, int], ...]) -> list[nn.Module]:
        before = [channels, *(width for width, _ in widths)]
        return [_Blaze(before[i], width, stride) for i, (width, stride) in enumerate(widths)]

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """What stands in pictures (N, 3, 128, 128) RGB in [-1, 1].

        Returns:
            scores (N, 896) in [0, 1]; places (N, 896, 8, 2) as fractions of the picture, x and y: the box's
            upper left and lower right corner, right eye, left eye, nose tip, mouth, right and left ear tragion.
        """
        fine = self.fine(F.relu(self.stem(F.pad(pictures, (1, 2, 1, 2)))))
        coarse = self.coarse(fine)
        scores = torch.cat((_rows(self.fine_scores(fine), 1), _rows(self.coarse_scores(coarse), 1)), 1)
        raw = torch.cat((_rows(self.fine_boxes(fine), 16), _rows(self.coarse_boxes(coarse), 16)), 1)
        raw = raw.reshape(len(raw), ANCHORS, 8, 2) / DETECTOR_PX
        center, half = raw[:, :, 0] + self.anchors, raw[:, :, 1] / 2
        points = raw[:, :, 2:] + self.anchors[:, None]
        places = torch.cat((torch.stack((center - half, center + half), 2), points), 2)
        return scores[..., 0].clamp(-100, 100).sigmoid(), places


def _rows(x: Tensor, values: int) -> Tensor:
    """(N, A * values, H, W) -> (N, H * W * A, values)."""
    return x.permute(0, 2, 3, 1).reshape(len(x), -1, values)


def _with_channels(x: Tensor, more: int) -> Tensor:
    """With so many channels of zeros behind."""
    return F.pad(x, (0, 0, 0, 0, 0, more)) if more else x


def _anchors() -> Tensor:
    """(896, 2) x and y of the anchors' centres, as fractions of the picture."""
    centers = []
    for side, each in ((16, 2), (8, 6)):
        line = (torch.arange(side) + 0.5) / side
        y, x = torch.meshgrid(line, line, indexing="ij")
        centers.append(torch.stack((x, y), -1).reshape(-1, 2).repeat_interleave(each, 0))
    return torch.cat(centers)


class FaceNetworks(nn.Module):
    """The three together."""

    def __init__(self) -> None:
        super().__init__()
        self.detector, self.landmarker, self.blendshapes = Detector(), Landmarker(), Blendshapes()

    @classmethod
    def load(cls, path: Path | str | None = None) -> FaceNetworks:
        """The networks of a file, else those that come with the package: eval mode, on the CPU, float32.

        Raises:
            FaceNetworksError: the file is missing, truncated, not these networks' or has another hash.
        """
        networks = cls()
        networks.load_state_dict(_read(Path(path) if path is not None else face_networks_path()))
        return networks.eval().requires_grad_(False)


def face_networks_path() -> Path:
    """Where the weights that come with the package are; the file need not exist."""
    return Path(str(importlib.resources.files("retarget.model"))) / "face_networks.safetensors"


def _read(path: Path) -> dict[str, Tensor]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FaceNetworksError(
            f"{path}: the face networks cannot be read ({error.strerror or error}); install retarget again"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise FaceNetworksError(
            f"{path}: these are not the face networks of this retarget (sha256 {found[:12]}..., not "
            f"{SHA256[:12]}...); the file is damaged or of another version, install retarget again"
        )
    return load(data)
