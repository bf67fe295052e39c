import pytest
import torch
from torch import nn

from retarget.model.blocks import (
    BlockStyle,
    ConditionedBlock,
    ConvBlock,
    MsfUNet,
    MultiScaleFusion,
    with_planes,
    zero_initialised,
)

PAPER = BlockStyle("instance")
LEAN = BlockStyle("group", separable=True, conditioning="modulation")
STYLES = pytest.mark.parametrize(
    "style", [PAPER, LEAN, BlockStyle("none", kernel=3)], ids=["paper", "lean", "bare"]
)


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@STYLES
@pytest.mark.parametrize(("size", "side"), [("same", 8), ("half", 4), ("double", 16)])
def test_sizes(style: BlockStyle, size: str, side: int) -> None:
    block = ConvBlock(3, 6, style=style, size=size)
    assert block(torch.randn(2, 3, 8, 8)).shape == (2, 6, side, side)


def test_parameters_by_hand() -> None:
    assert parameters(ConvBlock(3, 6, style=PAPER)) == 25 * 3 * 6 + 2 * 6  # no bias beside a norm
    assert parameters(ConvBlock(3, 6, style=PAPER, size="half")) == 16 * 3 * 6 + 2 * 6
    assert parameters(ConvBlock(3, 6, style=LEAN)) == 25 * 3 + 3 * 6 + 2 * 6
    assert parameters(ConvBlock(3, 6, style=BlockStyle("none"))) == 25 * 3 * 6 + 6


def test_activations() -> None:
    x = torch.full((1, 1, 4, 4), -1.0)
    for activation, expected in (("relu", 0.0), ("leaky", -0.01)):
        block = ConvBlock(1, 1, style=BlockStyle("none", kernel=1), activation=activation)
        nn.init.ones_(block.conv.weight)
        nn.init.zeros_(block.conv.bias)
        assert block(x).unique().item() == pytest.approx(expected)


def test_planes_are_constant_and_in_order() -> None:
    out = with_planes(torch.zeros(2, 1, 3, 3), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert out.shape == (2, 3, 3, 3)
    assert out[1, 2].unique().item() == 4
    assert out[0, 1].unique().item() == 1


def test_instance_norm_swallows_planes_away_from_the_edge_but_not_modulation() -> None:
    torch.manual_seed(0)
    x, one, two = torch.randn(1, 4, 32, 32), torch.zeros(1, 2), torch.ones(1, 2)
    # Without padding there is no edge for the planes to act through.
    planes = ConditionedBlock(4, 4, 2, style=BlockStyle("instance", kernel=1))
    modulated = ConditionedBlock(4, 4, 2, style=BlockStyle("instance", kernel=1, conditioning="modulation"))
    assert torch.allclose(planes(x, one), planes(x, two), atol=1e-5)
    assert (modulated(x, one) - modulated(x, two)).abs().max() > 0.1


@STYLES
def test_fusion_hears_all_three_inputs(style: BlockStyle) -> None:
    torch.manual_seed(0)
    fusion = MultiScaleFusion(6, 8, 3, style=style)
    inputs = [torch.randn(2, 6, 8, 8), torch.randn(2, 8, 4, 4), torch.randn(2, 3)]
    for x in inputs:
        x.requires_grad_()
    out = fusion(*inputs)
    assert out.shape == (2, 6, 8, 8)
    out.square().sum().backward()
    assert all(x.grad is not None and x.grad.abs().max() > 0 for x in inputs)


@STYLES
@pytest.mark.parametrize("k_msf", range(4))
def test_unet_shapes_and_gradients(style: BlockStyle, k_msf: int) -> None:
    torch.manual_seed(0)
    net = MsfUNet(3, 4, levels=4, k_msf=k_msf, au_count=2, style=style)
    assert net.widths == (4, 8, 16, 32, 32)
    assert len(net.fusions) == k_msf
    out = net(torch.randn(2, 3, 32, 32), torch.randn(2, 2))
    assert [tuple(x.shape) for x in out] == [(2, 32, 4, 4), (2, 16, 8, 8), (2, 8, 16, 16), (2, 4, 32, 32)]
    out[-1].square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_fusions_grow_from_the_deepest_skip() -> None:
    net = MsfUNet(3, 4, levels=4, k_msf=2, au_count=2, style=PAPER)
    assert [fusion.leave.norm.num_features for fusion in net.fusions] == [32, 16]


def test_the_condition_matters_even_without_fusions() -> None:
    torch.manual_seed(0)
    net = MsfUNet(3, 4, levels=4, k_msf=0, au_count=2, style=PAPER)
    x = torch.randn(1, 3, 64, 64)
    difference = net(x, torch.zeros(1, 2))[-1] - net(x, torch.ones(1, 2))[-1]
    assert difference.abs().max() > 1e-2


def test_zero_initialised_answers_nothing() -> None:
    conv = zero_initialised(nn.Conv2d(2, 3, 3, padding=1))
    assert conv(torch.randn(1, 2, 4, 4)).count_nonzero() == 0
