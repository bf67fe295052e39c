"""Containers that are opened, and the list of those that are written."""

from __future__ import annotations

import os
from pathlib import Path

import av
import av.logging
import pytest
from av.error import FFmpegError

from retarget.pipeline.errors import VideoOpenError, VideoReadError
from retarget.pipeline.files import suffixes
from retarget.pipeline.media.containers import MUXER_BY_SUFFIX, main_video, open_container, reason
from retarget.pipeline.media.decode import decode_still

from .conftest import make_clip, make_picture


def test_every_film_that_is_written_has_a_muxer() -> None:
    assert set(MUXER_BY_SUFFIX) == set(suffixes.FILM_OUTPUTS)


def test_ffmpeg_is_silent() -> None:
    assert av.logging.get_level() is None


@pytest.mark.parametrize("name", ["a:b.mp4", "100%d.png", "a b ü.mp4"])
def test_names_that_mean_something_to_ffmpeg(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make = make_picture(tmp_path / "x.png", "rgb24") if name.endswith(".png") else make_clip(tmp_path / "x.mp4")
    make.rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    with open_container(Path(name)) as container:
        assert main_video(container, Path(name)).width == 64


def test_a_cover_is_no_video(tmp_path: Path) -> None:
    picture = make_picture(tmp_path / "cover.png", "rgb24")
    with av.open(str(tmp_path / "a.mp4"), "w") as out, av.open(str(picture)) as cover:
        stream = out.add_stream_from_template(cover.streams.video[0], opaque=True)
        stream.disposition = 1024
        for packet in cover.demux():
            if packet.size:
                packet.pts = packet.dts = 0
                packet.stream = stream
                out.mux(packet)
    with (
        open_container(tmp_path / "a.mp4") as container,
        pytest.raises(VideoOpenError, match="has no video stream"),
    ):
        main_video(container, tmp_path / "a.mp4")


def test_a_reason_is_one_line() -> None:
    assert reason(ValueError("two\n lines")) == "two lines"
    assert reason(ValueError()) == "ValueError"
    assert reason(FFmpegError(1, "no such thing")) == "no such thing"


def _mpd(film: Path) -> str:
    return (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
        f'bandwidth="1"><BaseURL>{film}</BaseURL></Representation></AdaptationSet></Period></MPD>'
    )


LISTS = {
    "concat.mp4": lambda film: f"ffconcat version 1.0\nfile {film.name}\n",
    "concat.png": lambda film: f"ffconcat version 1.0\nfile {film.name}\n",
    "concat.ffconcat": lambda film: f"ffconcat version 1.0\nfile link.mp4\nfile {film.name}\n",
    "hls.m3u8": lambda film: f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n",
    "hls.mp4": lambda film: f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{film.name}\n#EXT-X-ENDLIST\n",
    "endless.m3u8": lambda film: f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{film}\n",
    "net.m3u8": lambda _: "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    "dash.mpd": _mpd,
    "dash.mp4": _mpd,
    "call.sdp": lambda _: "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
    "meta.txt": lambda _: ";FFMETADATA1\ntitle=x\n",
    "xbin.svg": lambda _: '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_what_names_other_files_is_refused(tmp_path: Path, name: str) -> None:
    film = make_clip(tmp_path / "film.ts", codec="mpeg2video")
    (tmp_path / "link.mp4").symlink_to(film)
    listing = tmp_path / name
    listing.write_text(LISTS[name](film))
    with pytest.raises(
        VideoOpenError, match=rf"{name}: (is no film or picture of a kind that is read|not a video or pict)"
    ):
        open_container(listing)


@pytest.mark.parametrize("name", ["x%d.png", "x%d.gif", "x%d.xyz", "x%d.pcx", "x%d.mp4", "x*.png", "x%d.jpg"])
def test_a_pattern_inside_a_name_opens_no_other_file(tmp_path: Path, name: str) -> None:
    for number in range(3):
        make_picture(tmp_path / "a.png", "rgb24").rename(
            tmp_path / name.replace("%d", str(number)).replace("*", "0")
        )
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises((VideoOpenError, VideoReadError)):
        decode_still(tmp_path / name)


@pytest.mark.parametrize(
    "url", ["concat:film.ts|film.ts", "subfile,,start,0,end,9,,:film.ts", "http:film.ts", "data:film.ts"]
)
def test_no_name_is_an_address(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_clip(tmp_path / "film.ts", codec="mpeg2video")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VideoOpenError):
        open_container(Path(url))


def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    for path in (tmp_path / "a.mp4", Path("/dev/zero"), Path("/dev/urandom")):
        with pytest.raises(VideoOpenError, match="is a pipe or a device"):
            open_container(path)


KINDS = {
    "mp4": "mpeg4", "mov": "prores", "mkv": "ffv1", "webm": "libvpx", "avi": "mjpeg", "mpg": "mpeg2video",
    "ts": "mpeg2video", "m2ts": "libx264", "mxf": "mpeg2video", "y4m": "wrapped_avframe", "flv": "flv",
    "asf": "mpeg4", "ogv": "libtheora", "nut": "ffv1", "ivf": "libvpx", "h264": "libx264", "gif": "gif",
    "3gp": "mpeg4",
}  # fmt: skip


@pytest.mark.parametrize("suffix", KINDS)
def test_films_of_every_usual_kind_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film.{suffix}"
    try:
        with av.open(str(path), "w") as out:
            stream = out.add_stream(KINDS[suffix], rate=25)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = (stream.codec.video_formats or [av.VideoFormat("yuv420p")])[0].name
            for i in range(30):
                picture = av.VideoFrame(64, 48, stream.pix_fmt)
                for plane in picture.planes:
                    plane.update(bytes([i * 7]) * plane.buffer_size)
                out.mux(stream.encode(picture))
            out.mux(stream.encode())
    except (FFmpegError, ValueError) as error:
        pytest.skip(f"cannot be made here: {error}")
    renamed = path.rename(tmp_path / "film.unknown")
    with open_container(renamed) as container:
        assert main_video(container, renamed).width == 64
        assert sum(1 for _ in container.decode(video=0)) >= 4


def with_cover_first(path: Path, folder: Path, *, film_frames: int) -> Path:
    """A picture as an ordinary video that is marked as the default, before the film."""
    film = make_clip(folder / "film.mp4", count=film_frames, size=(32, 32))
    picture = make_clip(folder / "cover.mkv", codec="mjpeg", name="yuvj420p", count=1)
    with av.open(str(path), "w") as out, av.open(str(picture)) as cover, av.open(str(film)) as moving:
        copies = [out.add_stream_from_template(one.streams.video[0], opaque=True) for one in (cover, moving)]
        copies[0].disposition, copies[1].disposition = 1, 0
        for copy, one in zip(copies, (cover, moving), strict=True):
            for packet in one.demux():
                if packet.size:
                    packet.pts, packet.dts = packet.pts or 0, packet.dts or 0
                    packet.stream = copy
                    out.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_single_picture_is_not_the_film(tmp_path: Path, suffix: str) -> None:
    path = with_cover_first(tmp_path / f"a{suffix}", tmp_path, film_frames=5)
    with open_container(path) as container:
        assert (main_video(container, path).index, main_video(container, path).width) == (1, 32)


def test_of_two_single_pictures_the_marked_one_counts(tmp_path: Path) -> None:
    path = with_cover_first(tmp_path / "a.mkv", tmp_path, film_frames=1)
    with open_container(path) as container:
        assert main_video(container, path).index == 0
