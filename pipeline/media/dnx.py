"""Avid DNxHD and DNxHR: which profile, and which bit rate, a film gets."""

from __future__ import annotations

from fractions import Fraction

from ..records import VideoInfo

ENCODER = "dnxhd"
"""FFmpeg's one name for both."""

_HR_PROFILES = {
    "yuv422p": "dnxhr_hq",
    "yuv422p10le": "dnxhr_hqx",
    "yuv444p10le": "dnxhr_444",
    "gbrp10le": "dnxhr_444",
}
"""DNxHR takes any size, but only whole frames."""

_MEGABITS_UP_TO = ((Fraction(25), 185), (Fraction(30), 220))
"""Of DNxHD's interlaced 1920x1080 (SMPTE ST 2019-1, compression IDs 1241 and 1243), by frames a second."""


def settings_for(info: VideoInfo, pixel_format: str, profile: str | None) -> dict[str, str]:
    """The encoder's options: DNxHD for interlaced film of its size, which DNxHR cannot be, else DNxHR of that
    pixel
    format.

    Args:
        info: of the film, in frames.
        pixel_format: FFmpeg's name.
        profile: as asked for; None: what fits.
    """
    if profile is None:
        is_interlaced = info.field_order != "progressive" and pixel_format.startswith("yuv422p")
        is_broadcast = (info.width, info.height) == (1920, 1080)
        profile = "dnxhd" if is_interlaced and is_broadcast else _HR_PROFILES.get(pixel_format, "dnxhr_hq")
    if profile != "dnxhd":
        return {"profile": profile}
    rates = (megabits for most, megabits in _MEGABITS_UP_TO if info.frame_rate <= most)
    return {"profile": profile, "b": f"{next(rates, _MEGABITS_UP_TO[-1][1])}M"}


def is_interlaced(settings: dict[str, str]) -> bool:
    """Whether film with these options keeps its fields."""
    return settings.get("profile") == "dnxhd"
