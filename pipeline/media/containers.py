"""Containers: opened for reading, refused with a reason."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import av
import av.logging
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from ..errors import VideoOpenError
from ..files import suffixes

# FFmpeg's chatter goes nowhere: what matters of it reaches the user as one of our errors or notes.
av.logging.set_level(None)

_FILMS = (
    "mov", "matroska", "mxf", "mpegts", "mpeg", "avi", "asf", "flv", "ogg", "dv", "gxf", "nut", "ivf", "obu", "rm",
    "yuv4mpegpipe", "mjpeg", "mjpeg_2000", "h264", "hevc", "vvc", "av1", "m4v", "mpegvideo", "vc1", "dnxhd",
    "dirac", "gif", "apng",
)  # fmt: skip
_PICTURES = (
    "image2", "bmp_pipe", "dpx_pipe", "exr_pipe", "gif_pipe", "hdr_pipe", "j2k_pipe", "jpeg_pipe", "jpegls_pipe",
    "jpegxl_pipe", "pam_pipe", "pbm_pipe", "pcx_pipe", "pfm_pipe", "pgm_pipe", "png_pipe", "ppm_pipe", "psd_pipe",
    "qoi_pipe", "sgi_pipe", "sunrast_pipe", "tiff_pipe", "webp_pipe",
)  # fmt: skip
"""FFmpeg's names of what is read: kinds that hold their pictures themselves. Not those that name other files or
addresses (playlists such as HLS, DASH and concat, scripts, devices), for what is handed over as a film could then
open anything."""

_OPEN_SECONDS, _READ_SECONDS = 600.0, 600.0
"""Without an end, after which reading is given up: longer than a slow disk needs for a picture."""

MUXER_BY_SUFFIX = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".mxf": "mxf"}
"""FFmpeg's name for each kind of film that is written."""

PEEKED_PACKETS = 400
"""Of the video streams, looked at to tell a film from a single picture."""

_ASIDE = Disposition.attached_pic | Disposition.timed_thumbnails


def open_container(path: Path) -> InputContainer:
    """An opened input. Always by absolute path: FFmpeg takes `a:b.mp4` for a protocol.

    Raises:
        VideoOpenError: with the reason FFmpeg gives.
    """
    if not path.is_file() and path.exists():
        raise VideoOpenError(f"{path}: is a pipe or a device, which is not read; copy it to a file first")
    is_picture = path.suffix.lower() in suffixes.PICTURES
    # A picture called `100%d.png` is one picture, not FFmpeg's idea of a sequence.
    options = {"pattern_type": "none"} if is_picture else {}
    kinds = [*_FILMS, *(name for name in _PICTURES if is_picture or name != "image2")]
    options |= {"format_whitelist": ",".join(kinds), "protocol_whitelist": "file"}
    try:
        return av.open(
            str(path.absolute()),
            "r",
            container_options=options,
            metadata_errors="replace",
            timeout=(_OPEN_SECONDS, _READ_SECONDS),
        )
    except ArgumentError as error:
        raise VideoOpenError(
            f"{path}: is no film or picture of a kind that is read (a playlist or another list of files is not); "
            "name a file that holds its pictures itself"
        ) from error
    except PermissionError as error:
        raise VideoOpenError(f"{path}: may not be read; check its permissions") from error
    except (FFmpegError, ValueError, UnicodeError) as error:
        raise VideoOpenError(
            f"{path}: not a video or picture that can be read ({reason(error)}); is the file complete?"
        ) from error


def main_video(container: InputContainer, path: Path) -> VideoStream:
    """The video stream that is edited: the film, never a single picture (a cover, a thumbnail) beside it.

    Raises VideoOpenError if there is none that can be decoded.
    """
    stream = container.streams.best("video")
    if stream is None or stream.disposition & _ASIDE:
        raise VideoOpenError(f"{path}: has no video stream; give a video, a picture or an image sequence")
    films = [video for video in container.streams.video if not video.disposition & _ASIDE]
    if len(films) > 1:
        stream = _longer_than_a_picture(films, stream, path)
    assert isinstance(stream, VideoStream)
    if stream.codec_context is None:
        raise VideoOpenError(f"{path}: its video codec is unknown here; convert it to H.264 or ProRes first")
    return stream


def _longer_than_a_picture(films: list[VideoStream], best: Stream, path: Path) -> Stream:
    """The best stream, unless that has one picture and another has more: then the largest of those."""
    counts = {film.index: film.frames for film in films}
    if not all(counts.values()):
        counts = _peeked(path, list(counts))
    moving = [film for film in films if counts[film.index] > 1 and film.codec_context is not None]
    if counts[best.index] > 1 or not moving:
        return best
    return max(moving, key=lambda film: film.width * film.height)


def _peeked(path: Path, indices: list[int]) -> dict[int, int]:
    """How many pictures each stream has, up to two, in a container that does not say."""
    counts = dict.fromkeys(indices, 0)
    with contextlib.suppress(FFmpegError), open_container(path) as container:
        wanted = [container.streams[index] for index in indices]
        for packet in itertools.islice(container.demux(wanted), PEEKED_PACKETS):
            counts[packet.stream_index] += bool(packet.size)
            if min(counts.values()) > 1:
                break
    return counts


def reason(error: BaseException) -> str:
    """FFmpeg's own words for an error, on one line."""
    text = error.strerror if isinstance(error, FFmpegError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__
