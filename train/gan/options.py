"""What a training run can be asked for: checked, with every default, and the recipes by name.

A recipe is a set of options in `recipes.yaml`; a config file of one's own may start from one with `base: NAME`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retarget.model import action_units
from retarget.model.editor import Condition
from retarget.model.errors import RetargetError
from retarget.model.ganimation import GanimationConfig
from retarget.model.generator import GeneratorConfig


class ConfigError(RetargetError, ValueError):
    """A training config that cannot be used."""


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class GeneratorOptions(_Options):
    """Which network; the fields are those of `GeneratorConfig` and `GanimationConfig`."""

    architecture: Literal["msf", "ganimation"] = "msf"
    head: Literal["rgb", "motion"] = GeneratorConfig.head
    width: int = GeneratorConfig.width
    levels: int = GeneratorConfig.levels
    k_msf: int = GeneratorConfig.k_msf
    norm: Literal["instance", "group", "none"] = GeneratorConfig.norm
    residual_blocks: int = GanimationConfig.residual_blocks
    """Of ganimation."""
    crop_px: int = GeneratorConfig.crop_px
    residual_flow_fraction: float = GeneratorConfig.residual_flow_fraction
    shade_limit: float = GeneratorConfig.shade_limit
    mask_dilation_fraction: float = GeneratorConfig.mask_dilation_fraction

    def config(self, au_count: int) -> GeneratorConfig | GanimationConfig:
        """The network's own config.

        Raises:
            ValueError: a value makes no sense.
        """
        given = self.model_dump(exclude={"architecture"})
        kind = GeneratorConfig if self.architecture == "msf" else GanimationConfig
        known = {name: value for name, value in given.items() if name in kind.__dataclass_fields__}
        return kind(**known, au_count=au_count)


class CriticOptions(_Options):
    """A critic of whole crops."""

    width: int = Field(default=64, ge=1)
    layers: int = Field(default=6, ge=1)


class RegionCriticOptions(_Options):
    """Critics of the mouth and of each eye."""

    width: int = Field(default=32, ge=1)
    layers: int = Field(default=4, ge=1)
    view_px: int = Field(default=64, ge=16)


class LossOptions(_Options):
    """Weights; a loss of weight 0 is not computed. The defaults are the paper's (section 4.1)."""

    adversarial: float = Field(default=1.0, ge=0)
    gradient_penalty: float = Field(default=10.0, ge=0)
    condition_critic: float = Field(default=150.0, ge=0)
    """lambda_1, of a critic's action units on real pictures."""
    condition: float = Field(default=150.0, ge=0)
    """lambda_2, of the action units that the critic sees in edited pictures."""
    self_reconstruction: float = Field(default=30.0, ge=0)
    """lambda_3, of the zero edit."""
    cycle: float = Field(default=30.0, ge=0)
    """lambda_3, of there and back."""
    total_variation: float = Field(default=5e-6, ge=0)
    """lambda_4"""
    pair_pixel: float = Field(default=0.0, ge=0)
    """Of pairs: absolute difference to the true frame at three scales, in mouth and eyes."""
    pair_gradient: float = Field(default=0.0, ge=0)
    pair_perceptual: float = Field(default=0.0, ge=0)
    """Features of a network trained on ImageNet, of mouth and eyes."""
    pair_features: float = Field(default=0.0, ge=0)
    """Features of the critics."""
    restraint: float = Field(default=0.0, ge=0)
    """Of a motion head: mean square of its shade, in units of its limit, against idle changes."""


class DataOptions(_Options):
    """What a batch is made of."""

    batch: int = Field(default=16, ge=1)
    """Pictures a step, over all processes together."""
    pair_fraction: float = Field(default=0.0, ge=0, le=1)
    """Share of a batch that are pairs: two frames of one clip, in similar pose; the rest gets a stranger's
    expression as its target."""
    pair_pose_degrees: float = Field(default=8.0, gt=0)
    pair_change: float = Field(default=0.25, ge=0)
    """Least distance of a pair's expressions."""
    real_noise: float = Field(default=0.02, ge=0)
    """Action units of real pictures get uniform noise of this size, as in the authors' code."""
    wanted_noise: float = Field(default=0.1, ge=0)
    """Likewise the wanted ones of strangers."""
    flip: bool = True
    color: float = Field(default=0.0, ge=0, le=1)
    """Random brightness, contrast and saturation, by up to this fraction."""
    soften: float = Field(default=0.0, ge=0, le=1)
    """Share of pictures that are made smaller and larger again: footage of small faces."""
    validation_fraction: float = Field(default=0.05, ge=0, lt=1)
    """Share of the training people that are set aside for the sample grid."""


class ScheduleOptions(_Options):
    """How long, and how fast. A step is one of the generator, after `critic_steps` of the critics."""

    epochs: float = Field(default=30.0, ge=0)
    decay_epochs: float = Field(default=20.0, ge=0)
    """Then the rate falls linearly to its last. Epochs count the pictures that the critics see."""
    steps: int | None = Field(default=None, ge=1)
    """In place of `epochs`."""
    decay_steps: int | None = Field(default=None, ge=0)
    critic_steps: int = Field(default=4, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    final_learning_rate: float = Field(default=1e-5, gt=0)
    beta1: float = Field(default=0.5, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    adversarial_from_step: int = Field(default=0, ge=0)
    """Until then critics learn and are not listened to."""


class RunOptions(_Options):
    """How it is run; nothing here changes what is learnt, up to rounding."""

    checkpoint_minutes: float = Field(default=5.0, gt=0)
    sample_steps: int = Field(default=250, ge=1)
    log_steps: int = Field(default=10, ge=1)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 on a GPU that has it. The gradient penalty and all geometry stay in fp32."""
    compile: Literal["auto", "on", "off"] = "auto"
    """torch.compile the generator's network; auto: on a GPU."""
    loader_threads: int = Field(default=2, ge=1)


class TrainOptions(_Options):
    """A whole training run."""

    action_units: Literal["all", "openface"] = "all"
    """The full schema, or the 17 of OpenFace without sides, as in the paper."""
    condition: Condition = "relative"
    generator: GeneratorOptions = GeneratorOptions()
    critic: CriticOptions | None = None
    region_critic: RegionCriticOptions | None = None
    losses: LossOptions = LossOptions()
    data: DataOptions = DataOptions()
    schedule: ScheduleOptions = ScheduleOptions()
    run: RunOptions = RunOptions()
    seed: int = 0

    @property
    def au_names(self) -> tuple[str, ...]:
        """The network's action units."""
        return action_units.NAMES if self.action_units == "all" else action_units.OPENFACE_NAMES

    @property
    def learning_hash(self) -> str:
        """Of everything that changes what is learnt: a run can be resumed with options of the same."""
        described = self.model_dump(
            exclude={"run": True, "schedule": {"epochs", "decay_epochs", "steps", "decay_steps"}}
        )
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]


def recipes() -> dict[str, dict[str, Any]]:
    """The recipes by name, as they stand in the package's file."""
    text = resources.files(__package__).joinpath("recipes.yaml").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return loaded


def load_options(config: str, changes: Sequence[str] = ()) -> TrainOptions:
    """Options of a recipe's name or a YAML file, with `key=value` changes such as "generator.width=16".

    Raises:
        ConfigError: no such recipe or file, or what it says cannot be used; names the nearest key.
    """
    values = _values(config)
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals:
            raise ConfigError(f"--set {change!r} is not KEY=VALUE, such as generator.width=16")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {change!r}: {text!r} is no YAML value; quote it") from error
        values = _merged(values, _nested(key.strip().split("."), value))
    return _checked(config, values)


def _values(config: str, *, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    known = recipes()
    path = Path(config)
    if config in known:
        values = dict(known[config])
    elif path.suffix in (".yaml", ".yml"):
        values = _read(path)
    else:
        close = difflib.get_close_matches(config, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"recipes are {', '.join(known)}"
        raise ConfigError(f"{config!r} is neither a recipe nor a .yaml file; {hint}")
    base = values.pop("base", None)
    if base is None:
        return values
    if base in seen:
        raise ConfigError(f"{config}: its base {base} leads back to itself; name another")
    return _merged(_values(str(base), seen=(*seen, config)), values)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name an existing config") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is no YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds no options; write them as key: value")
    return values


def _merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(values)
    for key, value in over.items():
        mine = out.get(key)
        out[key] = _merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return out


def _nested(keys: Sequence[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def _checked(config: str, values: Mapping[str, Any]) -> TrainOptions:
    try:
        options = TrainOptions.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            raise ConfigError(f"{config}: unknown option {key}; {_nearest(key)}") from error
        raise ConfigError(f"{config}: {key} is {problem['input']!r}; {problem['msg'].lower()}") from error
    if options.critic is None and options.region_critic is None:
        raise ConfigError(f"{config}: there is no critic; set critic or region_critic")
    try:
        options.generator.config(len(options.au_names))
    except ValueError as error:
        raise ConfigError(f"{config}: {error}") from error
    return options


def _nearest(key: str) -> str:
    keys = _keys(TrainOptions)
    # A key in the wrong group is as likely as a misspelt one.
    homeless = [known for known in keys if known.split(".")[-1] == key.split(".")[-1]]
    close = homeless or difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else "`retarget-train run CONFIG --print` lists all"


def _keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    out: list[str] = []
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        out += _keys(inner, f"{prefix}{name}.") if inner else [f"{prefix}{name}"]
    return out
