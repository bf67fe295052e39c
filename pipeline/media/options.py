"""How an output is encoded: what can be asked for, and what its name alone forbids. Loads no codec."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import OptionError
from ..files import parse_pattern, suffixes
from ..option_table import ENCODING, Kind, option

_LEAST_CRF, _MOST_CRF = -12, 63
"""Of any encoder: x264's 10 bits begin below 0, VP9 and AV1 go to 63."""


@dataclass(frozen=True)
class EncodeOptions:
    """How the output is encoded; what is None is chosen to keep the most.

    Whether an encoder has what is asked for is said by `check_encode_options` and `create_video`.
    """

    codec: str | None = option(
        None, "--encoder", Kind.TEXT, ENCODING,
        "h264, hevc, prores, dnxhd, ffv1, vp9, or any encoder of FFmpeg such as h264_nvenc", metavar="NAME",
        shown_default="ProRes and DNxHD stay so in .mov and .mxf; else h264, in .webm vp9, in .mxf dnxhd",
        words=("codec",),
    )  # fmt: skip
    """"h264", "hevc", "prores", "dnxhd", "ffv1", "vp9", or any video encoder of PyAV ("h264_nvenc"); None: by the
    source's codec and the suffix."""
    crf: int | None = option(
        None,
        "--crf",
        Kind.COUNT,
        ENCODING,
        "quality, lower is better (h264 17, hevc 18)",
        metavar="N",
        least=0,
    )
    """Constant quality; None: 17 for h264, 18 for hevc. Not for prores and ffv1."""
    preset: str | None = option(
        None, "--preset", Kind.TEXT, ENCODING, "the encoder's speed preset (medium)", metavar="NAME"
    )
    """None: "medium" for h264 and hevc."""
    pixel_format: str | None = option(
        None, ("--pixel-format", "--pix-fmt"), Kind.TEXT, ENCODING, "default: the source's, or the nearest",
        metavar="NAME",
    )  # fmt: skip
    """FFmpeg's name; None: the source's where the encoder has it, else the nearest that keeps most."""
    profile: str | None = option(
        None,
        "--profile",
        Kind.TEXT,
        ENCODING,
        "the encoder's profile, e.g. hq or 4444 for prores, dnxhr_hqx for dnxhd",
        metavar="NAME",
    )
    """None: for prores "hq", or "4444" for 4:4:4; otherwise the encoder's own choice."""
    threads: int = 0
    """Of a film's encoder; 0: by the machine's cores. With frame threads (x264, x265) the bytes of the output
    depend on it, the quality hardly."""

    def __post_init__(self) -> None:
        if self.crf is not None and not _LEAST_CRF <= self.crf <= _MOST_CRF:
            raise OptionError(f"crf {self.crf} makes no sense; use 0 (best) to {_MOST_CRF}")


SUFFIXES_BY_CODEC = {
    "prores": (".mov", ".mkv", ".mxf"),
    "dnxhd": (".mov", ".mxf"),
    "ffv1": (".mkv",),
    "vp9": (".webm", ".mkv"),
    "h264": (".mp4", ".mov", ".m4v", ".mkv", ".mxf"),
    "hevc": (".mp4", ".mov", ".m4v", ".mkv"),
}
"""Narrower than what FFmpeg would mux: FFV1 in .mp4 or ProRes in .mp4 is a file no editor opens."""


def default_suffix(source: Path, codec: str | None) -> str:
    """Of an output whose name nobody has said: the source's kind of file where the codec fits it, else the codec's
    own; .mp4 of stills, sequences and whatever else is not written."""
    wanted = suffixes.KEPT_CONTAINERS.get(source.suffix.lower(), ".mp4")
    allowed = SUFFIXES_BY_CODEC.get(codec or "", (wanted,))
    return wanted if wanted in allowed else allowed[0]


def is_picture(path: Path) -> bool:
    """Whether a name ends like a picture, or a sequence of them, that can be written."""
    return path.suffix.lower() in suffixes.PICTURE_OUTPUTS


def check_output_name(path: Path) -> None:
    """Raises OptionError if nothing can be written under that name's suffix."""
    suffix = path.suffix.lower()
    if is_picture(path):
        return
    if suffix not in suffixes.FILM_OUTPUTS:
        *films, last = suffixes.FILM_OUTPUTS
        raise OptionError(
            f"{path}: cannot write {suffix or 'a file without suffix'}; use {', '.join(films)} or {last}, "
            "or an image sequence such as name.%04d.png or name.%04d.tif"
        )
    if parse_pattern(path) is not None:
        raise OptionError(f"{path}: a frame number makes no sense in a {suffix} file; name it without")


def check_picture_options(path: Path, options: EncodeOptions) -> None:
    """Raises OptionError if what only a film has is asked for a picture."""
    if options.codec is not None or options.crf is not None or options.preset or options.profile:
        raise OptionError(f"{path}: pictures take no codec, crf, preset or profile; leave them out")
