"""What networks are made by: plain values, checked, that need nothing heavy to be read or refused."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from . import action_units

Norm = Literal["instance", "group", "none"]

Condition = Literal["relative", "absolute"]
"""relative: target - source (paper, Eq. 1). absolute: the target, as GANimation has it."""

SHUFFLE = 2
"""The motion head's network runs at 1/SHUFFLE of the crop: layers at full size cost most and see least."""


@dataclass(frozen=True)
class GeneratorConfig:
    """What is needed besides the tensors to rebuild a Generator. Plain types, for JSON."""

    head: Literal["rgb", "motion"] = "motion"
    width: int = 32
    """Channels of the first level; 0 (motion only) is the geometry's warp alone, without any parameter."""
    levels: int = 4
    """Halvings in the encoder; the paper has 4."""
    k_msf: int = 3
    """How many of the levels - 1 skips are MSF modules, deepest first: the paper's ablation, full at 3."""
    au_count: int = action_units.COUNT
    """C, the length of a relative action-unit vector."""
    crop_px: int = 256
    """S, the side of the crops it works on."""
    norm: Norm = "group"
    """"instance" is the paper's; see `blocks` for what it does to constant planes."""
    residual_flow_fraction: float = 0.03
    """Largest correction of the flow along each axis, as a fraction of the crop (motion)."""
    shade_limit: float = 0.15
    """Largest addition to the moved pixels, in [-1, 1] units: wrinkles and light, not paint (motion)."""
    mask_dilation_fraction: float = 0.016
    """How far painting may go beyond the openings of mouth and eyes, as a fraction of the crop (motion)."""

    def __post_init__(self) -> None:
        _require(self.head in ("rgb", "motion"), "head", self.head, "'rgb' or 'motion'")
        _require(self.norm in get_args(Norm), "norm", self.norm, "'instance', 'group' or 'none'")
        _require(_is_whole(self.levels, 1, 8), "levels", self.levels, "1 to 8")
        _require(_is_whole(self.k_msf, 0, self.levels - 1), "k_msf", self.k_msf, f"0 to {self.levels - 1}")
        _require(_is_whole(self.au_count, 1, 1000), "au_count", self.au_count, "1 to 1000")
        least = 0 if self.head == "motion" else 1
        _require(_is_whole(self.width, least, 1024), "width", self.width, f"{least} to 1024")
        step = self.granularity_px
        # The bottleneck needs more than one position, or an instance norm has nothing to measure.
        fits = _is_whole(self.crop_px, 2 * step, 4096) and self.crop_px % step == 0
        _require(fits, "crop_px", self.crop_px, f"a multiple of {step} from {2 * step}")
        for name in ("residual_flow_fraction", "shade_limit", "mask_dilation_fraction"):
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "0 to 1")

    @property
    def granularity_px(self) -> int:
        """What a crop's side has to be a multiple of."""
        return (1 << self.levels) * (SHUFFLE if self.head == "motion" else 1)

    @classmethod
    def paper(cls, *, width: int = 64, crop_px: int = 128, k_msf: int = 3) -> GeneratorConfig:
        """The paper's network: RGB out, instance norm, 128 px; its width as in the authors' trainer."""
        return cls(head="rgb", width=width, crop_px=crop_px, k_msf=k_msf, norm="instance")

    def as_json(self) -> dict[str, Any]:
        """Plain types, ready for `json.dump`."""
        return asdict(self)


@dataclass(frozen=True)
class GanimationConfig:
    """What is needed besides the tensors to rebuild a GanimationGenerator. Plain types, for JSON."""

    width: int = 64
    """Channels at full size."""
    residual_blocks: int = 6
    au_count: int = action_units.COUNT
    """C, the length of the condition."""
    crop_px: int = 128
    """S, the side of the crops it was trained on; it is convolutional and works on any multiple of 4."""

    def __post_init__(self) -> None:
        for name, least in (("width", 1), ("residual_blocks", 0), ("au_count", 1), ("crop_px", 16)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"GanimationConfig.{name} is {value!r}, expected a number from {least}")

    def as_json(self) -> dict[str, Any]:
        """Plain types, ready for `json.dump`."""
        return asdict(self)


@dataclass(frozen=True)
class DiscriminatorConfig:
    """What is needed besides the tensors to rebuild a Discriminator. Plain types, for JSON."""

    width: int = 64
    """Channels after the first convolution; each further one doubles them."""
    layers: int = 6
    """Convolutions with stride 2."""
    au_count: int = action_units.COUNT
    crop_px: int = 256
    """S, the side of the crops it judges: the regression head covers all of S / 2**layers."""

    def __post_init__(self) -> None:
        for name in ("width", "layers", "au_count"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"DiscriminatorConfig.{name} is {value!r}, expected a whole number from 1")
        step = 2**self.layers
        if self.crop_px < step or self.crop_px % step:
            raise ValueError(f"DiscriminatorConfig.crop_px is {self.crop_px}, expected a multiple of {step}")

    def as_json(self) -> dict[str, Any]:
        """Plain types, ready for `json.dump`."""
        return asdict(self)


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _require(holds: bool, name: str, value: object, wanted: str) -> None:
    if not holds:
        raise ValueError(f"GeneratorConfig.{name} is {value!r}, expected {wanted}")
