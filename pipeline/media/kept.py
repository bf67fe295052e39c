"""What was not kept: a film that was written, looked at beside its source.

Whatever is lost is told, a line each, but for what the encoder has told before (`media.encode`, `media.streams`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from av.container import InputContainer

from ..files import parse_pattern
from ..records import VideoInfo
from .containers import main_video, open_container
from .description import kept_metadata
from .info import FirstLook, first_look, hdr_parameters
from .side_data import side_data_of

_TAGS_WITH_A_PLACE = frozenset({"encoder", "handler_name", "vendor_id", "timecode", "language", "creation_time"})
"""Made anew by every writer, or looked at where they have their place."""

_SIDE_DATA_OF_CODING = frozenset({
    "SEI_UNREGISTERED", "GOP_TIMECODE", "VIDEO_ENC_PARAMS", "MOTION_VECTORS", "VIDEO_HINT",
    "DISPLAYMATRIX", "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL",
})  # fmt: skip
"""About how a picture was coded, which is done anew; and what is looked at by itself."""


_UNTAGGED = 2
"""Of a colour, in ITU-T H.273."""


def lost_tags(source: InputContainer, path: Path, written: Path) -> dict[str, str]:
    """Tags of a source, and of its video, that a film that was written has not; with their values."""
    with open_container(written) as output:
        there = {key.casefold() for key in (*output.metadata, *main_video(output, written).metadata)}
    ours = {**main_video(source, path).metadata, **source.metadata}
    return {key: value for key, value in _own_tags(ours).items() if key.casefold() not in there}


def _own_tags(metadata: Mapping[str, str]) -> dict[str, str]:
    kept = kept_metadata(dict(metadata))
    return {
        key: value for key, value in kept.items() if key.casefold() not in _TAGS_WITH_A_PLACE and value.strip()
    }


def unkept_description(info: VideoInfo) -> list[str]:
    """What pictures cannot say of the film that they are made of, a line each."""
    if info.is_still or parse_pattern(info.path) is not None or not info.path.is_file():
        return []
    with open_container(info.path) as source:
        tags = _own_tags({**main_video(source, info.path).metadata, **source.metadata})
        chapters = len(source.chapters())
    lines = [f"tag {key} is lost: pictures have no place for it" for key in tags]
    return [*lines, *([f"{chapters} chapters are lost: pictures have none"] if chapters else [])]


def losses(
    source: InputContainer,
    info: VideoInfo,
    written: Path,
    *,
    written_as: str,
    hdr: str,
    chapters: int,
    seconds: float,
) -> Iterator[str]:
    """What a film that was written lacks of its source, a line each.

    Args:
        info: of the source, in frames.
        written_as: FFmpeg's name of that kind of file.
        hdr: the source's, in the words of x265.
        chapters: that were to be written.
        seconds: that the pictures were to last.
    """
    look = first_look(written)
    out = look.info
    for key in lost_tags(source, info.path, written):
        yield f"tag {key} is lost: {written_as} has no place for it"
    yield from _lost_picture(info, out)
    is_said = out.codec_name in ("h264", "hevc") or written_as in (
        "matroska",
        "webm",
    )  # the latter is not read here
    if not is_said and info.pixel_format.chroma_shift_y and out.pixel_format.chroma_shift_y and info.chroma_siting:
        yield f"chroma siting {info.chroma_siting} is lost"
    if hdr and hdr_parameters(look.picture.native, out.codec_name) != hdr:
        yield "the HDR mastering metadata is lost"
    for kind in sorted(_side_data(first_look(info.path)) - _side_data(look)):
        yield f"side data {kind.lower().replace('_', ' ')} of the pictures is lost"
    if info.start_timecode and not out.start_timecode:
        yield f"timecode {info.start_timecode} is lost"
    with open_container(written) as output:
        found = len(output.chapters())
    if found < chapters:
        yield f"{chapters - found} of {chapters} chapters are lost"
    has_one_rate = written_as == "mxf"
    if has_one_rate and abs(out.duration_seconds_from_header - seconds) > max(0.1, 2 / float(info.frame_rate)):
        yield (
            f"times are not kept: the pictures last {out.duration_seconds_from_header:.3f} s, not {seconds:.3f} s"
        )


def _lost_picture(info: VideoInfo, out: VideoInfo) -> Iterator[str]:
    if info.field_order != "progressive" and out.field_order == "progressive":
        yield f"field order {info.field_order} is lost"
    if info.pixel_format.has_alpha and not out.pixel_format.has_alpha:
        yield "alpha is lost"
    if (info.rotation_degrees, info.is_mirrored) != (out.rotation_degrees, out.is_mirrored):
        yield f"the turn by {info.rotation_degrees} degrees{' and mirror' * info.is_mirrored} is lost"
    if out.sample_aspect_ratio != info.sample_aspect_ratio:
        yield f"the pixel aspect {info.sample_aspect_ratio} is lost"
    if info.pixel_format.family != out.pixel_format.family:
        return
    if info.color.full_range != out.color.full_range:  # limited is what no tag means
        yield "colour tag range is lost"
    for tag in ("matrix", "primaries", "transfer"):
        had, has = (getattr(color, f"tag_{tag}") for color in (info.color, out.color))
        if had not in (_UNTAGGED, has):
            yield f"colour tag {tag} is lost"


def _side_data(look: FirstLook) -> frozenset[str]:
    kinds = side_data_of(look.picture.native, look.info.codec_name)
    return frozenset(kind.name for kind in kinds) - _SIDE_DATA_OF_CODING
