"""Whatever action units a network knows, it is asked on the full schema."""

from collections.abc import Callable

import pytest
import torch

from retarget.model import action_units
from retarget.model.editor import Editor, projection
from retarget.model.errors import UnknownActionUnitError
from retarget.model.ganimation import GanimationConfig, GanimationGenerator
from retarget.model.generator import Edit, EditInput, Generator, GeneratorConfig, Head
from retarget.model.geometry import GeometryModel


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

    def painted(editor: Editor, source_au: torch.Tensor, delta_au: torch.Tensor) -> torch.Tensor:
        edit: Edit = editor(EditInput(image, source_au, delta_au, landmarks))
        return edit.paint

    assert torch.equal(painted(relative, one, delta), painted(relative, other, delta))
    absolute = paper(("AU12", "AU26"), "absolute")
    moved = painted(absolute, other, delta)
    assert not torch.equal(painted(absolute, one, delta), moved)
    # the same target, from another source
    assert torch.allclose(painted(absolute, one, delta + other), moved, atol=1e-6)


def test_every_head_is_asked_alike(make_geometry: Callable[..., GeometryModel]) -> None:
    motion = Generator(GeneratorConfig(width=2, crop_px=64, levels=2, k_msf=1), make_geometry({}))
    warp = Generator(GeneratorConfig(width=0, crop_px=64), make_geometry({}))
    rgb = paper(("AU12", "AU26")).generator
    ganimation = GanimationGenerator(GanimationConfig(width=2, residual_blocks=0, au_count=2, crop_px=64))
    heads: list[Head] = [motion, warp, rgb, ganimation]
    assert [head.moves for head in heads] == [True, True, False, False]
    assert [head.learnt is not None for head in heads] == [True, False, True, True]
    assert [head.shade_limit for head in heads] == [0.15, 0.15, 0, 0]
    for head in heads:
        names = action_units.NAMES if head.moves else ("AU12", "AU26")
        editor = Editor(head, action_units=names)
        assert (editor.geometry is not None) == head.moves
        nothing = torch.zeros(1, action_units.COUNT)
        given = EditInput(torch.rand(1, 3, 64, 64), nothing, nothing, torch.rand(1, 478, 3) * 64)
        assert editor(given).paint.shape == given.image.shape


def test_refusals() -> None:
    with pytest.raises(UnknownActionUnitError, match="'AU12L' is named twice"):
        projection(("AU12", "AU12L"))
    with pytest.raises(ValueError, match="takes 2 action units, 1 are named"):
        Editor(paper(("AU12", "AU26")).generator, action_units=("AU12",))
    with pytest.raises(ValueError, match="condition is 'sideways'"):
        paper(("AU12",), "sideways")
