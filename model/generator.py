"""The generator: (image, relative action units, landmarks) -> Edit, what to move and what to paint.

Two heads over one multi-scale-fusion U-Net. "rgb" is the paper's network (Ling et al. 2020, sections 3.2 and
3.3), which paints every pixel anew. "motion" moves the pixels that are there, by the geometry's flow plus a
small correction, and paints only where nothing can be moved into place: an opening mouth, opening eyes.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import BlockStyle, MsfUNet, zero_initialised
from .geometry import GeometryModel
from .images import box_mean, warp
from .network_configs import SHUFFLE as SHUFFLE
from .network_configs import GanimationConfig
from .network_configs import GeneratorConfig as GeneratorConfig
from .raster import Raster
from .seam import lip_seam

_GATE_AU = 0.05
"""Relative action units well below this fade the network's own part out, towards exactly nothing at zero."""

_REACH_CROP_FRACTION = 1 / 512
"""Pixels the geometry moves well beyond this (half a pixel at 256) can be corrected and shaded in full."""

_MASK_REST = 2.0
"""An untrained mask is sigmoid(-2) = 0.12 inside its bound, while its paint is exactly the moved pixel: the
picture is the warp's, yet paint has a gradient. From a mask of 0 it could never learn what to paint."""


@dataclass(frozen=True, eq=False)
class Edit:
    """What to do to a crop: `(1 - mask) * (warp(image, flow) + shade) + mask * paint`."""

    flow: Tensor
    """(B, 2, S, S) pixels, backward: output pixel p shows input pixel p + flow(p); channel 0 x, 1 y."""
    mask: Tensor
    """(B, 1, S, S) in [0, 1]: how much of each pixel is painted."""
    paint: Tensor
    """(B, 3, S, S) in [-1, 1]."""
    shade: Tensor
    """(B, 3, S, S), small but for the line between lips that meet: added to the moved pixels."""

    def __post_init__(self) -> None:
        batch, _, height, width = self.flow.shape
        for name, channels in (("flow", 2), ("mask", 1), ("paint", 3), ("shade", 3)):
            wanted = (batch, channels, height, width)
            shape = tuple(getattr(self, name).shape)
            if shape != wanted:
                raise ValueError(f"Edit.{name} has shape {shape}, expected {wanted}")

    def __repr__(self) -> str:
        return f"Edit({tuple(self.flow.shape)} flow, mask mean {self.mask.mean().item():.3f})"


def compose(image: Tensor, edit: Edit) -> Tensor:
    """(B, 3, S, S): the image (B, 3, S, S) in [-1, 1] with the edit applied.

    `shade` may lead a little beyond [-1, 1]; nothing is clipped, so that gradients are not either.
    """
    moved = warp(image, edit.flow) + edit.shade
    return moved + edit.mask * (edit.paint - moved)  # exact where mask is 0 or paint is the moved pixel


@dataclass(frozen=True, eq=False)
class EditInput:
    """What is known of faces that are to be edited, on the full schema of action units."""

    image: Tensor
    """(B, 3, S, S) in [-1, 1]."""
    source_au: Tensor
    """(B, 46) in [0, 1]: what each face expresses now; only an absolute condition looks at it."""
    delta_au: Tensor
    """(B, 46) in [-1, 1]: what is asked to change."""
    landmarks: Tensor
    """(B, 478, 3) crop pixels."""
    displacement: Tensor | None = None
    """(B, 478, 2) pixels: where to move landmarks, in place of what the geometry says."""

    def __repr__(self) -> str:
        return f"EditInput({tuple(self.image.shape)})"


class Head(nn.Module, abc.ABC):
    """What an editor asks of a generator, whichever it is."""

    config: GeneratorConfig | GanimationConfig
    geometry: GeometryModel | None
    """How landmarks move; only where the head moves pixels it is looked at."""
    shade_limit = 0.0
    """Largest addition to moved pixels; 0 for a head that moves none."""

    @property
    @abc.abstractmethod
    def moves(self) -> bool:
        """Whether it moves the plate's own pixels, as its geometry says."""

    @property
    @abc.abstractmethod
    def learnt(self) -> nn.Module | None:
        """The network in it; None for a geometry's warp alone."""

    @abc.abstractmethod
    def edit(self, given: EditInput, condition: Tensor) -> Edit:
        """The edit for a condition (B, C) of its own action units, relative or absolute."""


class Generator(Head):
    """(image, delta_au, landmarks) -> Edit. `geometry` is needed by the motion head and saved with it."""

    config: GeneratorConfig

    def __init__(self, config: GeneratorConfig, geometry: GeometryModel | None = None) -> None:
        super().__init__()
        self.config = config
        self.geometry = geometry
        if config.head == "motion":
            _check_geometry(config, geometry)
        self.network = _network(config)
        self.shade_limit = config.shade_limit if self.moves else 0.0

    @property
    def moves(self) -> bool:
        return self.config.head == "motion"

    @property
    def learnt(self) -> nn.Module | None:
        return self.network

    def edit(self, given: EditInput, condition: Tensor) -> Edit:
        edit: Edit = self(given.image, condition, given.landmarks, displacement=given.displacement)
        return edit

    def forward(
        self,
        image: Tensor,
        delta_au: Tensor,
        landmarks: Tensor | None = None,
        *,
        displacement: Tensor | None = None,
    ) -> Edit:
        """The edit for `image` (B, 3, S, S) in [-1, 1] and `delta_au` (B, C) in [-1, 1].

        The motion head needs `landmarks` (B, 478, 3) in crop pixels. It moves them as the geometry says, or
        by `displacement` (B, 478, 2) pixels where that is given (in training: to the target frame's own
        landmarks). All-zero `delta_au` without displacement is an exact identity with the motion head.

        Raises:
            ValueError: a shape does not fit the config, or landmarks are missing.
        """
        self._check(image, delta_au, landmarks)
        if isinstance(self.network, RgbNetwork):
            return painted_over(self.network(image, delta_au))
        assert landmarks is not None
        return self._moved(image, delta_au, landmarks, displacement)

    def _moved(self, image: Tensor, delta_au: Tensor, landmarks: Tensor, displacement: Tensor | None) -> Edit:
        assert self.geometry is not None
        if displacement is None:
            # Without a network nothing can be painted behind lips and lids, so they are not opened.
            displacement = self.geometry.displacement(delta_au, landmarks, may_reveal=self.network is not None)
        size_px = self.config.crop_px
        if self.network is None:
            nothing = torch.zeros_like(image)
            flow = self.geometry.flow(landmarks, displacement, size_px)
            return Edit(flow, nothing[:, :1], paint=nothing, shade=nothing)
        drawn = self.geometry.drawn(landmarks, displacement, size_px)
        correction: Correction = self.network(image, delta_au, drawn.flow, drawn.holes)
        needed = self.geometry.reveal(landmarks, displacement).to(image.dtype)
        edit = self._bounded(correction, image, delta_au, drawn, needed)
        seam = lip_seam(landmarks[..., :2], displacement, size_px)
        if seam is None:
            return edit
        return replace(edit, shade=edit.shade - seam.to(image.dtype) * (warp(image, edit.flow) + 1))

    def _bounded(self, raw: Correction, image: Tensor, delta_au: Tensor, drawn: Raster, needed: Tensor) -> Edit:
        """The network's raw answers, kept to where and how far each may act.

        `needed` (B, 2): how much of each hole is new; teeth and eyes that are in the plate are not painted over.
        Where lips or lids shut, nothing is corrected: their edges meet as the geometry says.
        """
        config, flow, holes = self.config, drawn.flow, drawn.holes
        gate = _gate(delta_au)
        reach = gate * _reach(flow) * (1 - drawn.joints)
        flow = flow + config.residual_flow_fraction * config.crop_px * reach * raw.flow.tanh()
        radius_px = round(config.mask_dilation_fraction * config.crop_px)
        bound = (_dilated(holes, radius_px) * needed[:, :, None, None]).amax(1, keepdim=True)
        mask = gate * bound * (raw.mask - _MASK_REST).sigmoid()
        cover = raw.paint.tanh()
        paint = (1 - cover.abs()) * warp(image, flow) + cover
        return Edit(flow, mask, paint, shade=config.shade_limit * reach * raw.shade.tanh())

    def _check(self, image: Tensor, delta_au: Tensor, landmarks: Tensor | None) -> None:
        size, count = self.config.crop_px, self.config.au_count
        batch = image.shape[0]
        if image.shape[1:] != (3, size, size):
            raise ValueError(f"image is {tuple(image.shape)}, this generator works on (B, 3, {size}, {size})")
        if delta_au.shape != (batch, count):
            raise ValueError(f"delta_au is {tuple(delta_au.shape)}, this generator needs {(batch, count)}")
        if self.config.head == "motion" and landmarks is None:
            raise ValueError("landmarks are missing; only the rgb head works without")


class RgbNetwork(nn.Module):
    """The paper's generator: MSF U-Net and a tanh over RGB, every layer that keeps the size 5x5."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.body = _unet(config, in_channels=3, style=BlockStyle(config.norm))
        self.out = nn.Conv2d(config.width, 3, 5, padding=2)

    def forward(self, image: Tensor, delta_au: Tensor) -> Tensor:
        """(B, 3, S, S) in [-1, 1]."""
        rgb: Tensor = self.out(self.body(image, delta_au)[-1])
        return rgb.tanh()


@dataclass(frozen=True, eq=False)
class Correction:
    """A MotionNetwork's raw answers, unbounded; all zero until trained."""

    flow: Tensor
    """(B, 2, S, S), smooth."""
    mask: Tensor
    """(B, 1, S, S)"""
    paint: Tensor
    """(B, 3, S, S): how far to go from the moved pixel to black (-) or white (+), per channel."""
    shade: Tensor
    """(B, 3, S, S)"""


class MotionNetwork(nn.Module):
    """Lean MSF U-Net at half the crop's size that sees the geometry's warp, flow and holes."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        seen = (3 + 3 + 2 + 2) * SHUFFLE**2  # image, warped image, flow, holes
        style = BlockStyle(config.norm, separable=True, conditioning="modulation")
        self.body = _unet(config, in_channels=seen, style=style)
        # From a quarter of the network's size: a correction of the flow is smooth.
        self.flow_level = max(0, config.levels - 3)
        flow_width = self.body.widths[config.levels - 1 - self.flow_level]
        self.flow_head = zero_initialised(nn.Conv2d(flow_width, 2, 3, padding=1))
        self.pixel_head = zero_initialised(nn.Conv2d(config.width, 7 * SHUFFLE**2, 3, padding=1))

    def forward(self, image: Tensor, delta_au: Tensor, flow: Tensor, holes: Tensor) -> Correction:
        """For `image` (B, 3, S, S) in [-1, 1], `delta_au` (B, C), and the geometry's `flow` (B, 2, S, S) px and
        `holes` (B, 2, S, S)."""
        size_px = image.shape[-1]
        relative_flow = flow * (16 / size_px)  # a sixteenth of the crop counts as 1, like the other inputs
        seen = torch.cat([image, warp(image, flow), relative_flow, holes], dim=1)
        features = self.body(_unshuffled(seen), delta_au)
        coarse = self.flow_head(features[self.flow_level])
        residual = F.interpolate(coarse, size=(size_px, size_px), mode="bilinear", align_corners=False)
        pixels = F.pixel_shuffle(self.pixel_head(features[-1]), SHUFFLE)
        return Correction(residual, mask=pixels[:, :1], paint=pixels[:, 1:4], shade=pixels[:, 4:])


def painted_over(rgb: Tensor) -> Edit:
    """The edit that replaces every pixel by `rgb` (B, 3, S, S)."""
    still = rgb.new_zeros(rgb.shape[0], 2, *rgb.shape[2:])
    return Edit(still, torch.ones_like(rgb[:, :1]), paint=rgb, shade=torch.zeros_like(rgb))


def _network(config: GeneratorConfig) -> RgbNetwork | MotionNetwork | None:
    if config.head == "rgb":
        return RgbNetwork(config)
    return MotionNetwork(config) if config.width else None


def _unet(config: GeneratorConfig, *, in_channels: int, style: BlockStyle) -> MsfUNet:
    return MsfUNet(
        in_channels,
        config.width,
        levels=config.levels,
        k_msf=config.k_msf,
        au_count=config.au_count,
        style=style,
    )


def _gate(delta_au: Tensor) -> Tensor:
    """(B, 1, 1, 1) in [0, 1): exactly 0 where every relative action unit is, close to 1 for any real edit."""
    return (delta_au.abs().amax(1) / _GATE_AU).tanh()[:, None, None, None]


def _reach(flow: Tensor) -> Tensor:
    """(B, 1, S, S) in [0, 1]: where the geometry moves something, soft at the edge; exactly 0 elsewhere."""
    size_px = flow.shape[-1]
    distance = flow.abs().amax(1, keepdim=True) / (size_px * _REACH_CROP_FRACTION)
    small = F.avg_pool2d(distance.tanh(), 8)
    return F.interpolate(small, size=(size_px, size_px), mode="bilinear", align_corners=False)


def _dilated(holes: Tensor, radius_px: int) -> Tensor:
    """The holes (B, n, S, S) with a ramp of `radius_px` from 1 at their edge down to 0; within [0, 1].

    Holes much thinner than the radius count in part, so that lips about to open do not switch a mask on.
    """
    return (2 * box_mean(holes, radius_px)).clamp(max=1)


def _unshuffled(maps: Tensor) -> Tensor:
    """`pixel_unshuffle` by SHUFFLE of (B, C, H, W): the same numbers, three times as fast on a CPU."""
    batch, channels, height, width = maps.shape
    blocks = maps.reshape(batch, channels, height // SHUFFLE, SHUFFLE, width // SHUFFLE, SHUFFLE)
    return blocks.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)


def _check_geometry(config: GeneratorConfig, geometry: GeometryModel | None) -> None:
    if geometry is None:
        raise ValueError("the motion head needs a geometry model")
    if geometry.config.au_count != config.au_count:
        raise ValueError(
            f"the geometry model has {geometry.config.au_count} action units, the generator {config.au_count}"
        )
