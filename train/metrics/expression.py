"""The tracker's action units of landmarks, in torch, with gradients: `pipeline/faces/expression.py` again."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from retarget.model import action_units
from retarget.model.blendshapes import BLENDSHAPES
from retarget.model.errors import RetargetError
from retarget.model.face_networks import FaceNetworks
from retarget.model.geometry import head_pose
from retarget.model.mesh import Opening
from retarget.pipeline.faces import AU_SOURCE, blendshapes, canonical_face
from retarget.pipeline.faces import expression as measures

from ..data import Dataset

LEAST_SLOPE = 0.03
"""Added to the sigmoid's own (0.25 in its middle) in gradients."""


class Expression(nn.Module):
    """Landmarks (B, 478, 3) -> action units (B, C) in [0, 1] as the tracker measures them. Frozen.

    In single precision under autocast too.
    """

    mixing: Tensor
    mean_shape: Tensor
    measured: Tensor

    def __init__(self, networks: FaceNetworks | None = None) -> None:
        """With the networks that come with the package unless others are given.

        Raises:
            FaceNetworksError: they cannot be read.
        """
        super().__init__()
        self.blendshapes = (networks or FaceNetworks.load()).blendshapes
        mixing, _ = blendshapes.mixing_matrix(BLENDSHAPES)
        self.register_buffer("mixing", torch.from_numpy(mixing).float())
        self.register_buffer("mean_shape", torch.from_numpy(canonical_face()).float())
        columns = [i for name in _MEASURED for i in action_units.resolve(name)]
        self.register_buffer("measured", torch.tensor(columns))
        self.requires_grad_(False)
        self.eval()

    def forward(self, landmarks: Tensor) -> Tensor:
        """Of landmarks in pixels of any size, seen with the eyes level, as on the tracker's window.

        Values are exact. Gradients go on where a measure is beyond 0 and 1, and hardly fade where a score is
        nearly 0 or 1: lips at rest are to learn which way a smile is.
        """
        with torch.autocast(landmarks.device.type, enabled=False):
            landmarks = landmarks.float()
            logits = self.blendshapes.logits(landmarks)
            scores = logits.sigmoid() + LEAST_SLOPE * (logits - logits.detach())
            values = _bounded(scores @ self.mixing)
            shape = head_pose(landmarks, self.mean_shape).canonical(landmarks)
            inner_brow = values[:, action_units.resolve("AU01L")[0]]
            return _bounded(values.index_copy(1, self.measured, _measured(shape, inner_brow)))


def is_measured(dataset: Dataset) -> bool:
    """Whether a dataset's action units are those that the tracker measures."""
    return dataset.au_source == AU_SOURCE


def check_source(dataset: Dataset) -> None:
    """That a dataset's action units are those that the tracker measures.

    Raises:
        RetargetError: they are not, so that what it reads from a face cannot be held against them.
    """
    if not is_measured(dataset):
        raise RetargetError(
            f"{dataset.folder}: its action units are of {dataset.au_source}, and this needs the tracker's own "
            f"({AU_SOURCE}); prepare it with this retarget, without OpenFace labels"
        )


_MEASURED = (*measures.INNER_BROWS, *measures.LIDS, *measures.DROPS, "AU23", "AU25")
"""The action units measured on landmarks, in the order of `_measured`."""


def _measured(p: Tensor, inner_brow: Tensor) -> Tensor:
    """(B, 10) of canonical landmarks (B, 478, 3) and the inner brows' blendshape (B,)."""
    left, right = (-_drop(p, brow, corner) for brow, corner in measures.INNER_BROWS.values())
    lift = measures.INNER_BROW_SLOPE * (left - right) / 2 * (inner_brow > measures.INNER_BROW_SEEN)
    thickness = torch.stack([_distance(p, *lip) for lip in measures.LIPS]).sum(0)
    gap = torch.stack([_distance(p, *lips) for lips in measures.LIP_GAPS]).mean(0)
    columns = [
        *(inner_brow + lift, inner_brow - lift),
        *(_unit(_aperture(p, eye), measures.LID_APERTURE_RANGE) for eye in measures.LIDS.values()),
        *(_unit(_drop(p, points, top), between) for points, top, between in measures.DROPS.values()),
        _unit(thickness, measures.LIP_THICKNESS_RANGE),
        _unit(gap, measures.LIP_GAP_RANGE),
    ]
    return torch.stack(columns, 1)


def _drop(p: Tensor, points: tuple[int, ...], top: int) -> Tensor:
    return p[:, list(points), 1].mean(1) - p[:, top, 1]


def _aperture(p: Tensor, eye: Opening) -> Tensor:
    upper, lower = eye
    opening = torch.stack([_distance(p, upper[i], lower[i]) for i in measures.LID_MIDDLE]).mean(0)
    return opening / _distance(p, upper[0], upper[-1])


def _distance(p: Tensor, i: int, j: int) -> Tensor:
    return torch.linalg.vector_norm(p[:, i] - p[:, j], dim=1)


def _unit(value: Tensor, between: measures.Range) -> Tensor:
    rest, maximum = between
    return _bounded((value - rest) / (maximum - rest))


def _bounded(value: Tensor) -> Tensor:
    """In [0, 1], with the gradient of the value itself."""
    return value + (value.clamp(0, 1) - value).detach()
