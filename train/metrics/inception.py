"""The Inception network of the paper's IS, where its weights are already on this machine.

Only torch-fidelity's conversion of the original network is used: scores of other Inception networks cannot be
compared with published ones. Nothing is downloaded; where package or weights are missing, IS is not measured.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

WEIGHTS_NAME = "weights-inception-2015-12-05-6726825d.pth"
"""torch-fidelity's weights, as torch.hub keeps them once they were downloaded."""

NOT_INSTALLED = "not measured: install torch-fidelity"
NO_WEIGHTS = f"not measured: weights not found ({WEIGHTS_NAME} in torch.hub's checkpoints folder)"


class InceptionNetwork:
    """Pictures -> class probabilities."""

    def __init__(self, weights: Path) -> None:
        module: Any = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
        # Without biases, as torch-fidelity and the original score have it.
        self._network: Any = module.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["logits_unbiased"], feature_extractor_weights_path=str(weights)
        )

    @torch.inference_mode()
    def probabilities(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """(n, classes) float64, rows summing to 1, of n RGB pictures (S, S, 3) of one size."""
        batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        (logits,) = self._network(batch)
        return np.asarray(logits.double().softmax(1).numpy())


def find_inception_network() -> InceptionNetwork | str:
    """The network, or why IS is not measured."""
    if importlib.util.find_spec("torch_fidelity") is None:
        return NOT_INSTALLED
    weights = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS_NAME
    return InceptionNetwork(weights) if weights.is_file() else NO_WEIGHTS


def inception_score(probabilities: NDArray[np.floating], *, splits: int = 10) -> tuple[float, float]:
    """(mean, standard deviation) of exp(KL(p(y|x) || p(y))) over `splits` parts of (n, classes) probabilities.

    Fewer pictures than splits make as many splits as pictures. Shuffle them before: neighbours are alike.
    """
    p = np.asarray(probabilities, np.float64)
    scores = []
    for part in np.array_split(p, min(splits, len(p))):
        log_ratio = np.log(np.maximum(part, 1e-300)) - np.log(np.maximum(part.mean(0), 1e-300))
        scores.append(np.exp((part * log_ratio).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))
