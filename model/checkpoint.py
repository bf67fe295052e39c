"""Checkpoints: one safetensors file with the tensors and, as JSON, everything needed to use them.

A file that does not fit is refused by the name of what differs. Nothing is ever unpickled.
"""

from __future__ import annotations

import importlib.resources
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from . import action_units as schema
from .crop_spec import CropSpec
from .editor import Condition, Editor, projection
from .errors import CheckpointError, UnknownActionUnitError
from .files import whole_file
from .ganimation import GanimationConfig, GanimationGenerator
from .generator import Generator, GeneratorConfig, Head
from .geometry import GeometryConfig, GeometryModel
from .plain_json import parse_json
from .response import ResponseConfig

FORMAT_VERSION = 3
"""Raised when an older `retarget` could not read a newer file correctly. 3: a geometry may have a response."""

OLDEST_FORMAT_VERSION = 2

Precision = Literal["fp32", "fp16"]

_METADATA_KEY = "retarget"
_GEOMETRY_PREFIX = "geometry."

_ARCHITECTURES: Mapping[str, type[GeneratorConfig] | type[GanimationConfig]] = {
    "msf": GeneratorConfig,
    "ganimation": GanimationConfig,
}
"""What a checkpoint's generator can be: ours and the paper's, or the paper's baseline."""

_Config = TypeVar("_Config", bound=GeneratorConfig | GanimationConfig | GeometryConfig | ResponseConfig | CropSpec)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained generator at rest: what it is, what it expects, and its tensors."""

    generator_config: GeneratorConfig | GanimationConfig
    action_units: tuple[str, ...]
    """What it was trained on, in vector order: the full schema, or some of it without sides ("AU12")."""
    crop: CropSpec
    """How a face has to sit in its crops."""
    geometry_config: GeometryConfig | None
    """None for a generator without geometry (the rgb head)."""
    state: Mapping[str, Tensor] = field(repr=False)
    """`Generator.state_dict()`: the network's tensors under "network.", the geometry's under "geometry."."""
    au_source: str = ""
    """Which tracker measured the action units it was trained on; another one's may mean something else."""
    condition: Condition = "relative"
    """Whether its condition is the change that is asked for, or the target."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """How it was trained (data, steps, losses, versions), as JSON types."""

    def build_editor(self) -> Editor:
        """A new editor in eval mode on the CPU, float32, with these tensors."""
        generator = self._empty_generator()
        generator.load_state_dict(dict(self.state))  # copies, and widens fp16 to the module's float32
        return Editor(generator, action_units=self.action_units, condition=self.condition).eval()

    def _empty_generator(self) -> Head:
        if isinstance(self.generator_config, GanimationConfig):
            return GanimationGenerator(self.generator_config)
        geometry = GeometryModel(self.geometry_config) if self.geometry_config else None
        return Generator(self.generator_config, geometry)


def default_checkpoint_path() -> Path:
    """Where the checkpoint that comes with the package is; the file need not exist."""
    return Path(str(importlib.resources.files("retarget.model"))) / "default.safetensors"


def save_checkpoint(
    path: Path | str,
    generator: Head,
    *,
    crop: CropSpec,
    au_source: str,
    action_units: Sequence[str] = schema.NAMES,
    condition: Condition = "relative",
    provenance: Mapping[str, Any] | None = None,
    precision: Precision = "fp32",
) -> None:
    """Write a generator with its geometry. The file appears whole or not at all.

    "fp16" halves the file; the geometry stays in float32, because pixels depend on it directly.

    Raises:
        CheckpointError: the weights are not finite (or overflow fp16), the generator does not fit the action
            units or the crop, or the file cannot be written.
    """
    path = Path(path)
    tensors = {name: _stored(name, tensor, precision) for name, tensor in generator.state_dict().items()}
    geometry = generator.geometry
    checkpoint = Checkpoint(
        generator.config,
        tuple(action_units),
        crop,
        geometry.config if geometry is not None else None,
        tensors,
        au_source,
        condition,
        provenance or {},
    )
    _check_consistent(path, checkpoint)
    _check_finite(path, tensors)
    metadata = {_METADATA_KEY: json.dumps(_description(checkpoint), sort_keys=True)}
    try:
        with whole_file(path) as part:
            part.write_bytes(save(tensors, metadata))  # safetensors' own file would be its owner's alone to read
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot write the checkpoint {path}: {error}") from error


def load_checkpoint(path: Path | str) -> Checkpoint:
    """Read and check a checkpoint; its tensors are on the CPU.

    Raises:
        CheckpointError: the file is missing or no safetensors file, has no, broken or newer metadata, was
            made for other action units, or its tensors do not fit its own config.
    """
    path = Path(path)
    metadata, tensors = _read(path)
    description = _parse(path, metadata)
    _check_action_units(path, description.get("action_units"))
    try:
        checkpoint = Checkpoint(
            _rebuilt(path, _architecture(path, description), description["generator"]),
            tuple(description["action_units"]),
            _rebuilt(path, CropSpec, description["crop"]),
            _geometry(path, description),
            tensors,
            description["au_source"],
            description["condition"],
            description["provenance"],
        )
    except KeyError as error:
        raise CheckpointError(f"{path} has no {error} in its metadata; it is damaged, get it again") from error
    except (TypeError, AttributeError) as error:  # what is there is of another type
        raise CheckpointError(f"{path} has unreadable retarget metadata; it is damaged, get it again") from error
    _check_consistent(path, checkpoint)
    _check_tensors(path, checkpoint)
    _check_finite(path, tensors)
    return checkpoint


def _stored(name: str, tensor: Tensor, precision: Precision) -> Tensor:
    narrow = precision == "fp16" and tensor.is_floating_point() and not name.startswith(_GEOMETRY_PREFIX)
    # A copy of its own: safetensors refuses tensors that share memory.
    return tensor.detach().to("cpu", torch.float16 if narrow else tensor.dtype, copy=True).contiguous()


def _description(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "architecture": next(n for n, c in _ARCHITECTURES.items() if isinstance(checkpoint.generator_config, c)),
        "generator": asdict(checkpoint.generator_config),
        "action_units": list(checkpoint.action_units),
        "crop": asdict(checkpoint.crop),
        "geometry": asdict(checkpoint.geometry_config) if checkpoint.geometry_config else None,
        "au_source": checkpoint.au_source,
        "condition": checkpoint.condition,
        "provenance": dict(checkpoint.provenance),
    }


def _read(path: Path) -> tuple[Mapping[str, str], dict[str, Tensor]]:
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise CheckpointError(f"the checkpoint {path} {problem}; name a .safetensors file")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a whole safetensors file ({error}); get or save it again") from error


def _parse(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if _METADATA_KEY not in metadata:
        raise CheckpointError(f"{path} has no retarget metadata; it is some other model's file")
    try:
        description = parse_json(metadata[_METADATA_KEY])
        version = int(description["format_version"])
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path} has unreadable retarget metadata; it is damaged, get it again") from error
    if version > FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has checkpoint format {version}, newer than {FORMAT_VERSION}, the last that this "
            "retarget reads; upgrade retarget"
        )
    if version < OLDEST_FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has checkpoint format {version}, older than {OLDEST_FORMAT_VERSION}, the first that this "
            "retarget reads; export it anew"
        )
    return dict(description)


def _architecture(path: Path, description: Mapping[str, Any]) -> type[GeneratorConfig] | type[GanimationConfig]:
    name = description["architecture"]
    if name not in _ARCHITECTURES:
        raise CheckpointError(
            f"{path} holds a {name!r} network; this retarget knows {', '.join(_ARCHITECTURES)}; upgrade retarget"
        )
    return _ARCHITECTURES[name]


def _geometry(path: Path, description: Mapping[str, Any]) -> GeometryConfig | None:
    values = description["geometry"]
    if not values:
        return None
    if int(description["format_version"]) == OLDEST_FORMAT_VERSION and isinstance(values, dict):
        values = values | {"response": None}
    config = _rebuilt(path, GeometryConfig, values)
    if config.response is None:
        return config
    return replace(config, response=_rebuilt(path, ResponseConfig, config.response))


def _check_action_units(path: Path, names: Any) -> None:
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise CheckpointError(f"{path} has an unreadable list of action units; it is damaged, get it again")
    try:
        projection(names)
    except UnknownActionUnitError as error:
        raise CheckpointError(f"{path} was trained on other action units: {error}") from error


def _rebuilt(path: Path, config: type[_Config], values: Any) -> _Config:
    """The config from its JSON; a missing field is refused, for the default may have been another."""
    name = config.__name__
    known, given = {item.name for item in fields(config)}, set(values) if isinstance(values, dict) else set()
    if known != given:
        parts = [f"lacks {', '.join(sorted(known - given))}"] * bool(known - given)
        parts += [f"has unknown {', '.join(sorted(given - known))}"] * bool(given - known)
        raise CheckpointError(f"{path}: its {name} {' and '.join(parts)}; it was made by another retarget")
    try:
        _check_numbers(config, values)
        return config(**values)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: its {name} makes no sense ({error}); it is damaged, get it again"
        ) from error


_MOST = 1 << 20
"""Of whatever a config counts."""


def _check_numbers(config: type[_Config], values: Mapping[str, Any]) -> None:
    """Raises ValueError if a field that is a number holds anything else."""
    for item in fields(config):
        value = values[item.name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if item.type == "int" and not (is_number and isinstance(value, int) and abs(value) <= _MOST):
            raise ValueError(f"{item.name} is {str(value)[:40]}, expected a whole number")
        if item.type == "float" and not (is_number and math.isfinite(value)):
            raise ValueError(f"{item.name} is {str(value)[:40]}, expected a number")


def _check_consistent(path: Path, checkpoint: Checkpoint) -> None:
    config, geometry, count = (
        checkpoint.generator_config,
        checkpoint.geometry_config,
        len(checkpoint.action_units),
    )
    _check_action_units(path, checkpoint.action_units)
    if checkpoint.condition not in get_args(Condition):
        raise CheckpointError(f"{path}: its condition is {checkpoint.condition!r}; it is damaged, get it again")
    if config.au_count != count:
        raise CheckpointError(
            f"{path}: the generator takes {config.au_count} action units, but {count} are named; train anew"
        )
    if config.crop_px != checkpoint.crop.size_px:
        raise CheckpointError(
            f"{path}: the generator works on {config.crop_px} px crops, the crop spec says "
            f"{checkpoint.crop.size_px} px; make them equal"
        )
    if geometry is not None and geometry.au_count != schema.COUNT:
        raise CheckpointError(
            f"{path}: the geometry model takes {geometry.au_count} action units, the schema has {schema.COUNT}; "
            "fit it anew"
        )
    if not (isinstance(config, GeneratorConfig) and config.head == "motion"):
        return
    if geometry is None:
        raise CheckpointError(f"{path}: a motion generator without a geometry model; save it with one")
    if checkpoint.action_units != schema.NAMES or checkpoint.condition != "relative":
        raise CheckpointError(
            f"{path}: a motion generator made for other action units than this retarget's {schema.COUNT}, "
            "relative; use the retarget it was made with, or train anew"
        )


_FLOATS = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})


def _check_tensors(path: Path, checkpoint: Checkpoint) -> None:
    """Raises unless the tensors' names and shapes are exactly those of the generator they are for."""
    with torch.device("meta"):  # shapes only: no memory for whatever size a file claims
        wanted = checkpoint._empty_generator().state_dict()
    for problem, names in (
        ("lacks the tensor", wanted.keys() - checkpoint.state.keys()),
        ("has an unexpected tensor", checkpoint.state.keys() - wanted.keys()),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise CheckpointError(f"{path} {problem} {min(names)}{more}; it does not fit its own config")
    for name, tensor in checkpoint.state.items():
        if tensor.dtype not in (_FLOATS if wanted[name].is_floating_point() else {wanted[name].dtype}):
            raise CheckpointError(
                f"{path}: tensor {name} is {str(tensor.dtype).removeprefix('torch.')}, which its config does not "
                "have; it is damaged, get it again"
            )
        if tensor.shape != wanted[name].shape:
            raise CheckpointError(
                f"{path}: tensor {name} is {tuple(tensor.shape)}, its config needs "
                f"{tuple(wanted[name].shape)}; it does not fit its own config"
            )


def _check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{path}: tensor {name} is not finite; training diverged or fp16 is too narrow")
