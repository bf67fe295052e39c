"""Synthetic pictures and faces whose every number is known, shared by the tests of all rooms."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay
from torch import Tensor

from retarget.model import action_units
from retarget.model.checkpoint import Checkpoint
from retarget.model.crop_spec import CropSpec
from retarget.model.generator import Generator, GeneratorConfig
from retarget.model.geometry import GeometryModel
from retarget.model.mesh import LEFT_EYE, MOUTH, RIGHT_EYE
from retarget.pipeline.faces import canonical_face
from retarget.pipeline.records import Color, Face, Frame, PixelFormat, VideoInfo

# Under nohup and some CI runners the parent ignores Ctrl-C, and every child would inherit that. A handler of
# Python's own is not inherited: what a test starts begins with the system's default, as from a shell.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)

# The networks here are tiny: a second thread only waits. Commands that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)

FORMATS: dict[str, PixelFormat] = {
    "yuv420p": PixelFormat("yuv420p", "yuv", 8, 1, 1),
    "yuv422p": PixelFormat("yuv422p", "yuv", 8, 1, 0),
    "yuv444p": PixelFormat("yuv444p", "yuv", 8),
    "yuv420p10le": PixelFormat("yuv420p10le", "yuv", 10, 1, 1),
    "yuv422p10le": PixelFormat("yuv422p10le", "yuv", 10, 1, 0),
    "yuv444p10le": PixelFormat("yuv444p10le", "yuv", 10),
    "yuva420p": PixelFormat("yuva420p", "yuv", 8, 1, 1, has_alpha=True),
    "gray": PixelFormat("gray", "gray", 8),
    "gray10le": PixelFormat("gray10le", "gray", 10),
    "gbrp": PixelFormat("gbrp", "rgb", 8),
    "gbrp10le": PixelFormat("gbrp10le", "rgb", 10),
    "gbrap": PixelFormat("gbrap", "rgb", 8, has_alpha=True),
}


@pytest.fixture(scope="session")
def formats() -> dict[str, PixelFormat]:
    return FORMATS


@pytest.fixture(scope="session")
def samples() -> Path:
    return Path(__file__).parent.parent / "samples"


@pytest.fixture(scope="session")
def make_info() -> Callable[..., VideoInfo]:
    """`make_info(width, height, format_name, **fields)`."""

    def make(width: int = 64, height: int = 48, format_name: str = "yuv420p", **fields: Any) -> VideoInfo:
        pixel_format = FORMATS[format_name]
        rgb = pixel_format.family == "rgb"
        values: dict[str, Any] = {
            "path": Path("clip.mp4"),
            "native_format_name": format_name,
            "color": Color("rgb" if rgb else "bt709", full_range=rgb),
            "time_base": Fraction(1, 25),
            "frame_rate": Fraction(25),
            "start_seconds": 0.0,
            "duration_seconds_from_header": 0.0,
            "frame_count_from_header": 0,
        }
        return VideoInfo(width=width, height=height, pixel_format=pixel_format, **(values | fields))

    return make


@pytest.fixture(scope="session")
def make_frame() -> Callable[..., Frame]:
    """`make_frame(width, height, format_name, draw)`: each plane is `draw(x, y)` at its pixel centres.

    x and y are in coded (full resolution) pixels, corner-based; `draw` gives values of that plane's samples,
    and may take the plane's number as a third argument's place through a list of functions.
    """

    def make(
        width: int = 64, height: int = 48, format_name: str = "yuv420p", draw: Any = 100, *, index: int = 0
    ) -> Frame:
        pixel_format = FORMATS[format_name]
        planes = []
        for i in range(pixel_format.plane_count):
            wide, high = pixel_format.plane_size(i, width, height)
            step_x, step_y = (1 << shift for shift in pixel_format.plane_shift(i))
            x, y = np.meshgrid((np.arange(wide) + 0.5) * step_x, (np.arange(high) + 0.5) * step_y)
            wish = draw[i] if isinstance(draw, (list, tuple)) else draw
            values = wish(x, y) if callable(wish) else np.full(x.shape, wish)
            planes.append(np.rint(values).astype(pixel_format.dtype))
        return Frame(index, index, Fraction(1, 25), tuple(planes), pixel_format)

    return make


@pytest.fixture(scope="session")
def disc() -> Callable[..., Callable[[Any, Any], Any]]:
    """`disc(x, y, radius, inside, outside)`: a soft-edged disc to draw with `make_frame`."""

    def make(
        center_x: float, center_y: float, radius: float = 6, inside: float = 200, outside: float = 50
    ) -> Callable[[Any, Any], Any]:
        def draw(x: Any, y: Any) -> Any:
            edge = np.clip(radius + 1 - np.hypot(x - center_x, y - center_y), 0, 2) / 2
            return outside + (inside - outside) * edge

        return draw

    return make


@pytest.fixture(scope="session")
def rotation_of() -> Callable[..., Any]:
    """`rotation_of(yaw, pitch, roll)` in degrees -> (3, 3), written down from the axes' meaning.

    Axes x right, y down, z away. yaw turns the nose (-z) to the right of the picture, pitch turns it down,
    roll is clockwise in the picture.
    """

    def make(yaw: float = 0, pitch: float = 0, roll: float = 0) -> Any:
        cy, sy = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
        cp, sp = np.cos(np.radians(pitch)), np.sin(np.radians(pitch))
        cr, sr = np.cos(np.radians(roll)), np.sin(np.radians(roll))
        turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
        nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        lean = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        return lean @ turn @ nod

    return make


@pytest.fixture(scope="session")
def place_face(rotation_of: Callable[..., Any]) -> Callable[..., Any]:
    """`place_face(center, scale_px, yaw, pitch, roll)`: canonical landmarks (478, 3) at that pose."""

    def place(
        center: tuple[float, float] = (128, 100),
        scale_px: float = 80,
        *,
        yaw: float = 0,
        pitch: float = 0,
        roll: float = 0,
        shape: Any = None,
    ) -> Any:
        canonical = canonical_face() if shape is None else shape
        return scale_px * canonical @ rotation_of(yaw, pitch, roll).T + (*center, 0.0)

    return place


@pytest.fixture(scope="session")
def make_face(place_face: Callable[..., Any], rotation_of: Callable[..., Any]) -> Callable[..., Face]:
    """`make_face(face_id, center, scale_px, units={"AU12": 0.5}, confidence=1, yaw=0)`."""

    def make(
        face_id: int = 0,
        center: tuple[float, float] = (128, 100),
        scale_px: float = 80,
        *,
        units: dict[str, float] | None = None,
        confidence: float = 1.0,
        yaw: float = 0,
        pitch: float = 0,
    ) -> Face:
        values = np.zeros(action_units.COUNT, np.float32)
        for name, value in (units or {}).items():
            values[list(action_units.resolve(name))] = value
        landmarks = place_face(center, scale_px, yaw=yaw, pitch=pitch).astype(np.float32)
        rotation = rotation_of(yaw, pitch).astype(np.float32)
        return Face(face_id, landmarks, values, rotation, confidence)

    return make


@pytest.fixture(scope="session")
def face_triangles() -> Tensor:
    """(T, 3): Delaunay over the front-facing mean face, without the openings of mouth and eyes."""
    points = canonical_face()[:468, :2]
    rings = [{*upper, *lower} for upper, lower in (MOUTH, RIGHT_EYE, LEFT_EYE)]
    kept = [t for t in Delaunay(points).simplices if not any(ring.issuperset(t.tolist()) for ring in rings)]
    return torch.tensor(np.array(kept), dtype=torch.int64)


@pytest.fixture(scope="session")
def make_geometry(face_triangles: Tensor) -> Callable[..., GeometryModel]:
    """`make_geometry({"AU12L": function})`: W row = function(canonical (478, 3)) -> (478, 3); others 0."""

    def make(rows: dict[str, Callable[[Any], Any]] | None = None) -> GeometryModel:
        canonical = canonical_face()
        weight = np.zeros((action_units.COUNT, 478, 3))
        for name, row in (rows or {}).items():
            weight[list(action_units.resolve(name))] = row(canonical)
        return GeometryModel.from_fit(
            torch.tensor(weight, dtype=torch.float32),
            torch.tensor(canonical, dtype=torch.float32),
            face_triangles,
        )

    return make


@pytest.fixture(scope="session")
def make_checkpoint(make_geometry: Callable[..., GeometryModel]) -> Callable[..., Checkpoint]:
    """A checkpoint that only moves pixels, by the rows of `make_geometry`; crops of 64 px, where not told."""

    def make(
        rows: dict[str, Callable[[Any], Any]] | None = None, *, crop_px: int = 64, width: int = 0
    ) -> Checkpoint:
        torch.manual_seed(0)
        geometry = make_geometry(rows)
        config = GeneratorConfig(width=width, crop_px=crop_px, levels=2, k_msf=1)
        generator = Generator(config, geometry)
        if generator.network is not None:
            for head in (generator.network.flow_head, generator.network.pixel_head):
                torch.nn.init.normal_(head.weight, std=0.3)
        return Checkpoint(
            config, action_units.NAMES, CropSpec(size_px=crop_px), geometry.config, generator.state_dict()
        )

    return make


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the slow fuzzers run: `pytest -m slow tests/test_fuzz.py --cases 10000`."""
    parser.addoption("--cases", type=int, default=1000, help="of each kind that the slow fuzzers try")
