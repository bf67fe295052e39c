"""What is compared, how it edits a plate, and what that costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from retarget.model import action_units
from retarget.model.checkpoint import Checkpoint, load_checkpoint
from retarget.model.crop_spec import CropSpec
from retarget.model.errors import CheckpointError
from retarget.model.ganimation import GanimationConfig, GanimationGenerator
from retarget.model.generator import Generator
from retarget.train.evaluation.methods import (
    NOTHING_LABEL,
    WARP_LABEL,
    Method,
    Plate,
    methods_of,
    nothing,
    packaged_geometry,
)
from retarget.train.metrics import both_sides

CPU = torch.device("cpu")
Make = Callable[..., Checkpoint]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def plate(place_face: Callable[..., Any]) -> Plate:
    rng = np.random.default_rng(0)
    landmarks = place_face((32, 24), 20).astype(np.float32)
    return Plate(
        rng.integers(0, 256, (64, 64, 3), np.uint8), landmarks, np.full(action_units.COUNT, 0.25, np.float32)
    )


def _down(canonical: Any) -> Any:
    """The lower lip goes down by a fifth of the eyes' distance."""
    out = np.zeros_like(canonical)
    out[[14, 87, 317, 17], 1] = 0.2
    return out


def _rgb(crop_px: int = 64, *, absolute: bool = False) -> Checkpoint:
    torch.manual_seed(0)
    names = action_units.OPENFACE_NAMES
    generator = GanimationGenerator(
        GanimationConfig(width=2, residual_blocks=0, au_count=len(names), crop_px=crop_px)
    )
    return Checkpoint(
        generator.config,
        names,
        CropSpec(size_px=crop_px),
        None,
        generator.state_dict(),
        condition="absolute" if absolute else "relative",
    )


def _loaded(**checkpoints: Checkpoint) -> dict[str, tuple[Path, Checkpoint]]:
    return {label: (Path(f"{label}.safetensors"), checkpoint) for label, checkpoint in checkpoints.items()}


def test_resizing_a_plate_averages_areas_and_scales_landmarks(plate: Plate) -> None:
    small = plate.resized(32)
    by_hand = plate.picture.reshape(32, 2, 32, 2, 3).astype(float).mean((1, 3))
    np.testing.assert_allclose(small.picture, by_hand, atol=0.51)
    np.testing.assert_allclose(small.landmarks, plate.landmarks / 2)
    assert plate.resized(64) is plate


def test_a_plate_is_never_enlarged(plate: Plate) -> None:
    with pytest.raises(ValueError, match="a 64 px crop cannot be enlarged to 128 px"):
        plate.resized(128)


def test_doing_nothing_gives_the_plate(plate: Plate) -> None:
    (same,) = nothing(64).edit([plate], np.ones((1, action_units.COUNT), np.float32))
    np.testing.assert_array_equal(same, plate.picture)
    assert nothing(64).cost(plate, np.zeros(action_units.COUNT, np.float32)) is None


def test_a_network_has_its_geometrys_warp_beside_it(make_checkpoint: Make) -> None:
    methods = methods_of(
        _loaded(net=make_checkpoint({"AU26": _down}, width=2)), dataset_crop=CropSpec(size_px=64), device=CPU
    )
    assert [(m.label, m.kind, m.is_reference) for m in methods] == [
        (NOTHING_LABEL, "nothing", True),
        (WARP_LABEL, "warp", True),
        ("net", "network", False),
    ]


def test_a_checkpoint_that_is_a_warp_is_its_own_reference(make_checkpoint: Make) -> None:
    loaded = _loaded(net=make_checkpoint({"AU26": _down}, width=2), plain=make_checkpoint({"AU26": _down}))
    methods = methods_of(loaded, dataset_crop=CropSpec(size_px=64), device=CPU)
    assert [(m.label, m.kind) for m in methods] == [
        (NOTHING_LABEL, "nothing"),
        ("net", "network"),
        ("plain", "warp"),
    ]


def test_each_distinct_geometry_has_its_warp(make_checkpoint: Make) -> None:
    loaded = _loaded(
        a=make_checkpoint({"AU26": _down}, width=2),
        b=make_checkpoint({"AU12": _down}, width=2),
        c=make_checkpoint({"AU12": _down}, width=2),
    )
    methods = methods_of(loaded, dataset_crop=CropSpec(size_px=64), device=CPU)
    assert [m.label for m in methods if m.kind == "warp"] == [f"{WARP_LABEL} (a)", f"{WARP_LABEL} (b)"]


def test_without_any_geometry_the_packaged_one_is_the_warp() -> None:
    methods = methods_of(
        _loaded(paper=_rgb()), dataset_crop=CropSpec(size_px=64), device=CPU, packaged=packaged_geometry([])
    )
    assert [m.label for m in methods] == [NOTHING_LABEL, WARP_LABEL, "paper"]
    assert methods[1].crop_px == 64


def test_the_warp_alone_shuts_what_it_cannot_fill(make_checkpoint: Make, plate: Plate) -> None:
    warp, net = methods_of(
        _loaded(net=make_checkpoint({"AU26": _down}, width=2)), dataset_crop=CropSpec(size_px=64), device=CPU
    )[1:]
    assert isinstance(warp.editor, torch.nn.Module)
    generator = warp.editor.generator
    assert isinstance(generator, Generator)
    assert generator.network is None  # so that the generator asks its geometry for may_reveal=False
    delta = both_sides("AU26", 1.0)[None]
    assert not np.array_equal(warp.edit([plate], delta)[0], net.edit([plate], delta)[0])


def test_editing_is_the_same_alone_and_in_a_batch(make_checkpoint: Make, plate: Plate) -> None:
    (method,) = methods_of(
        _loaded(plain=make_checkpoint({"AU26": _down})), dataset_crop=CropSpec(size_px=64), device=CPU
    )[1:]
    deltas = np.stack([both_sides("AU26", value) for value in (0.0, 0.5, 1.0)])
    together = method.edit([plate] * 3, deltas)
    for i, delta in enumerate(deltas):
        np.testing.assert_array_equal(method.edit([plate], delta[None])[0], together[i])
    np.testing.assert_array_equal(together[0], plate.picture)
    assert not np.array_equal(together[2], plate.picture)


def test_an_absolute_condition_sees_the_target(plate: Plate) -> None:
    method = methods_of(_loaded(gan=_rgb(absolute=True)), dataset_crop=CropSpec(size_px=64), device=CPU)[-1]
    raised = dataclasses.replace(plate, action_units=plate.action_units + 0.25)
    nothing_asked = np.zeros((1, action_units.COUNT), np.float32)
    a = method.edit([plate], nothing_asked + 0.25)[0]
    b = method.edit([raised], nothing_asked)[0]  # the same target from another source
    np.testing.assert_array_equal(a, b)


def test_smaller_networks_get_reduced_plates(plate: Plate) -> None:
    method = methods_of(_loaded(small=_rgb(32)), dataset_crop=CropSpec(size_px=64), device=CPU)[-1]
    (picture,) = method.edit([plate], np.zeros((1, action_units.COUNT), np.float32))
    assert picture.shape == (32, 32, 3)


def test_flops_are_counted_as_two_a_multiply_add(plate: Plate) -> None:
    method = methods_of(_loaded(gan=_rgb()), dataset_crop=CropSpec(size_px=64), device=CPU)[-1]
    assert method.editor is not None
    macs = [len(action_units.NAMES) * len(action_units.OPENFACE_NAMES)]  # the projection onto its action units

    def count(module: Any, inputs: Any, output: Any) -> None:
        up = isinstance(module, torch.nn.ConvTranspose2d)  # each input pixel, not each output pixel, is multiplied
        area = np.prod((inputs[0] if up else output).shape[2:])
        macs.append(int(module.weight.numel() * area))

    convolutions = [m for m in method.editor.modules() if "Conv" in type(m).__name__ and hasattr(m, "weight")]
    hooks = [module.register_forward_hook(count) for module in convolutions]
    method.edit([plate], np.zeros((1, action_units.COUNT), np.float32))
    for hook in hooks:
        hook.remove()
    cost = method.cost(plate, np.zeros(action_units.COUNT, np.float32), repeats=1)
    assert cost is not None
    assert len(macs) == 8  # seven convolutions
    assert cost.gflops == pytest.approx(2 * sum(macs) / 1e9, rel=1e-9)
    assert cost.milliseconds > 0
    assert cost.parameters == sum(p.numel() for p in method.editor.parameters())


def test_a_saved_method_edits_as_before(make_checkpoint: Make, plate: Plate, tmp_path: Path) -> None:
    warp = methods_of(
        _loaded(net=make_checkpoint({"AU26": _down}, width=2)), dataset_crop=CropSpec(size_px=64), device=CPU
    )[1]
    warp.save(tmp_path / "warp.safetensors")
    again = Method("again", "warp", 64, load_checkpoint(tmp_path / "warp.safetensors").build_editor())
    delta = both_sides("AU26", 1.0)[None]
    np.testing.assert_array_equal(again.edit([plate], delta)[0], warp.edit([plate], delta)[0])


def test_other_crops_are_refused(make_checkpoint: Make) -> None:
    checkpoint = make_checkpoint({"AU26": _down})
    turned = dataclasses.replace(checkpoint, crop=CropSpec(size_px=64, eyes_y_fraction=0.5))
    with pytest.raises(CheckpointError, match=r"a\.safetensors places faces otherwise .*prepare a dataset at its"):
        methods_of(_loaded(a=turned), dataset_crop=CropSpec(size_px=64), device=CPU)
    with pytest.raises(CheckpointError, match=r"a\.safetensors needs 64 px crops, the dataset's are 32 px"):
        methods_of(_loaded(a=checkpoint), dataset_crop=CropSpec(size_px=32), device=CPU)
