import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay
from torch import Tensor, nn

from retarget.model import action_units
from retarget.model.generator import SHUFFLE, Edit, Generator, GeneratorConfig, _unshuffled, compose
from retarget.model.geometry import GeometryConfig, GeometryModel
from retarget.model.images import warp

C, S = 3, 64


class FakeGeometry(nn.Module):
    """Moves the middle of the picture right by 4 px per unit of the first action unit; one square hole."""

    def __init__(self) -> None:
        super().__init__()
        self.config = GeometryConfig(au_count=C, triangle_count=1)
        self.register_buffer("weight", torch.tensor([4.0, 0.0, 0.0]))

    def displacement(self, delta_au: Tensor, landmarks: Tensor, *, may_reveal: bool = True) -> Tensor:  # noqa: ARG002
        x = (delta_au @ self.weight)[:, None].expand(-1, 478)
        return torch.stack([x, torch.zeros_like(x)], -1)

    def flow(self, landmarks: Tensor, displacement: Tensor, size_px: int) -> Tensor:  # noqa: ARG002
        inner = torch.zeros(size_px, size_px)
        inner[16:-16, 16:-16] = 1
        return -displacement[:, 0, :, None, None] * inner

    def holes(self, landmarks: Tensor, displacement: Tensor, size_px: int) -> Tensor:  # noqa: ARG002
        out = torch.zeros(displacement.shape[0], 2, size_px, size_px)
        out[:, 0, 28:36, 28:36] = 1
        return out

    def drawn(self, landmarks: Tensor, displacement: Tensor, size_px: int) -> Any:
        flow, holes = self.flow(landmarks, displacement, size_px), self.holes(landmarks, displacement, size_px)
        return SimpleNamespace(flow=flow, holes=holes, joints=self.joint * torch.ones_like(flow[:, :1]))

    def reveal(self, landmarks: Tensor, displacement: Tensor) -> Tensor:  # noqa: ARG002
        return torch.full((displacement.shape[0], 2), self.new)

    new = 1.0
    joint = 0.0


def config(**changes: Any) -> GeneratorConfig:
    return GeneratorConfig(**({"width": 4, "au_count": C, "crop_px": S} | changes))


def motion(**changes: Any) -> Generator:
    torch.manual_seed(0)
    return Generator(config(**changes), FakeGeometry())


def rgb(**changes: Any) -> Generator:
    torch.manual_seed(0)
    return Generator(config(head="rgb", norm="instance", **changes))


def with_random_heads(generator: Generator) -> Generator:
    for head in (generator.network.flow_head, generator.network.pixel_head):
        nn.init.normal_(head.weight, std=0.5)
        nn.init.normal_(head.bias, std=0.5)
    return generator


@pytest.fixture
def image() -> Tensor:
    return torch.rand(2, 3, S, S, generator=torch.Generator().manual_seed(1)) * 2 - 1


LANDMARKS = torch.zeros(2, 478, 3)
DELTA = torch.tensor([[0.5, 0.0, -0.2], [1.0, 0.3, 0.0]])


def count(generator: nn.Module) -> int:
    return sum(p.numel() for p in generator.parameters())


# --- rgb head ---------------------------------------------------------------------------------------


def by_hand(w: int, c: int) -> int:
    """Parameters of the paper's network with four levels and all MSF modules, from sections 3.2 and 3.3."""

    def conv(kernel: int, narrow: int, wide: int) -> int:
        return kernel**2 * narrow * wide + 2 * wide  # weights, and the norm's gain and shift

    def fusion(f: int, g: int) -> int:
        below = g + g // 2
        exchange = (
            conv(5, f, f - f // 2) + conv(4, below, f // 2) + conv(4, f, g // 2) + conv(5, below, g - g // 2)
        )
        return conv(5, f + c, f) + conv(4, f + c, g // 2) + exchange + conv(4, g, f) + conv(5, 2 * f, f)

    encoder = conv(5, 3, w) + conv(4, w, 2 * w) + conv(4, 2 * w, 4 * w) + conv(4, 4 * w, 8 * w)
    encoder += conv(4, 8 * w, 8 * w) + conv(5, 8 * w + c, 8 * w)
    skips = fusion(8 * w, 8 * w) + fusion(4 * w, 8 * w) + fusion(2 * w, 4 * w)
    decoder = conv(4, 8 * w, 8 * w) + conv(4, 16 * w, 4 * w) + conv(4, 8 * w, 2 * w) + conv(4, 4 * w, w)
    return encoder + skips + decoder + 25 * w * 3 + 3


def test_rgb_parameters_by_hand() -> None:
    assert count(rgb()) == by_hand(4, C)


def test_published_sizes() -> None:
    with torch.device("meta"):
        paper = Generator(GeneratorConfig.paper())
        lean = Generator(GeneratorConfig(), GeometryModel(GeometryConfig(action_units.COUNT, 1)))
    assert count(paper) == by_hand(64, action_units.COUNT)
    assert round(count(paper) / 1e6, 1) == 85.2
    assert round(count(lean) / 1e6, 1) == 9.5


def test_rgb_paints_everything(image: Tensor) -> None:
    edit = rgb()(image, DELTA)
    assert edit.mask.unique().item() == 1
    assert edit.flow.count_nonzero() == edit.shade.count_nonzero() == 0
    assert edit.paint.abs().max() <= 1
    assert torch.allclose(compose(image, edit), edit.paint, atol=1e-6)


# --- both heads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [rgb, motion])
def test_every_ablation_runs_and_differs(make: Any, image: Tensor) -> None:
    sizes = []
    for k_msf in range(4):
        generator = make(k_msf=k_msf)
        if generator.config.head == "motion":
            with_random_heads(generator)
        edit = generator(image, DELTA, LANDMARKS)
        (compose(image, edit).square().mean() + edit.mask.mean()).backward()
        silent = [name for name, p in generator.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        assert silent == []
        sizes.append(count(generator))
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("norm", ["instance", "group", "none"])
def test_every_norm_runs(norm: str, image: Tensor) -> None:
    edit = with_random_heads(motion(norm=norm))(image, DELTA, LANDMARKS)
    assert compose(image, edit).isfinite().all()


def test_samples_of_a_batch_do_not_mix(image: Tensor) -> None:
    generator = with_random_heads(motion()).eval()
    both = compose(image, generator(image, DELTA, LANDMARKS))
    one = compose(image[1:], generator(image[1:], DELTA[1:], LANDMARKS[1:]))
    assert torch.allclose(both[1:], one, atol=1e-5)


# --- motion head ------------------------------------------------------------------------------------


def test_untrained_motion_is_exactly_the_geometry_warp(image: Tensor) -> None:
    generator = motion()
    edit = generator(image, DELTA, LANDMARKS)
    flow = generator.geometry.flow(LANDMARKS, generator.geometry.displacement(DELTA, LANDMARKS), S)
    assert flow.abs().max() == 4
    assert torch.equal(edit.flow, flow)
    assert edit.shade.count_nonzero() == 0
    assert torch.equal(compose(image, edit), warp(image, flow))


def test_an_untrained_mask_leaves_paint_something_to_learn(image: Tensor) -> None:
    generator = motion()
    compose(image, generator(image, DELTA, LANDMARKS)).square().sum().backward()
    paint_rows = generator.network.pixel_head.weight.grad[4:16]  # channel 1..3, four sub-pixels each
    assert paint_rows.abs().amax(dim=(1, 2, 3)).min() > 0


def test_zero_edit_is_exact_whatever_the_weights(image: Tensor) -> None:
    generator = with_random_heads(motion())
    edit = generator(image, torch.zeros(2, C), LANDMARKS)
    for part in (edit.flow, edit.mask, edit.shade):
        assert part.count_nonzero() == 0
    assert torch.equal(compose(image, edit), image)


def test_zero_edit_is_per_sample(image: Tensor) -> None:
    delta = DELTA.clone()
    delta[0] = 0
    edit = with_random_heads(motion())(image, delta, LANDMARKS)
    out = compose(image, edit)
    assert torch.equal(out[0], image[0])
    assert (out[1] - image[1]).abs().max() > 0.1


def test_a_small_edit_fades_in(image: Tensor) -> None:
    generator = with_random_heads(motion())
    peaks = [generator(image, DELTA * k, LANDMARKS).mask.max().item() for k in (0.001, 0.01, 1)]
    assert 0 < peaks[0] < 0.1 * peaks[2]
    assert peaks[0] < peaks[1] < peaks[2]


def test_bounds_hold_for_wild_weights(image: Tensor) -> None:
    generator = with_random_heads(motion(mask_dilation_fraction=0.05))
    for head in (generator.network.flow_head, generator.network.pixel_head):
        head.weight.data *= 1000
    geometry_flow = generator.geometry.flow(LANDMARKS, generator.geometry.displacement(DELTA, LANDMARKS), S)
    edit = generator(image, DELTA, LANDMARKS)
    assert (edit.flow - geometry_flow).abs().max() <= 0.03 * S + 1e-4
    assert (edit.flow - geometry_flow).abs().max() > 0.95 * 0.03 * S  # the bound is used in full
    assert edit.mask.min() >= 0
    assert edit.mask.max() <= 1
    assert edit.paint.abs().max() <= 1
    assert edit.shade.abs().max() <= 0.15
    allowed = torch.zeros(S, S, dtype=torch.bool)
    allowed[25:39, 25:39] = True  # the hole 28..35, grown by 3
    assert edit.mask[:, 0, ~allowed].count_nonzero() == 0
    assert edit.mask[:, 0, 28:36, 28:36].amax() > 0.99
    # Far from where the geometry moves anything the picture is untouched.
    assert torch.equal(compose(image, edit)[..., :4], image[..., :4])


def test_a_thin_hole_opens_the_mask_only_in_part(image: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    def line(_: object, __: Tensor, displacement: Tensor, size_px: int) -> Tensor:
        out = torch.zeros(displacement.shape[0], 2, size_px, size_px)
        out[:, 1, 32] = 1
        return out

    generator = with_random_heads(motion(mask_dilation_fraction=0.05))
    generator.network.pixel_head.bias.data.fill_(1000)
    monkeypatch.setattr(FakeGeometry, "holes", line)
    mask = generator(image, DELTA, LANDMARKS).mask
    assert mask.max().item() == pytest.approx(2 / 7, abs=1e-3)  # one row of a window of seven, twice


def test_nothing_is_corrected_where_lips_or_lids_shut(image: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = with_random_heads(motion())
    moved = generator(image, DELTA, LANDMARKS)
    flow = FakeGeometry().flow(LANDMARKS, FakeGeometry().displacement(DELTA, LANDMARKS), S)
    assert (moved.flow - flow).abs().max() > 0
    monkeypatch.setattr(FakeGeometry, "joint", 1.0)
    shut = generator(image, DELTA, LANDMARKS)
    assert torch.equal(shut.flow, flow)
    assert shut.shade.count_nonzero() == 0


def test_displacement_overrides_the_geometry(image: Tensor) -> None:
    given = torch.zeros(2, 478, 2)
    given[..., 1] = 2
    edit = motion()(image, DELTA, LANDMARKS, displacement=given)
    assert edit.flow[:, 1].min() == -2
    assert edit.flow[:, 0].count_nonzero() == 0


def test_the_network_hears_the_condition_not_only_the_geometry(image: Tensor) -> None:
    generator = with_random_heads(motion())
    still = torch.zeros(2, 478, 2)
    one = generator(image, DELTA, LANDMARKS, displacement=still)
    two = generator(image, DELTA.roll(1, 1), LANDMARKS, displacement=still)
    assert (one.mask - two.mask).abs().max() > 1e-3


def test_identity_network_has_no_parameters(image: Tensor) -> None:
    generator = motion(width=0)
    assert count(generator) == 0
    edit = generator(image, DELTA, LANDMARKS)
    assert torch.equal(compose(image, edit), warp(image, edit.flow))
    assert edit.mask.count_nonzero() == 0
    assert edit.flow.abs().max() == 4


def test_geometry_is_saved_but_not_trained() -> None:
    generator = motion()
    assert "geometry.weight" in generator.state_dict()
    assert not [name for name, _ in generator.named_parameters() if name.startswith("geometry")]


def test_with_the_real_geometry(image: Tensor) -> None:
    random = np.random.default_rng(0)
    shape = torch.tensor(random.uniform(-0.5, 0.5, (478, 3)), dtype=torch.float32)
    triangles = torch.tensor(Delaunay(shape[:, :2].numpy()).simplices, dtype=torch.int64)
    weight = torch.tensor(random.normal(0, 0.05, (C, 478, 3)), dtype=torch.float32)
    geometry = GeometryModel.from_fit(weight, shape, triangles)
    generator = with_random_heads(Generator(config(), geometry))
    landmarks = (shape * 30 + S / 2).expand(2, -1, -1)
    edit = generator(image, DELTA, landmarks)
    assert edit.flow.abs().max() > 0.5
    assert compose(image, edit).isfinite().all()
    still = generator(image, torch.zeros(2, C), landmarks)
    assert torch.equal(compose(image, still), image)


# --- compose, config and refusals -------------------------------------------------------------------


def test_compose_by_hand() -> None:
    image = torch.full((1, 3, 2, 2), 0.5)
    edit = Edit(
        torch.zeros(1, 2, 2, 2),
        torch.full((1, 1, 2, 2), 0.25),
        torch.full((1, 3, 2, 2), -1.0),
        torch.full((1, 3, 2, 2), 0.1),
    )
    assert compose(image, edit).unique().item() == pytest.approx(0.75 * 0.6 - 0.25)


def test_config_survives_json() -> None:
    one = config(k_msf=1)
    assert GeneratorConfig(**json.loads(json.dumps(one.as_json()))) == one


def test_repr_shows_no_pixels(image: Tensor) -> None:
    assert "tensor(" not in repr(rgb()(image, DELTA))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": "x"}, "head is 'x', expected 'rgb' or 'motion'"),
        ({"norm": "batch"}, "norm is 'batch', expected 'instance', 'group' or 'none'"),
        ({"levels": 0}, "levels is 0, expected 1 to 8"),
        ({"k_msf": 4}, "k_msf is 4, expected 0 to 3"),
        ({"au_count": 0}, "au_count is 0"),
        ({"width": -1}, "width is -1, expected 0 to 1024"),
        ({"width": 2.5}, "width is 2.5"),
        ({"width": 0, "head": "rgb"}, "width is 0, expected 1 to 1024"),
        ({"crop_px": 100}, "crop_px is 100, expected a multiple of 32 from 64"),
        ({"crop_px": 16, "head": "rgb"}, "crop_px is 16, expected a multiple of 16 from 32"),
        ({"shade_limit": 2.0}, "shade_limit is 2.0, expected 0 to 1"),
    ],
)
def test_config_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(**changes)


def test_edit_refuses_a_part_of_another_shape() -> None:
    x = torch.zeros(1, 3, 4, 4)
    with pytest.raises(ValueError, match=r"Edit.mask has shape \(1, 3, 4, 4\), expected \(1, 1, 4, 4\)"):
        Edit(x[:, :2], x, x, x)


def test_generator_refuses_what_does_not_fit(image: Tensor) -> None:
    with pytest.raises(ValueError, match="motion head needs a geometry model"):
        Generator(config())
    with pytest.raises(ValueError, match="geometry model has 3 action units, the generator 4"):
        Generator(config(au_count=4), FakeGeometry())
    generator = motion()
    with pytest.raises(ValueError, match=r"image is \(2, 3, 32, 32\), this generator works on \(B, 3, 64, 64\)"):
        generator(image[..., :32, :32], DELTA, LANDMARKS)
    with pytest.raises(ValueError, match=r"delta_au is \(2, 2\), this generator needs \(2, 3\)"):
        generator(image, DELTA[:, :2], LANDMARKS)
    with pytest.raises(ValueError, match="landmarks are missing"):
        generator(image, DELTA)


def test_what_the_plate_shows_is_not_painted_over() -> None:
    generator = with_random_heads(motion())
    image, delta, landmarks = torch.rand(1, 3, S, S), torch.tensor([[1.0, 0, 0]]), torch.zeros(1, 478, 3)
    masks = {}
    for new in (0.0, 0.5, 1.0):
        generator.geometry.new = new
        masks[new] = generator(image, delta, landmarks).mask
    assert masks[1.0].max() > 0
    assert torch.equal(masks[0.0], torch.zeros_like(masks[0.0]))
    torch.testing.assert_close(masks[0.5], 0.5 * masks[1.0])


def test_unshuffling_is_torch_s() -> None:
    maps = torch.rand(2, 5, 12, 8)
    assert torch.equal(_unshuffled(maps), torch.nn.functional.pixel_unshuffle(maps, SHUFFLE))
