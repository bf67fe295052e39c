"""The contact sheet and the comparison video: on planted faces, and once on a real clip.

The made clips have a grey that says which frame it is, so every cell and panel can be told.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.pipeline import run
from retarget.pipeline.drivers import load as clips
from retarget.pipeline.edit import FacePlan
from retarget.pipeline.errors import OptionError, VideoWriteError
from retarget.pipeline.faces import ClipAnalysis, FaceTrack, canonical_face
from retarget.pipeline.media import open_video
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.records import Face, Frame, Report, Target, TrackedFrame
from retarget.pipeline.review import preview as preview_module
from retarget.pipeline.review.preview import (
    BAR,
    CAPTION_PX,
    HEADER_PX,
    LABELS_PX,
    MARGIN_PX,
    MESH,
    OUTLINE,
    DriverClip,
    choose_moments,
    draw_bars,
    preview,
    shortened,
    strongest,
    write_whole,
)
from retarget.pipeline.run import Session, retarget_video
from retarget.pipeline.stream import Clock

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
RATE = 10
WIDTH, HEIGHT = 320, 240
"""As large as a cell of the sheet, so cells are not scaled."""
FACE_CENTER, EYES_PX = (200.0, 110.0), 60.0


def gray_of(index: int) -> int:
    return 60 + 6 * index


def picture(index: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """(height, width, 3): stripes around the face, so that motion shows; elsewhere the frame's grey."""
    out = np.full((height, width, 3), gray_of(index), np.uint8)
    out[40:200:8, 130:270] = 250
    return out


@dataclass(frozen=True)
class Clip:
    path: Path
    frames: int


def make_clip(
    path: Path, frames: int, *, size: tuple[int, int] = (WIDTH, HEIGHT), audio: bool = False, turn: int = 0
) -> Clip:
    """FFV1 in RGB, so that greys come back exactly; `turn` is stored as rotation metadata."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1" if path.suffix == ".mkv" else "libx264", rate=RATE)
        stream.width, stream.height = size
        stream.pix_fmt = "bgr0" if path.suffix == ".mkv" else "yuv444p"
        if path.suffix != ".mkv":
            stream.options = {"qp": "0"}
        if turn:
            stream.set_display_rotation(-turn)
        sound = container.add_stream("aac", rate=16000, layout="mono") if audio else None
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index, *size), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            add_sound(container, sound, frames * 16000 // RATE)
    return Clip(path, frames)


def add_sound(container: Any, stream: Any, samples: int) -> None:
    for start in range(0, samples, 1024):
        tone = np.sin(np.arange(start, start + 1024) / 8).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def planted_face(eyes_px: float = EYES_PX, units: dict[str, float] | None = None) -> Face:
    values = np.zeros(action_units.COUNT, np.float32)
    for name, value in (units or {}).items():
        values[list(action_units.resolve(name))] = value
    landmarks = canonical_face() * eyes_px + (*FACE_CENTER, 0)
    return Face(0, landmarks.astype(np.float32), values, np.eye(3, dtype=np.float32))


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces tracking: every frame shows one face, of the size and expression wanted."""

    def install(*, eyes_px: float = EYES_PX, driver: Callable[[float], dict[str, float]] = lambda _: {}) -> None:
        def analyse(stack: contextlib.ExitStack, reader: Any, *_: Any, label: str, **__: Any) -> Any:
            def tracked() -> Iterator[TrackedFrame]:
                for frame in reader:
                    units = driver(frame.seconds) if label == "driver" else {}
                    face = planted_face(eyes_px, units)
                    yield TrackedFrame(frame.index, frame.pts, frame.seconds, 0, (face,))

            analysis = stack.enter_context(ClipAnalysis())
            for _frame in analysis.collect(tracked()):
                pass
            return analysis, 0.0

        for module in (run, clips):
            monkeypatch.setattr(module, "analyse_clip", analyse)

    install()
    return install


@pytest.fixture
def source(tmp_path: Path) -> Clip:
    return make_clip(tmp_path / "source.mkv", 20)


@pytest.fixture
def smile(tmp_path: Path) -> Path:
    path = tmp_path / "smile.yaml"
    path.write_text("curves: {AU12: {keys: {0: 0.5, 2: 0.5}}}\n")
    return path


def read_rgb(path: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))


def cell(sheet: NDArray[np.uint8], row: int, column: int) -> NDArray[np.uint8]:
    """A picture of a sheet whose cells are WIDTH x HEIGHT."""
    x, y = LABELS_PX + (WIDTH + MARGIN_PX) * column, HEADER_PX + (HEIGHT + MARGIN_PX) * row
    return sheet[y : y + HEIGHT, x : x + WIDTH]


def has_color(picture: NDArray[np.uint8], color: tuple[int, int, int]) -> bool:
    return bool((np.abs(picture.astype(int) - color).max(-1) <= 2).any())


# Moments


def plan_of(strength: NDArray[np.floating], first_frame: int = 0) -> FacePlan:
    n = len(strength)
    frames = np.arange(first_frame, first_frame + n)
    delta = np.zeros((n, action_units.COUNT), np.float32)
    delta[:, 10] = strength
    ones = np.ones(n)
    track = FaceTrack(
        shot=0, face_id=0, rows=frames, frames=frames, seconds=frames / RATE, action_units=np.abs(delta),
        alignments=np.zeros((n, 4)), confidence=ones, yaw_degrees=0 * ones, pitch_degrees=0 * ones,
        size_px=100 * ones, centers=np.zeros((n, 2)),
    )  # fmt: skip
    return FacePlan(track, 0, np.abs(delta), delta, ones, np.zeros((n, 4)))


def test_moments_of_an_even_edit_are_spread_evenly() -> None:
    assert choose_moments([plan_of(np.ones(60))], 60, 6) == [0, 10, 20, 30, 40, 50]


def test_moments_are_the_peaks_in_order_of_time() -> None:
    strength = np.full(100, 0.05)
    strength[[80, 20, 50]] = 1.0, -0.9, 0.8  # relaxing counts as much as tensing
    assert choose_moments([plan_of(strength)], 100, 3) == [20, 50, 80]


def test_moments_lie_where_something_is_edited() -> None:
    chosen = choose_moments([plan_of(np.ones(20), first_frame=70)], 200, 4)
    assert chosen == [70, 75, 80, 85]


def test_moments_beyond_the_edited_frames_are_far_from_them() -> None:
    assert choose_moments([plan_of(np.ones(2), first_frame=10)], 100, 3) == [10, 11, 99]


def test_moments_without_any_edit_are_spread_over_the_clip() -> None:
    assert choose_moments([plan_of(np.zeros(31))], 31, 4) == [0, 10, 20, 30]


def test_a_clip_of_fewer_frames_gives_fewer_moments() -> None:
    assert choose_moments([plan_of(np.ones(3))], 3, 6) == [0, 1, 2]


# The sheet


def test_sheet_shows_source_driver_and_result(plant: Any, source: Clip, smile: Path, tmp_path: Path) -> None:
    report = preview(source.path, smile, tmp_path / "sheet.png", moments=4)
    sheet = read_rgb(tmp_path / "sheet.png")
    assert sheet.shape == (
        HEADER_PX + 3 * (HEIGHT + MARGIN_PX) + CAPTION_PX,
        LABELS_PX + 4 * (WIDTH + MARGIN_PX),
        3,
    )
    for column, seconds in enumerate(report.details["moments"]):
        before, bars, after = (cell(sheet, row, column) for row in range(3))
        np.testing.assert_array_equal(before, picture(round(seconds * RATE)))
        np.testing.assert_array_equal(after[:, :60], before[:, :60])  # beside the face nothing is touched
        assert np.abs(after[130:200, 130:270].astype(int) - before[130:200, 130:270]).max() > 50
        assert has_color(bars, BAR)


def test_report_counts_the_whole_run_but_only_shown_frames_are_rendered(
    plant: Any, source: Clip, smile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[int] = []
    blended = run.blended

    def counting(frame: Frame, *rest: Any) -> Frame:
        rendered.append(frame.index)
        return blended(frame, *rest)

    monkeypatch.setattr(run, "blended", counting)
    report = preview(source.path, smile, tmp_path / "sheet.png", moments=3)
    assert (report.frames, report.frames_edited) == (20, 20)
    assert [index / RATE for index in rendered] == report.details["moments"]


def test_jpeg_sheet(plant: Any, source: Clip, smile: Path, tmp_path: Path) -> None:
    preview(source.path, smile, tmp_path / "sheet.JPG", moments=1)
    assert (tmp_path / "sheet.JPG").read_bytes()[:3] == b"\xff\xd8\xff"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sheet.JPG", "smile.yaml", "source.mkv"]


def test_small_faces_are_shown_enlarged(plant: Any, source: Clip, smile: Path, tmp_path: Path) -> None:
    plant(eyes_px=25.0)  # the mesh is about 1.6 times as high
    preview(source.path, smile, tmp_path / "sheet.png", moments=1)
    sheet = read_rgb(tmp_path / "sheet.png")
    assert sheet.shape[0] == HEADER_PX + 3 * (HEIGHT + MARGIN_PX) + 2 * (300 + MARGIN_PX) + CAPTION_PX
    top = HEADER_PX + 3 * (HEIGHT + MARGIN_PX)
    face = sheet[top : top + 300, LABELS_PX + 10 : LABELS_PX + 310]
    rows = (face.mean(axis=(1, 2)) > 150).astype(int)
    stripes = int((np.diff(rows) == 1).sum())
    side_px = planted_face(25.0).size_px * preview_module.FACE_MARGIN
    assert abs(stripes - side_px / 8) <= 1  # one stripe every 8 pixels


def test_debug_draws_landmarks_on_the_source_and_the_edit_on_the_result(
    plant: Any, source: Clip, smile: Path, tmp_path: Path
) -> None:
    preview(source.path, smile, tmp_path / "sheet.png", moments=2, debug=True)
    sheet = read_rgb(tmp_path / "sheet.png")
    x, y = np.floor(planted_face().landmarks[152, :2]).astype(int)  # the chin
    assert tuple(cell(sheet, 0, 0)[y, x]) == MESH
    assert not has_color(cell(sheet, 0, 0), OUTLINE)
    assert has_color(cell(sheet, 2, 0), OUTLINE)
    assert not has_color(cell(sheet, 2, 0), MESH)


def test_rotated_source_is_shown_upright(plant: Any, smile: Path, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "turned.mp4", 3, turn=90)
    preview(clip.path, smile, tmp_path / "sheet.png", moments=1)
    sheet = read_rgb(tmp_path / "sheet.png")
    width = round(np.sqrt(320 * 240 * 240 / 320))
    height = round(width * 4 / 3)
    shown = sheet[HEADER_PX : HEADER_PX + height, LABELS_PX : LABELS_PX + width].astype(float).mean(-1)
    # Coded, the stripes are at the top right; turned clockwise they stand, to the right and at the bottom.
    assert np.diff(shown[height * 2 // 3]).std() > 10
    assert np.diff(shown[: height // 3].T).std() < 3


@pytest.mark.parametrize("moments", [0, 25])
def test_number_of_moments_is_checked(moments: int, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"{moments} moments make no contact sheet; use 1 to 24"):
        preview("a.mp4", "b.yaml", tmp_path / "sheet.png", moments=moments)


# Outputs that cannot be


def test_other_suffixes_are_refused(source: Clip, smile: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"sheet\.gif: cannot write a contact sheet as \.gif; use \.png, \.jpg"):
        preview(source.path, smile, tmp_path / "sheet.gif")
    with pytest.raises(OptionError, match=r"film\.png: cannot write a comparison as \.png; use \.mp4, \.mov"):
        preview(source.path, smile, tmp_path / "sheet.png", side_by_side=tmp_path / "film.png")


def test_existing_file_needs_overwrite(plant: Any, source: Clip, smile: Path, tmp_path: Path) -> None:
    output = tmp_path / "sheet.png"
    output.write_bytes(b"mine")
    with pytest.raises(VideoWriteError, match=r"sheet\.png: exists already; name another file or use --overwrite"):
        preview(source.path, smile, output)
    assert output.read_bytes() == b"mine"
    preview(source.path, smile, output, RetargetOptions(overwrite=True), moments=1)
    assert output.read_bytes()[1:4] == b"PNG"


def test_source_is_never_the_output(smile: Path, tmp_path: Path) -> None:
    still = tmp_path / "still.png"
    cv2.imwrite(str(still), picture(0))
    with pytest.raises(VideoWriteError, match=r"still\.png: is one of the files it is made from"):
        preview(still, smile, still, overwrite=True)


def test_output_folder_is_checked(
    source: Clip, smile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(VideoWriteError, match=r"folder\.png: is a folder; give a file name in it"):
        preview(source.path, smile, tmp_path / "folder.png")
    with pytest.raises(VideoWriteError, match=r"none does not exist; make it first"):
        preview(source.path, smile, tmp_path / "none" / "sheet.png")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(VideoWriteError, match=r"is not writable; check its permissions"):
        preview(source.path, smile, tmp_path / "sheet.png")


def test_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(VideoWriteError, match=r"a\.png: writing failed \(No space left") as caught:
        write_whole(tmp_path / "a.png", b"data")
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


# The driver


def test_driver_clip_follows_the_source_time(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "driver.mkv", 8)
    with open_video(clip.path) as reader:
        driver = DriverClip(reader, 0.8, RetargetOptions(driver_offset_seconds=0.5))
        shown = [driver.at(seconds).index for seconds in (0.0, 0.5, 0.59, 0.6, 1.0, 1.2, 9.0, 0.7)]
    assert shown == [0, 0, 0, 1, 5, 7, 7, 2]


def test_looping_driver_clip_starts_again(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "driver.mkv", 8)
    with open_video(clip.path) as reader:
        driver = DriverClip(reader, 0.8, RetargetOptions(after="loop"))
        assert [driver.at(t / 100).index for t in (5, 75, 85, 155, 165)] == [0, 7, 0, 7, 0]


def test_driver_row_shows_the_clip_and_darkens_it_when_it_is_over(
    plant: Any, source: Clip, tmp_path: Path
) -> None:
    plant(driver=lambda seconds: {"AU12": 0.2 + seconds})
    clip = make_clip(tmp_path / "driver.mkv", 6)
    preview(source.path, clip.path, tmp_path / "sheet.png", RetargetOptions(release_seconds=0.2), moments=20)
    sheet = read_rgb(tmp_path / "sheet.png")
    shown = [int(cell(sheet, 1, column)[5, 5, 0]) for column in range(20)]
    assert shown[:7] == [gray_of(index) for index in (0, 1, 2, 3, 4, 5, 5)]
    assert shown[10:] == [gray_of(5) // 3] * 10


def target_of(units: dict[str, float], *, additive: bool = False, weight: float = 1.0) -> Target:
    values, weights = (np.zeros((1, action_units.COUNT), np.float32) for _ in range(2))
    for name, value in units.items():
        values[0, list(action_units.resolve(name))] = value
        weights[0, list(action_units.resolve(name))] = weight
    return Target(values, weights, np.full(values.shape, additive))


def test_bars_are_as_long_as_the_request() -> None:
    bars = draw_bars(target_of({"AU12": 0.5}), None, (320, 240))
    lengths = (bars == BAR).all(-1).sum(axis=1)
    track = 320 - 60 - 76
    assert lengths.max() == pytest.approx(track / 2, abs=2)


def test_bars_list_the_strongest_that_fit() -> None:
    units = {unit.name: 0.1 for unit in action_units.ACTION_UNITS} | {"AU04": 0.9}
    bars = (draw_bars(target_of(units), None, (320, 64)) == BAR).all(-1)
    starts = np.flatnonzero(np.diff(bars.any(axis=1).astype(int)) == 1)
    assert len(starts) == 2
    assert bars[starts[0] + 1].sum() > 5 * bars[starts[1] + 1].sum()


def test_relaxing_to_zero_is_listed() -> None:
    delta = np.zeros(action_units.COUNT, np.float32)
    delta[list(action_units.resolve("AU12"))] = -0.6
    nothing = draw_bars(target_of({}), delta, (320, 240))  # the change is not this driver's wish
    relaxing = draw_bars(target_of({"AU12": 0.0}), delta, (320, 240))
    assert (nothing != relaxing).any()
    assert not has_color(relaxing, BAR)


def test_strongest_merges_sides_that_agree() -> None:
    values = np.zeros(action_units.COUNT)
    for name, value in {"AU12L": 0.5, "AU12R": 0.52, "AU04L": -0.9, "AU17": 0.001}.items():
        values[action_units.NAMES.index(name)] = value
    assert strongest(values, 4) == [("AU04L", -0.9), ("AU12", pytest.approx(0.51))]


def test_long_names_are_shortened_in_the_middle() -> None:
    assert shortened("abcdefghij.mp4", 9) == "abcd….mp4"
    assert shortened("short.mp4", 9) == "short.mp4"


# The comparison


def video_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def sound_packets(path: Path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.audio[0])
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in packets if packet.size]


@pytest.fixture
def film(plant: Any, smile: Path, tmp_path: Path) -> tuple[Path, Report]:
    clip = make_clip(tmp_path / "sounding.mp4", 20, audio=True)
    report = preview(clip.path, smile, tmp_path / "sheet.png", moments=2, side_by_side=tmp_path / "film.mp4")
    return tmp_path / "film.mp4", report


def test_comparison_keeps_times_and_sound(film: tuple[Path, Report]) -> None:
    path, report = film
    source = path.with_name("sounding.mp4")
    assert video_times(path) == video_times(source)
    assert sound_packets(path) == sound_packets(source)
    assert (report.frames, report.frames_edited) == (20, 20)
    assert report.details["side_by_side"] == str(path)


def test_comparison_is_h264_of_source_and_result(film: tuple[Path, Report]) -> None:
    with av.open(str(film[0])) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(stream)]
    assert frames[0].shape == (HEIGHT + 22, 2 * WIDTH, 3)
    for index in (0, 19):
        before, after = frames[index][:HEIGHT, :WIDTH], frames[index][:HEIGHT, WIDTH:]
        assert abs(before[10, 10] - gray_of(index)).max() <= 4
        assert np.abs(after - before)[:, :60].mean() < 2
        assert np.abs(after - before)[130:200, 130:270].max() > 50


def test_comparison_of_a_trimmed_source_is_timed_as_the_result(plant: Any, smile: Path, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "sounding.mp4", 20, audio=True)
    options = RetargetOptions(trim_start=0.5, trim_end=1.5)
    retarget_video(clip.path, smile, tmp_path / "result.mp4", options)
    report = preview(
        clip.path, smile, tmp_path / "sheet.png", options, moments=10, side_by_side=tmp_path / "film.mp4"
    )
    assert report.details["moments"] == [pytest.approx(i / RATE) for i in range(10)]
    assert video_times(tmp_path / "film.mp4") == video_times(tmp_path / "result.mp4")
    assert sound_packets(tmp_path / "film.mp4") == sound_packets(tmp_path / "result.mp4")


def test_comparison_has_even_sides_and_the_driver_beside(plant: Any, tmp_path: Path) -> None:
    plant(driver=lambda seconds: {"AU12": 0.2 + seconds})
    source = make_clip(tmp_path / "odd.mkv", 4, size=(321, 241))
    driver = make_clip(tmp_path / "driver.mkv", 4, size=(120, 80))
    preview(source.path, driver.path, tmp_path / "sheet.png", moments=1, side_by_side=tmp_path / "film.mkv")
    with av.open(str(tmp_path / "film.mkv")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (320 + 320 + 360, 240 + 22)
        last = list(container.decode(stream))[-1].to_ndarray(format="rgb24").astype(int)
    assert abs(last[10, -10] - gray_of(3)).max() <= 4


def test_wide_comparisons_are_scaled_down() -> None:
    info = open_video(SAMPLES / "actress.mp4").info
    large = preview_module.replace(info, width=4096, height=2160)
    sizes = preview_module._panel_sizes([large, large, info])
    assert 3836 <= sum(width for width, _ in sizes) <= 3844
    assert {height for _, height in sizes} == {sizes[0][1]}


def test_failing_run_leaves_neither_sheet_nor_film(
    plant: Any, source: Clip, smile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview_module.ContactSheet, "add", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        preview(source.path, smile, tmp_path / "sheet.png", side_by_side=tmp_path / "film.mp4")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["smile.yaml", "source.mkv"]


def test_session_edits_of_some_frames_only(plant: Any, source: Clip, smile: Path) -> None:
    with contextlib.ExitStack() as stack:
        session = Session(stack, source.path, smile, RetargetOptions(), clock=Clock())
        session.analyse()
        some = list(session.edits([3, 7]))
        every = list(session.edited_frames())
    assert [edited.source.index for edited in some] == [3, 7]
    assert [frame.index for frame in every] == list(range(20))
    np.testing.assert_array_equal(some[1].result.planes[0], every[7].planes[0])


# Real faces


def test_real_clips(tmp_path: Path) -> None:
    options = RetargetOptions(trim_start=1.0, trim_end=1.4)
    report = preview(
        SAMPLES / "actress.mp4",
        SAMPLES / "smile.yaml",
        tmp_path / "sheet.png",
        options,
        moments=2,
        side_by_side=tmp_path / "film.mp4",
        debug=True,
    )
    assert report.faces == 1
    assert report.frames == len(video_times(tmp_path / "film.mp4")) > 5
    sheet = read_rgb(tmp_path / "sheet.png")
    assert has_color(sheet, MESH)
    assert has_color(sheet, OUTLINE)
