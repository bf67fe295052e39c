"""What a training run can be asked for: checked, with every default."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from retarget.model import action_units
from retarget.model.network_configs import Condition, DiscriminatorConfig, GanimationConfig, GeneratorConfig
from retarget.pipeline.files import as_number

BestBy = Literal["auto", "true_frame", "expression", "zero_edit"]
"""auto: the first of the others that can be measured."""


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _number_as_written(cls, value: Any, info: ValidationInfo) -> Any:
        """`1e3` and `012` are text in YAML, and a thousand and twelve where a number is wanted."""
        if cls.model_fields[info.field_name or ""].annotation not in (int, float, int | None):
            return value
        if isinstance(value, bool):
            raise ValueError("input should be a number")
        return as_number(value)


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
    initial_std: float | None = Field(default=None, gt=0)
    """Convolutions, the critics' too, start as N(0, this) with biases of 0; null: as torch has it."""
    residual_flow_fraction: float = GeneratorConfig.residual_flow_fraction
    shade_limit: float = GeneratorConfig.shade_limit
    mask_dilation_fraction: float = GeneratorConfig.mask_dilation_fraction

    def config(self, au_count: int) -> GeneratorConfig | GanimationConfig:
        """The network's own config.

        Raises:
            ValueError: a value makes no sense.
        """
        given = self.model_dump(exclude={"architecture", "initial_std"})
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
    penalty_of: Literal["mean", "sum"] = "mean"
    """What of a critic's map of scores has a gradient of 1: their mean, as in Eq. 3, or their sum, as in the
    released code of both papers, where the mean counts elsewhere."""
    condition_critic: float = Field(default=150.0, ge=0)
    """lambda_1, of a critic's action units on real pictures."""
    condition: float = Field(default=150.0, ge=0)
    """lambda_2, of the action units that the critic sees in edited pictures."""
    condition_meter: float = Field(default=0.0, ge=0)
    """The same of those that the tracker's own networks measure there: Eq. 6 without a learnt regressor."""
    self_reconstruction: float = Field(default=30.0, ge=0)
    """lambda_3, of the zero edit."""
    cycle: float = Field(default=30.0, ge=0)
    """lambda_3, of there and back."""
    total_variation: float = Field(default=5e-6, ge=0)
    """lambda_4, of the edited picture."""
    mask: float = Field(default=0.0, ge=0)
    """GANimation's, of how much of the picture is kept, there and back: a mask that keeps all edits nothing."""
    mask_variation: float = Field(default=0.0, ge=0)
    """GANimation's, of that mask's total variation."""
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
    shift: float = Field(default=0.0, ge=0, lt=0.5)
    """Pictures are moved along both axes by up to this fraction of their side, and black where they came from: the
    authors' random crop."""
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
    final_learning_rate: float = Field(default=1e-5, ge=0)
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
    tf32: Literal["on", "off"] = "on"
    """Whether a GPU multiplies fp32 numbers with 10 bits of mantissa, several times as fast."""
    best_by: BestBy = "auto"
    """The score, on people set aside, of which `best.safetensors` has the least; see `gan/validation.py`."""
    compile: Literal["auto", "on", "off"] = "auto"
    """torch.compile the generator's network; auto: on a GPU."""
    loader_threads: int = Field(default=2, ge=1)


CAME_LATER = (
    ("losses", "condition_meter"),
    ("losses", "penalty_of"),
    ("losses", "mask"),
    ("losses", "mask_variation"),
    ("data", "shift"),
    ("generator", "initial_std"),
)
"""Options that states of earlier versions know nothing of."""


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

    def critic_configs(self, au_counts: Mapping[str, int]) -> dict[str, DiscriminatorConfig]:
        """The critics' own configs: of "whole", and of the regions that are looked at; `au_counts` of each.

        Raises:
            ValueError: one makes no sense; the message names the option.
        """
        found = {}
        for name, au_count in au_counts.items():
            is_whole = name == "whole"
            options = self.critic if is_whole else self.region_critic
            if options is None:
                continue
            side = self.generator.crop_px if isinstance(options, CriticOptions) else options.view_px
            if side % 2**options.layers or side < 2**options.layers:
                option = "generator.crop_px" if is_whole else "region_critic.view_px"
                layers = f"{'' if is_whole else 'region_'}critic.layers"
                raise ValueError(
                    f"{option} is {side}, which {layers}={options.layers} cannot halve so often; expected a "
                    f"multiple of {2**options.layers}"
                )
            found[name] = DiscriminatorConfig(
                width=options.width, layers=options.layers, au_count=au_count, crop_px=side
            )
        return found

    @property
    def learning_hash(self) -> str:
        """Of everything that changes what is learnt: a run can be resumed with options of the same.

        Options that came later count where they are not at their default, which means what was done before them.
        """
        described = self.model_dump(
            exclude={"run": True, "schedule": {"epochs", "decay_epochs", "steps", "decay_steps"}}
        )
        for group, name in CAME_LATER:
            if described[group][name] == type(getattr(self, group)).model_fields[name].default:
                del described[group][name]
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]
