"""The whole pipeline on real faces in every kind of container and format: what is not edited is untouched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from retarget.model.checkpoint import default_checkpoint_path, load_checkpoint, save_checkpoint
from retarget.model.crop_spec import CropSpec
from retarget.model.generator import Generator, GeneratorConfig
from retarget.pipeline import EncodeOptions, FaceSelection, RetargetOptions, retarget_video
from retarget.pipeline.media import create_video, open_video
from retarget.pipeline.records import Color, Frame, PixelFormat, VideoInfo

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
ACTRESS = SAMPLES / "actress.mp4"
COUNT = 12

LESS_SMILE = "curves: {AU12: {blend: add, keys: {0: -0.7}}}\n"


@pytest.fixture(scope="session")
def actress() -> tuple[VideoInfo, list[Frame]]:
    """The first frames of a real 640x360 clip, 8-bit 4:2:0, where she laughs."""
    with open_video(ACTRESS, trim_start=1.0) as reader:
        frames = []
        for frame in reader:
            frames.append(replace(frame, planes=tuple(np.array(p) for p in frame.planes), native=None))
            if len(frames) == COUNT:
                break
        return reader.info, frames


@pytest.fixture
def less_smile(tmp_path: Path) -> Path:
    path = tmp_path / "less smile.yaml"
    path.write_text(LESS_SMILE)
    return path


def _write(path: Path, info: VideoInfo, frames: Sequence[Frame]) -> Path:
    with create_video(path, like=info, options=EncodeOptions(codec="ffv1")) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def _variant(
    info: VideoInfo,
    frames: Sequence[Frame],
    *,
    pixel_format: PixelFormat | None = None,
    planes: Callable[[Frame], Sequence[np.ndarray]] = lambda frame: frame.planes,
    pts: Callable[[int], int] = lambda i: 1000 * i,
    **changes: object,
) -> tuple[VideoInfo, list[Frame]]:
    """The clip remade: other planes, other times, other metadata."""
    first = planes(frames[0])
    wanted = pixel_format or info.pixel_format
    info = replace(
        info,
        pixel_format=wanted,
        native_format_name=wanted.name,
        width=first[0].shape[1],
        height=first[0].shape[0],
        time_base=Fraction(1, 1000),  # Matroska's own, so that times can be compared exactly
        **changes,  # type: ignore[arg-type]
    )
    out = [
        Frame(i, pts(i), Fraction(1, 1000), tuple(np.ascontiguousarray(p) for p in planes(frame)), wanted)
        for i, frame in enumerate(frames)
    ]
    return info, out


def _ten_bit(frame: Frame) -> list[np.ndarray]:
    noise = np.random.default_rng(frame.index)  # fill the two new bits, so that losing them would be seen
    return [(p.astype(np.uint16) << 2) + noise.integers(0, 4, p.shape, np.uint16) for p in frame.planes]


def _full_chroma(frame: Frame) -> list[np.ndarray]:
    size = frame.planes[0].shape[::-1]
    return [frame.planes[0], *(cv2.resize(p, size, interpolation=cv2.INTER_LINEAR) for p in frame.planes[1:])]


def _upright_to_coded(frame: Frame) -> list[np.ndarray]:
    return [
        np.rot90(p, 1) for p in frame.planes
    ]  # a quarter turn against the clock; 90 clockwise shows it upright


YUV420P10 = PixelFormat("yuv420p10le", "yuv", 10, 1, 1)
YUV422P10 = PixelFormat("yuv422p10le", "yuv", 10, 1, 0)
YUV444P = PixelFormat("yuv444p", "yuv", 8, 0, 0)
GRAY = PixelFormat("gray", "gray", 8)
YUVA420P = PixelFormat("yuva420p", "yuv", 8, 1, 1, has_alpha=True)
GBRP = PixelFormat("gbrp", "rgb", 8)

VARIANTS: dict[str, dict[str, object]] = {
    "8 bit": {},
    "10 bit": {"pixel_format": YUV420P10, "planes": _ten_bit},
    "10 bit 4:2:2": {
        "pixel_format": YUV422P10,
        "planes": lambda f: [p if i == 0 else np.repeat(p, 2, axis=0) for i, p in enumerate(_ten_bit(f))],
    },
    "4:4:4": {"pixel_format": YUV444P, "planes": _full_chroma},
    "variable rate": {"pts": lambda i: 40 * i + 15 * (i % 3)},
    "delayed start": {"pts": lambda i: 700 + 40 * i},
    "odd size": {"planes": lambda f: [f.planes[0][:-1, :-1], *(p[:180, :320] for p in f.planes[1:])]},
    "rotated 90": {"planes": _upright_to_coded, "rotation_degrees": 90},
    "rotated 180": {"planes": lambda f: [p[::-1, ::-1] for p in f.planes], "rotation_degrees": 180},
    "gray": {"pixel_format": GRAY, "planes": lambda f: f.planes[:1]},
    "alpha": {
        "pixel_format": YUVA420P,
        "planes": lambda f: [*f.planes, np.tile(np.arange(640, dtype=np.uint8), (360, 1))],
    },
    "rgb": {
        "pixel_format": GBRP,
        "planes": _full_chroma,  # any three planes do; colours look odd, the face is still one
        "color": Color("rgb", full_range=True),
    },
}


@pytest.mark.parametrize("name", VARIANTS)
def test_everything_but_the_face_comes_back_bit_for_bit(
    name: str, actress: tuple[VideoInfo, list[Frame]], less_smile: Path, tmp_path: Path
) -> None:
    variant = dict(VARIANTS[name])
    if name == "rgb":  # from the real colours
        variant["planes"] = _as_gbr
    info, frames = _variant(*actress, **variant)  # type: ignore[arg-type]
    source = _write(tmp_path / "source.mkv", info, frames)
    output = tmp_path / "output.mkv"

    report = retarget_video(source, less_smile, output, RetargetOptions(encode=EncodeOptions(codec="ffv1")))

    with open_video(source) as before, open_video(output) as after:
        assert after.info.pixel_format == info.pixel_format
        assert after.info.rotation_degrees == info.rotation_degrees
        assert after.info.color == before.info.color
        pairs = list(zip(before, after, strict=True))
    assert len(pairs) == len(frames) == report.frames
    assert report.frames_edited == len(frames)
    assert [a.seconds for _, a in pairs] == [b.seconds for b, _ in pairs]
    for old, new in pairs:
        _assert_only_a_face_changed(old, new, info)


def _as_gbr(frame: Frame) -> list[np.ndarray]:
    y, u, v = (p.astype(np.float32) for p in _full_chroma(frame))
    y, u, v = (y - 16) * 255 / 219, u - 128, v - 128
    red, green, blue = y + 1.596 * v, y - 0.392 * u - 0.813 * v, y + 2.017 * u
    return [np.clip(plane, 0, 255).astype(np.uint8) for plane in (green, blue, red)]


def _assert_only_a_face_changed(old: Frame, new: Frame, info: VideoInfo) -> None:
    for i, (a, b) in enumerate(zip(old.planes, new.planes, strict=True)):
        changed = a != b
        if i >= old.pixel_format.color_plane_count:
            assert not changed.any(), "alpha was touched"
            continue
        if i == 0:
            assert changed.any(), "nothing was edited"
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        if len(rows) == 0:
            continue
        # She sits right of the middle; display x is coded y or its opposite when turned.
        low, high = (np.array([columns[0], rows[0]]), np.array([columns[-1], rows[-1]])) * np.array([1])
        shift = np.array(old.pixel_format.plane_shift(i))
        display = (np.vstack([low, high]) << shift) @ info.display_from_coded[:, :2].T + info.display_from_coded[
            :, 2
        ]
        assert display[:, 0].min() > 280
        assert display[:, 0].max() < 610
        assert (high - low + 1).prod() < 0.55 * changed.size


def test_a_zero_edit_returns_the_input(actress: tuple[VideoInfo, list[Frame]], tmp_path: Path) -> None:
    source = _write(tmp_path / "source.mkv", *_variant(*actress, pixel_format=YUV420P10, planes=_ten_bit))
    options = RetargetOptions(strength=0, encode=EncodeOptions(codec="ffv1"))
    report = retarget_video(source, SAMPLES / "smile.yaml", tmp_path / "output.mkv", options)
    assert report.frames_edited == 0
    assert _all_planes(source) == _all_planes(tmp_path / "output.mkv")


def test_batches_change_nothing(actress: tuple[VideoInfo, list[Frame]], less_smile: Path, tmp_path: Path) -> None:
    source = _write(tmp_path / "source.mkv", *_variant(*actress))
    for batch in (1, 8):
        options = RetargetOptions(batch=batch, encode=EncodeOptions(codec="ffv1"))
        retarget_video(source, less_smile, tmp_path / f"{batch}.mkv", options)
    assert _all_planes(tmp_path / "1.mkv") == _all_planes(tmp_path / "8.mkv")


def _all_planes(path: Path) -> list[bytes]:
    with open_video(path) as reader:
        return [plane.tobytes() for frame in reader for plane in frame.planes]


def test_sound_is_copied_packet_by_packet(less_smile: Path, tmp_path: Path) -> None:
    output = tmp_path / "output.mp4"
    retarget_video(ACTRESS, less_smile, output)
    assert _sound(output) == _sound(ACTRESS) != []
    with open_video(ACTRESS) as before, open_video(output) as after:
        assert [f.pts * f.time_base for f in after] == [f.pts * f.time_base for f in before]
        assert after.info.color == before.info.color


def _sound(path: Path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.time_base is not None
        return [(p.pts * stream.time_base, bytes(p)) for p in container.demux(stream) if p.pts is not None]


def _two_faces(info: VideoInfo, frames: Sequence[Frame]) -> tuple[VideoInfo, list[Frame]]:
    """Her face twice, side by side, the skin that an edit moves well inside of its half."""
    return _variant(
        info, frames, planes=lambda f: [np.hstack([p[:, p.shape[1] * 2 // 5 :]] * 2) for p in f.planes]
    )


def _changed_halves(source: Path, output: Path) -> tuple[bool, bool]:
    with open_video(source) as before, open_video(output) as after:
        changed = np.any([a.planes[0] != b.planes[0] for a, b in zip(before, after, strict=True)], axis=(0, 1))
    middle = len(changed) // 2
    return bool(changed[:middle].any()), bool(changed[middle:].any())


@pytest.mark.parametrize(
    ("which", "expected"),
    [("left-right:0", (True, False)), ("left-right:1", (False, True)), ("all", (True, True))],
)
def test_the_chosen_face_is_edited_and_no_other(
    which: str,
    expected: tuple[bool, bool],
    actress: tuple[VideoInfo, list[Frame]],
    less_smile: Path,
    tmp_path: Path,
) -> None:
    source = _write(tmp_path / "source.mkv", *_two_faces(*actress))
    options = RetargetOptions(faces=FaceSelection.parse(which), encode=EncodeOptions(codec="ffv1"))
    retarget_video(source, less_smile, tmp_path / "output.mkv", options)
    assert _changed_halves(source, tmp_path / "output.mkv") == expected


def test_a_driver_of_its_own_for_each_face(actress: tuple[VideoInfo, list[Frame]], tmp_path: Path) -> None:
    source = _write(tmp_path / "source.mkv", *_two_faces(*actress))
    driver = tmp_path / "two.yaml"
    driver.write_text("faces: [{face: 1, curves: {AU12: {blend: add, keys: {0: -0.7}}}}]\n")
    retarget_video(source, driver, tmp_path / "output.mkv", RetargetOptions(encode=EncodeOptions(codec="ffv1")))
    assert _changed_halves(source, tmp_path / "output.mkv") == (False, True)


def test_cuts_bound_tracking_and_faceless_frames_pass(tmp_path: Path) -> None:
    source = SAMPLES / "cut.mov"  # a face that stops smiling, then a title card
    driver = tmp_path / "jaw.yaml"
    driver.write_text("curves: {AU26: {blend: add, keys: {0: 0.3}}}\n")
    report = retarget_video(
        source, driver, tmp_path / "o.mkv", RetargetOptions(encode=EncodeOptions(codec="ffv1"))
    )
    assert report.shots == 2
    assert 0 < report.frames_edited == report.frames - report.frames_without_face
    with open_video(source) as before, open_video(tmp_path / "o.mkv") as after:
        for i, (a, b) in enumerate(zip(before, after, strict=True)):
            if i >= report.frames_edited:
                assert all(np.array_equal(x, y) for x, y in zip(a.planes, b.planes, strict=True))


def test_a_damaged_clip_keeps_its_frames_and_times(less_smile: Path, tmp_path: Path) -> None:
    whole = ACTRESS.read_bytes()
    start = whole.find(b"mdat") + len(whole) // 3
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(whole[:start] + bytes(3000) + whole[start + 3000 :])
    report = retarget_video(damaged, less_smile, tmp_path / "output.mp4")
    assert report.decode_failures > 0
    with open_video(ACTRESS) as before, open_video(tmp_path / "output.mp4") as after:
        assert [f.pts * f.time_base for f in after] == [f.pts * f.time_base for f in before]


def test_image_sequences_in_and_out_keep_sixteen_bits(
    actress: tuple[VideoInfo, list[Frame]], less_smile: Path, tmp_path: Path
) -> None:
    for i, frame in enumerate(actress[1][:3]):
        green, blue, red = (p.astype(np.uint16) * 257 + 13 for p in _as_gbr(frame))
        cv2.imwrite(str(tmp_path / f"shot.{1001 + i}.png"), np.dstack([blue, green, red]))
    report = retarget_video(tmp_path / "shot.####.png", less_smile, tmp_path / "out.####.tif")
    assert sorted(p.name for p in tmp_path.glob("out.*")) == ["out.1001.tif", "out.1002.tif", "out.1003.tif"]
    assert report.frames_edited == 3
    before = cv2.imread(str(tmp_path / "shot.1002.png"), cv2.IMREAD_UNCHANGED)
    after = cv2.imread(str(tmp_path / "out.1002.tif"), cv2.IMREAD_UNCHANGED)
    assert after.dtype == np.uint16
    assert np.array_equal(before[:, :280], after[:, :280])
    assert not np.array_equal(before, after)


def test_a_still_lasts_as_long_as_its_driver(tmp_path: Path) -> None:
    output = tmp_path / "output.mp4"
    options = RetargetOptions(sequence_rate=Fraction(10))
    report = retarget_video(SAMPLES / "astronaut.png", SAMPLES / "smile.yaml", output, options)
    assert report.frames == 30
    with open_video(output) as reader:
        assert (reader.info.width, reader.info.height) == (512, 512)


def test_a_still_driven_by_a_still_is_a_still(tmp_path: Path) -> None:
    driver = tmp_path / "smile.yaml"
    driver.write_text("curves: {AU12: 0.2}\n")
    report = retarget_video(SAMPLES / "astronaut.png", driver, tmp_path / "output.png")
    assert report.frames == 1
    assert cv2.imread(str(tmp_path / "output.png")).shape == (512, 512, 3)


@pytest.mark.parametrize("head", ["motion", "rgb"])
def test_a_checkpoint_with_a_network_does_the_main_job(
    head: str, actress: tuple[VideoInfo, list[Frame]], less_smile: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    crop_px = 64
    geometry = (
        load_checkpoint(default_checkpoint_path()).build_editor().generator.geometry if head == "motion" else None
    )
    config = GeneratorConfig(head=head, width=4, crop_px=crop_px)  # type: ignore[arg-type]
    generator = Generator(config, geometry)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    checkpoint = tmp_path / "network.safetensors"
    save_checkpoint(checkpoint, generator, crop=CropSpec(size_px=crop_px), au_source="test")

    source = _write(tmp_path / "source.mkv", *_variant(*actress))
    options = RetargetOptions(checkpoint=checkpoint, encode=EncodeOptions(codec="ffv1"))
    report = retarget_video(source, less_smile, tmp_path / "output.mkv", options)
    assert report.frames_edited == COUNT
    with open_video(source) as before, open_video(tmp_path / "output.mkv") as after:
        for old, new in zip(before, after, strict=True):
            assert np.array_equal(old.planes[0][:, :200], new.planes[0][:, :200])
            assert not np.array_equal(old.planes[1], new.planes[1])
