"""Whatever action units a network knows, it is asked on the full schema."""

import pytest
import torch

from retarget.model import action_units
from retarget.model.editor import Editor, projection
from retarget.model.errors import UnknownActionUnitError
from retarget.model.generator import Generator, GeneratorConfig


def paper(names: tuple[str, ...], condition: str = "relative") -> Editor:
    torch.manual_seed(0)
    config = GeneratorConfig(head="rgb", width=2, crop_px=64, k_msf=1, levels=2, au_count=len(names))
    return Editor(Generator(config), action_units=names, condition=condition)  # type: ignore[arg-type]


def test_two_sides_that_share_one_entry_are_averaged() -> None:
    au = torch.zeros(1, action_units.COUNT)
    au[0, list(action_units.resolve("AU12L"))] = 0.8
    au[0, list(action_units.resolve("AU26"))] = 0.5
    assert (au @ projection(("AU26", "AU12"))).tolist() == [[0.5, pytest.approx(0.4)]]
    assert torch.equal(au @ projection(action_units.NAMES), au)


def test_relative_networks_do_not_look_at_the_source_and_absolute_ones_do() -> None:
    image, landmarks = torch.rand(1, 3, 64, 64), torch.zeros(1, 478, 3)
    one, other = torch.zeros(1, action_units.COUNT), torch.ones(1, action_units.COUNT) * 0.4
    delta = torch.full_like(one, 0.3)
    relative = paper(("AU12", "AU26"))
    assert torch.equal(
        relative(image, one, delta, landmarks).paint, relative(image, other, delta, landmarks).paint
    )
    absolute = paper(("AU12", "AU26"), "absolute")
    moved = absolute(image, other, delta, landmarks).paint
    assert not torch.equal(absolute(image, one, delta, landmarks).paint, moved)
    # the same target, from another source
    assert torch.allclose(absolute(image, one, delta + other, landmarks).paint, moved, atol=1e-6)


def test_refusals() -> None:
    with pytest.raises(UnknownActionUnitError, match="'AU12L' is named twice"):
        projection(("AU12", "AU12L"))
    with pytest.raises(ValueError, match="takes 2 action units, 1 are named"):
        Editor(paper(("AU12", "AU26")).generator, action_units=("AU12",))
    with pytest.raises(ValueError, match="condition is 'sideways'"):
        paper(("AU12",), "sideways")
