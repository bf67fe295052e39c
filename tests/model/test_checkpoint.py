import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from retarget.model import action_units
from retarget.model.checkpoint import default_checkpoint_path, load_checkpoint, save_checkpoint
from retarget.model.crop_spec import CropSpec
from retarget.model.errors import CheckpointError, RetargetError
from retarget.model.ganimation import GanimationConfig, GanimationGenerator
from retarget.model.generator import EditInput, Generator, GeneratorConfig
from retarget.model.geometry import GeometryModel
from retarget.model.response import FaceResponse, ResponseConfig

CROP = CropSpec(size_px=64, eye_distance_fraction=0.3)
SOURCE = "some-tracker/1"


def geometry() -> GeometryModel:
    random = torch.Generator().manual_seed(5)
    weight = torch.randn(action_units.COUNT, 478, 3, generator=random)
    shape = torch.randn(478, 3, generator=random)
    return GeometryModel.from_fit(weight, shape, torch.randint(0, 478, (7, 3), generator=random))


def motion(width: int = 4, *, response: bool = False) -> Generator:
    torch.manual_seed(0)
    own = geometry()
    if response:
        learnt = FaceResponse(ResponseConfig(au_count=action_units.COUNT, shape_count=3, motion_count=2, width=5))
        own = GeometryModel.from_fit(own.weight, own.mean_shape, own.triangles, learnt)
    generator = Generator(GeneratorConfig(width=width, crop_px=64, k_msf=1), own)
    for parameter in generator.parameters():
        nn.init.normal_(parameter)
    return generator


def responsive() -> Generator:
    return motion(response=True)


def rgb() -> Generator:
    torch.manual_seed(0)
    return Generator(GeneratorConfig.paper(width=2, crop_px=64, k_msf=1))


def save(path: Path, generator: Generator, **options: Any) -> Path:
    save_checkpoint(path, generator, crop=CROP, au_source=SOURCE, **options)
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save(tmp_path / "a.safetensors", motion())


def read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    with safe_open(path, framework="pt") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], Any]) -> Path:
    """The file with its description or tensors changed."""
    metadata, tensors = read(path)
    description = json.loads(metadata["retarget"])
    change(description, tensors)
    save_file(tensors, path, {"retarget": json.dumps(description)})
    return path


@pytest.mark.parametrize(
    "make", [motion, responsive, rgb, lambda: motion(width=0)], ids=["motion", "response", "rgb", "identity"]
)
def test_round_trip_is_bit_exact(tmp_path: Path, make: Callable[[], Generator]) -> None:
    generator = make()
    path = save(tmp_path / "a.safetensors", generator, provenance={"steps": 3, "data": ["x"]})
    loaded = load_checkpoint(path)
    assert loaded.generator_config == generator.config
    assert loaded.action_units == action_units.NAMES
    assert (loaded.crop, loaded.au_source) == (CROP, SOURCE)
    assert loaded.provenance == {"steps": 3, "data": ["x"]}
    rebuilt = loaded.build_editor().generator
    assert not rebuilt.training
    before, after = generator.state_dict(), rebuilt.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_rebuilt_generator_answers_the_same(tmp_path: Path) -> None:
    generator, image, delta = rgb().eval(), torch.rand(1, 3, 64, 64), torch.rand(1, action_units.COUNT)
    rebuilt = load_checkpoint(save(tmp_path / "a.safetensors", generator)).build_editor().generator
    assert torch.equal(rebuilt(image, delta).paint, generator(image, delta).paint)


def test_identity_holds_only_geometry(tmp_path: Path) -> None:
    _, tensors = read(save(tmp_path / "a.safetensors", motion(width=0)))
    assert sorted(tensors) == ["geometry.mean_shape", "geometry.triangles", "geometry.weight"]


def test_fp16_halves_the_network_but_not_the_geometry(tmp_path: Path) -> None:
    generator = responsive()
    path = save(tmp_path / "a.safetensors", generator, precision="fp16")
    _, tensors = read(path)
    assert {t.dtype for n, t in tensors.items() if n.startswith("network.")} == {torch.float16}
    before, after = generator.state_dict(), load_checkpoint(path).build_editor().generator.state_dict()
    for name, tensor in before.items():
        assert after[name].dtype == tensor.dtype
        if name.startswith("geometry."):
            assert torch.equal(after[name], tensor)
        else:  # 11 significant bits, and a fixed step below 2^-14
            assert torch.allclose(after[name], tensor, rtol=2**-11, atol=2**-24)


def test_a_file_of_format_2_has_no_response(saved: Path) -> None:
    def older(description: dict[str, Any], _: Any) -> None:
        description["format_version"] = 2
        del description["geometry"]["response"]

    loaded = load_checkpoint(rewrite(saved, older))
    assert loaded.geometry_config is not None
    assert loaded.geometry_config.response is None
    assert loaded.build_editor().paints


def test_build_copies(saved: Path) -> None:
    loaded = load_checkpoint(saved)
    one, two = loaded.build_editor().generator, loaded.build_editor().generator
    for parameter in one.parameters():
        parameter.data.zero_()
    assert all(p.abs().sum() > 0 for p in two.parameters())


def test_saving_leaves_one_file_and_replaces_the_old(saved: Path) -> None:
    save(saved, motion(width=0))
    assert load_checkpoint(saved).generator_config.width == 0
    assert [p.name for p in saved.parent.iterdir()] == ["a.safetensors"]


def test_a_failed_save_keeps_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def fill_the_disk(path: Path, data: bytes) -> None:
        path.open("wb").write(data[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill_the_disk)
    with pytest.raises(CheckpointError, match=r"cannot write the checkpoint .*a\.safetensors: .*No space left"):
        save(saved, motion(width=0))
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == ["a.safetensors"]


def test_saving_into_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot write the checkpoint"):
        save(tmp_path / "missing" / "a.safetensors", rgb())


def test_refuses_to_save_what_is_not_finite(tmp_path: Path) -> None:
    generator = motion()
    generator.network.pixel_head.bias.data[0] = float("nan")
    with pytest.raises(CheckpointError, match=r"tensor network\.pixel_head\.bias is not finite"):
        save(tmp_path / "a.safetensors", generator)
    generator.network.pixel_head.bias.data[0] = 1e6  # beyond fp16's 65504
    with pytest.raises(CheckpointError, match=r"not finite; training diverged or fp16 is too narrow"):
        save(tmp_path / "a.safetensors", generator, precision="fp16")
    assert list(tmp_path.iterdir()) == []


def test_refuses_to_save_a_generator_for_other_action_units(tmp_path: Path) -> None:
    generator = Generator(GeneratorConfig(head="rgb", width=2, crop_px=64, au_count=17))
    with pytest.raises(CheckpointError, match="generator takes 17 action units, but 46 are named"):
        save(tmp_path / "a.safetensors", generator)


@pytest.mark.parametrize("condition", ["relative", "absolute"])
def test_networks_with_fewer_action_units_and_other_conditions(tmp_path: Path, condition: Any) -> None:
    torch.manual_seed(0)
    names = action_units.OPENFACE_NAMES
    generator = GanimationGenerator(GanimationConfig(width=2, residual_blocks=1, au_count=17, crop_px=64))
    path = save(tmp_path / "a.safetensors", generator, action_units=names, condition=condition)
    loaded = load_checkpoint(path)
    assert (loaded.action_units, loaded.condition) == (names, condition)
    editor, image = loaded.build_editor(), torch.rand(1, 3, 64, 64)
    source, delta = torch.rand(1, action_units.COUNT), torch.rand(1, action_units.COUNT)
    wanted = delta if condition == "relative" else source + delta
    both = [list(action_units.resolve(name)) for name in names]
    by_hand = torch.stack([wanted[0, entries].mean() for entries in both])[None]
    answer = editor(EditInput(image, source, delta, torch.zeros(1, 478, 3)))
    assert torch.allclose(answer.paint, generator.eval()(image, by_hand).paint, atol=1e-6)


def test_a_motion_generator_needs_the_full_schema(tmp_path: Path) -> None:
    for options in ({"condition": "absolute"}, {"action_units": tuple(reversed(action_units.NAMES))}):
        with pytest.raises(CheckpointError, match="motion generator made for other action units"):
            save(tmp_path / "a.safetensors", motion(), **options)


def test_refuses_to_save_with_another_crop(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="works on 64 px crops, the crop spec says 256 px"):
        save_checkpoint(tmp_path / "a.safetensors", rgb(), crop=CropSpec(), au_source=SOURCE)


def test_refuses_a_missing_file_or_a_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing\.safetensors does not exist; name a"):
        load_checkpoint(tmp_path / "nothing.safetensors")
    with pytest.raises(CheckpointError, match="is a folder; name a"):
        load_checkpoint(tmp_path)


def test_refuses_a_pickle_without_running_it(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    (tmp_path / "a.safetensors").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match=r"a\.safetensors is not a whole safetensors file"):
        load_checkpoint(tmp_path / "a.safetensors")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("keep", [0, 5, 0.5, -1])
def test_refuses_a_file_cut_short(saved: Path, keep: float) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[: int(keep * len(data)) if keep == 0.5 else int(keep)])
    with pytest.raises(CheckpointError, match="is not a whole safetensors file"):
        load_checkpoint(saved)


def test_refuses_another_models_file(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="has no retarget metadata"):
        load_checkpoint(tmp_path / "a.safetensors")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format_version": null}'])
def test_refuses_unreadable_metadata(saved: Path, text: str) -> None:
    _, tensors = read(saved)
    save_file(tensors, saved, {"retarget": text})
    with pytest.raises(CheckpointError, match="unreadable retarget metadata"):
        load_checkpoint(saved)


def _set(*path: str, to: Any) -> Callable[[dict[str, Any], Any], None]:
    def change(description: dict[str, Any], _: Any) -> None:
        for key in path[:-1]:
            description = description[key]
        description[path[-1]] = to

    return change


def _reverse(description: dict[str, Any], _: Any) -> None:
    description["action_units"].reverse()


def _twice(description: dict[str, Any], _: Any) -> None:
    description["action_units"][-1] = "AU12L"


def _swap_units(description: dict[str, Any], _: Any) -> None:
    names = description["action_units"]
    names[names.index("AU26")] = "AU99"


def _drop(*path: str) -> Callable[[dict[str, Any], Any], None]:
    def change(description: dict[str, Any], _: Any) -> None:
        for key in path[:-1]:
            description = description[key]
        del description[path[-1]]

    return change


def _drop_tensors(_: Any, tensors: dict[str, torch.Tensor]) -> None:
    del tensors["network.flow_head.bias"], tensors["network.flow_head.weight"]


def _add_tensor(_: Any, tensors: dict[str, torch.Tensor]) -> None:
    tensors["network.extra"] = torch.zeros(1)


def _reshape_tensor(_: Any, tensors: dict[str, torch.Tensor]) -> None:
    tensors["network.flow_head.bias"] = torch.zeros(3)


def _poison(_: Any, tensors: dict[str, torch.Tensor]) -> None:
    tensors["geometry.weight"][0, 0, 0] = float("inf")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("format_version", to=4), "has checkpoint format 4, newer than 3, .*; upgrade retarget"),
        (_set("format_version", to=1), "has checkpoint format 1, older than 2, .*; export it anew"),
        (_swap_units, "other action units: unknown action unit 'AU99'"),
        (_twice, "other action units: action unit 'AU12L' is named twice"),
        (_reverse, "made for other action units than this retarget's 46"),
        (_drop("action_units"), "unreadable list of action units"),
        (_set("condition", to="sideways"), "its condition is 'sideways'"),
        (
            _set("architecture", to="transformer"),
            "holds a 'transformer' network; .* knows msf, ganimation",
        ),
        (_set("action_units", to=None), "unreadable list of action units"),
        (_drop("au_source"), "has no 'au_source' in its metadata"),
        (_drop("generator", "k_msf"), "its GeneratorConfig lacks k_msf"),
        (_set("generator", "depth", to=1), "its GeneratorConfig has unknown depth"),
        (_set("generator", "k_msf", to=9), "its GeneratorConfig makes no sense .*k_msf is 9"),
        (_set("generator", to=3), "its GeneratorConfig lacks au_count, "),
        (_set("crop", "size_px", to="big"), "its CropSpec makes no sense"),
        (_set("crop", "size_px", to=128), "works on 64 px crops, the crop spec says 128 px"),
        (_set("geometry", to=None), "motion generator without a geometry model"),
        (_set("geometry", "au_count", to=17), "geometry model takes 17 action units, the schema has 46"),
        (_drop_tensors, r"lacks the tensor network\.flow_head\.bias and 1 more"),
        (_add_tensor, r"has an unexpected tensor network\.extra;"),
        (_reshape_tensor, r"tensor network\.flow_head\.bias is \(3,\), its config needs \(2,\)"),
        (_set("generator", "width", to=1024), "its config needs"),
        (_poison, r"tensor geometry\.weight is not finite"),
    ],
)
def test_refuses_by_name_of_what_differs(saved: Path, change: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(rewrite(saved, change))
    assert "a.safetensors" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_error_is_a_value_error_of_our_family() -> None:
    assert issubclass(CheckpointError, ValueError)
    assert issubclass(CheckpointError, RetargetError)


def test_the_default_lies_inside_the_model_room() -> None:
    path = default_checkpoint_path()
    assert path.name == "default.safetensors"
    assert (path.parent / "action_units.py").is_file()


@pytest.mark.parametrize(
    "change",
    [
        lambda d, _: d["generator"].update(width="8"),
        lambda d, _: d["generator"].update(width=True),
        lambda d, _: d["generator"].update(levels=[4]),
        lambda d, _: d["generator"].update(shade_limit=None),
        lambda d, _: d["generator"].update(crop_px=10**12),
        lambda d, _: d["crop"].update(size_px=64.0),
        lambda d, _: d.update(architecture=["motion"]),
        lambda d, _: d.update(generator=[1]),
        lambda d, _: d.update(geometry=3),
        lambda d, _: d.update(crop=None),
        lambda _, t: t.update({next(iter(t)): t[next(iter(t))].to(torch.float8_e4m3fn)}),
        lambda _, t: t.update({next(iter(t)): t[next(iter(t))].to(torch.int32)}),
        lambda _, t: t.update({next(iter(t)): t[next(iter(t))].to(torch.complex64)}),
    ],
)
def test_wrong_types_are_refused_in_one_line(saved: Path, change: Callable[[Any, Any], Any]) -> None:
    rewrite(saved, change)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(saved)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format_version": 1e999}', "1" * 5000, '"x"', "null"])
def test_metadata_of_a_stranger(saved: Path, text: str) -> None:
    save_file(read(saved)[1], saved, {"retarget": text})
    with pytest.raises(CheckpointError, match="unreadable retarget metadata"):
        load_checkpoint(saved)
