"""What of a film is kept in which kind of file: measured, and as the pipeline's README says.

The table there is the list of differences that are accepted; whatever else is lost fails here, and all that is
lost is told.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from retarget.pipeline.media.boxes import Box, add_to_video, entry_of, header_of, replace_header
from retarget.pipeline.media.movie_header import MovieSource
from retarget.pipeline.media.options import EncodeOptions
from retarget.pipeline.media.orientation import matrix_of
from retarget.pipeline.media.reader import open_video
from retarget.pipeline.records import Frame

from .conftest import CLAP, film_with, make_clip, make_sound, rewrite

README = Path(__file__).parents[3] / "pipeline" / "README.md"
CONTAINERS = ("mov", "mp4", "mkv", "webm", "mxf", "png")
CODECS = {"mov": "h264", "mp4": "h264", "mkv": "h264", "webm": "vp9", "mxf": "dnxhd", "png": None}
KEPT = {
    "frames and their times": "mov mp4 mkv webm mxf png",
    "tags of any name": "mov mp4 mkv webm",
    "timecode": "mov mp4 mkv webm mxf",
    "reel of the timecode": "mov mp4",
    "turn and mirror": "mov mp4 mkv webm",
    "pixel aspect": "mov mp4 mkv png",
    "clean aperture": "mov mp4",
    "chroma siting of 4:2:0": "mov mp4 mkv",
    "HDR mastering metadata": "mov mp4 mkv",
    "chapters": "mov mp4 mkv webm",
    "AAC": "mov mp4 mkv",
    "PCM": "mov mp4 mkv mxf",
    "camera's data tracks": "mov",
}
"""By what is kept: the kinds of file that keep it."""
TOLD = {
    "tags of any name": "tag scene is lost",
    "timecode": "timecode",
    "turn and mirror": "turn by|rotation",
    "pixel aspect": "pixel aspect",
    "HDR mastering metadata": "HDR mastering",
    "chapters": "chapters are lost",
    "AAC": "aac",
    "PCM": "pcm",
    "camera's data tracks": "mebx",
}
"""What is said where it is not."""
DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


@pytest.fixture(scope="module")
def rich(tmp_path_factory: Any) -> Path:
    """A film with something of all of it."""
    folder = tmp_path_factory.mktemp("rich")
    path = Path(folder / "rich.mov")

    def setup(out: Any, stream: Any) -> None:
        stream.metadata["timecode"] = "01:02:03:04"
        out.metadata["scene"] = "12A"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_matrix(matrix_of(90, is_mirrored=True))
        times = {"time_base": Fraction(1, 1000), "metadata": {"title": "one"}}
        out.set_chapters([{"id": i, "start": 250 * i, "end": 250 * i + 250, **times} for i in range(2)])

    plain = make_clip(
        folder / "plain.mov", codec="libx265", name="yuv420p10le", size=(256, 144), setup=setup,
        options={
            "x265-params": f"master-display={DISPLAY}:max-cll=1000,400:log-level=none",
            "chroma_sample_location": "topleft",
        },
    )  # fmt: skip
    options = {"movflags": "use_metadata_tags", "video_track_timescale": "24"}
    with av.open(str(plain)) as film, av.open(str(path), "w", container_options=options) as out:
        video = out.add_stream_from_template(film.streams.video[0], opaque=True)
        video.set_display_matrix(matrix_of(90, is_mirrored=True))
        video.metadata["timecode"] = "01:02:03:04"
        out.metadata["scene"] = "12A"
        out.set_chapters(film.chapters())
        sounds = [out.add_stream(name, rate=48000) for name in ("aac", "pcm_s16le")]
        for sound in sounds:
            make_sound(out, sound, seconds=0.5, hertz=440)
        for packet in film.demux():
            if packet.size and packet.stream_index == 0:
                packet.stream = video
                out.mux(packet)
    header = header_of(path)
    assert header is not None
    tracks = header.all(b"trak")
    add_to_video(tracks[0], {b"clap": CLAP})
    table = tracks[-1].find(b"mdia", b"minf", b"stbl", b"stsd")
    assert table is not None
    name = Box(b"name", struct.pack(">HH", 4, 0) + b"A001").to_bytes()
    entry = entry_of(tracks[-1])[4:34] + name
    table.data = struct.pack(">III", 0, 1, len(entry) + 4) + entry
    replace_header(path, header)
    return path


def times_of(film: Iterable[Frame]) -> list[float]:
    """From the first frame: in .mkv all begins later by as much as sound begins before 0, which is told."""
    seconds = [frame.seconds for frame in film]
    return [round(second - seconds[0], 2) for second in seconds]


def kept_of(source: Path, written: Path) -> set[str]:
    """What of the source's a file has that was written of it."""
    before, after = open_video(source), open_video(written)
    one, other = before.info, after.info
    found = {
        "frames and their times": times_of(before) == times_of(after),
        "timecode": other.start_timecode == one.start_timecode,
        "turn and mirror": (other.rotation_degrees, other.is_mirrored) == (90, True),
        "pixel aspect": other.sample_aspect_ratio == one.sample_aspect_ratio,
        "HDR mastering metadata": after.hdr_parameters == before.hdr_parameters,
    }
    is_film = written.suffix != ".png"
    movie = MovieSource.read(written) if is_film else MovieSource()
    found["clean aperture"] = movie.clean_aperture(1) == CLAP
    found["reel of the timecode"] = b"A001" in movie.reel_boxes()
    found["camera's data tracks"] = "mebx" in [movie.kind(number) for number in movie.tracks]
    if is_film:
        with av.open(str(written)) as film:
            found["tags of any name"] = "12A" in film.metadata.values()
            found["chapters"] = len(film.chapters()) == 2
            sounds = [stream.codec_context.name for stream in film.streams.audio]
        found["AAC"], found["PCM"] = "aac" in sounds, "pcm_s16le" in sounds
    return {what for what, is_kept in found.items() if is_kept}


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_is_kept_and_that_the_rest_is_told(rich: Path, tmp_path: Path, container: str) -> None:
    written = tmp_path / ("b.%04d.png" if container == "png" else f"b.{container}")
    notes = rewrite(rich, written, EncodeOptions(CODECS[container]))
    expected = {what for what, where in KEPT.items() if container in where.split()}
    not_in_it = {"camera's data tracks", "chroma siting of 4:2:0"}
    assert kept_of(rich, written) == expected - not_in_it
    for what in TOLD.keys() - expected - not_in_it:
        words = "no sound" if container == "png" and what in ("AAC", "PCM") else TOLD[what]
        assert any(re.search(words, note) for note in notes), (what, notes)


@pytest.mark.parametrize("container", CONTAINERS[:-1])
def test_a_camera_s_data(tmp_path: Path, container: str) -> None:
    inner = bytes(6) + b"\0\1" + Box(b"keys", b"12345678").to_bytes()
    source = film_with(tmp_path / "camera.mov", lambda _: b"mebx" + inner)
    notes = rewrite(source, tmp_path / f"b.{container}", EncodeOptions(CODECS[container]))
    is_kept = container in KEPT["camera's data tracks"].split()
    assert ("camera's data tracks" in kept_of(source, tmp_path / f"b.{container}")) == is_kept
    assert is_kept == (not any("mebx" in note for note in notes))


@pytest.mark.parametrize("container", ["mov", "mp4", "mkv"])
def test_siting(rich: Path, tmp_path: Path, container: str) -> None:
    rewrite(rich, tmp_path / f"b.{container}", EncodeOptions("h264"))
    assert open_video(tmp_path / f"b.{container}").info.chroma_siting == "topleft"


def test_the_readme_says_so() -> None:
    text = README.read_text(encoding="utf-8")
    table = text[text.index("<!-- kept -->") : text.index("<!-- /kept -->")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line[:1] == "|"]
    assert rows[0][1:] == [f"`.{name}`" for name in CONTAINERS]
    said = {
        row[0]: " ".join(n for n, cell in zip(CONTAINERS, row[1:], strict=True) if cell == "yes")
        for row in rows[2:]
    }
    assert said == KEPT
