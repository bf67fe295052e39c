import pytest
import torch

from retarget.model.device import device_named
from retarget.model.errors import CheckpointError, RetargetError


def test_names() -> None:
    assert device_named("cpu") == torch.device("cpu")
    assert device_named("auto").type in ("cpu", "cuda")


def test_what_is_not_here_is_refused_in_the_callers_words() -> None:
    with pytest.raises(RetargetError, match="device 'warp9' cannot be used here; use cpu, or auto"):
        device_named("warp9")
    with pytest.raises(CheckpointError, match="device 'cuda:99'"):
        device_named("cuda:99", error=CheckpointError)
