"""A state is whole and finite, or it is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from retarget.model.errors import RetargetError
from retarget.train.gan.layout import TrainingError
from retarget.train.gan.state import NETWORKS, check_finite, load_state, save_state


@pytest.fixture
def state() -> dict[str, Any]:
    parts = {name: {"weight": torch.ones(1000), "step": torch.tensor(3)} for name in NETWORKS}
    return {"learning_hash": "x", "step": 3, **parts}


def test_what_is_written_is_read(state: dict[str, Any], tmp_path: Path) -> None:
    save_state(tmp_path, state)
    assert load_state(tmp_path)["editor"]["weight"].equal(torch.ones(1000))


def flipped(data: bytes) -> bytes:
    """One bit of a weight is another: torch itself does not see that."""
    at = data.index(torch.ones(8).numpy().tobytes()) + 3
    return data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [flipped, lambda data: data[: len(data) // 2], lambda _: b"", lambda _: b"PK\x03\x04 nothing of the kind"],
)
def test_a_damaged_one_gets_one_line(
    state: dict[str, Any], damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    save_state(tmp_path, state)
    path = tmp_path / "state.pt"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RetargetError, match=r"state\.pt is damaged \(.*\); start anew") as caught:
        load_state(tmp_path)
    assert "\n" not in str(caught.value)


def test_something_else_gets_one_line(state: dict[str, Any], tmp_path: Path) -> None:
    for other in ([1, 2], torch.ones(3), {**state, "editor": None}, {"step": 3}):
        torch.save(other, tmp_path / "state.pt")
        if isinstance(other, dict) and "learning_hash" in other:
            continue  # told when it is put into the networks, see test_run
        with pytest.raises(RetargetError, match=r"state\.pt is damaged"):
            load_state(tmp_path)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_told(state: dict[str, Any], name: str, value: float, tmp_path: Path) -> None:
    check_finite(tmp_path, state)
    state[name] = {"state": {0: {"exp_avg": torch.tensor([1.0, value])}}}
    with pytest.raises(
        TrainingError, match=f"the {name.replace('_', ' ')} is not finite after step 3; the last good"
    ):
        check_finite(tmp_path, state)
