"""Clips whose every frame can be told by its grey, faces planted into them, and measured series made up."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from retarget.model import action_units
from retarget.pipeline.faces import ClipAnalysis, Collector, FaceTrack, canonical_face
from retarget.pipeline.records import Face, TrackedFrame
from retarget.pipeline.review.contact_sheet import HEADER_PX, LABELS_PX, MARGIN_PX
from retarget.pipeline.review.quality import ClipQuality, Flag, Moment, PictureSummary, UnitSummary
from retarget.pipeline.review.series import ClipSeries, FaceSeries
from retarget.pipeline.stream import Stage

# Clips


class Clips:
    """Makes clips of one face before stripes; frame i is `gray(i)` beside it."""

    RATE = 10
    WIDTH, HEIGHT = 320, 240
    """As large as a cell of the sheet, so cells are not scaled."""
    FACE_CENTER, EYES_PX = (200.0, 110.0), 60.0

    @staticmethod
    def gray(index: int) -> int:
        return 60 + 6 * index

    def picture(self, index: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
        """(height, width, 3): stripes around the face, so that motion shows; elsewhere the frame's grey."""
        out = np.full((height, width, 3), self.gray(index), np.uint8)
        out[40:200:8, 130:270] = 250
        return out

    def face(self, eyes_px: float = EYES_PX, units: dict[str, float] | None = None) -> Face:
        values = np.zeros(action_units.COUNT, np.float32)
        for name, value in (units or {}).items():
            values[list(action_units.resolve(name))] = value
        landmarks = canonical_face() * eyes_px + (*self.FACE_CENTER, 0)
        return Face(0, landmarks.astype(np.float32), values, np.eye(3, dtype=np.float32))

    def make(
        self,
        path: Path,
        frames: int,
        *,
        size: tuple[int, int] = (WIDTH, HEIGHT),
        audio: bool = False,
        turn: int = 0,
    ) -> Path:
        """FFV1 in RGB, so that greys come back exactly; `turn` is stored as rotation metadata."""
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1" if path.suffix == ".mkv" else "libx264", rate=self.RATE)
            stream.width, stream.height = size
            stream.pix_fmt = "bgr0" if path.suffix == ".mkv" else "yuv444p"
            if path.suffix != ".mkv":
                stream.options = {"qp": "0"}
            if turn:
                stream.set_display_rotation(-turn)
            sound = container.add_stream("aac", rate=16000, layout="mono") if audio else None
            for index in range(frames):
                frame = av.VideoFrame.from_ndarray(self.picture(index, *size), format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, self.RATE)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if sound is not None:
                _add_sound(container, sound, frames * 16000 // self.RATE)
        return path


def _add_sound(container: Any, stream: Any, samples: int) -> None:
    for start in range(0, samples, 1024):
        tone = np.sin(np.arange(start, start + 1024) / 8).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@pytest.fixture(scope="session")
def clips() -> Clips:
    return Clips()


@pytest.fixture
def plant(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces tracking: every frame shows one face, of the size and expression wanted."""

    def install(
        *, eyes_px: float = clips.EYES_PX, driver: Callable[[float], dict[str, float]] = lambda _: {}
    ) -> None:
        def read(reader: Any, *_: Any, stage: Stage = Stage.TRACK, **__: Any) -> ClipAnalysis:
            def tracked() -> Iterator[TrackedFrame]:
                for frame in reader:
                    units = driver(frame.seconds) if stage == Stage.DRIVER else {}
                    face = clips.face(eyes_px, units)
                    yield TrackedFrame(frame.index, frame.pts, frame.seconds, 0, (face,))

            collector = Collector(reader.info)
            for _frame in collector.collect(tracked()):
                pass
            return collector.analysis()

        for module in ("session", "faces.read"):
            monkeypatch.setattr(f"retarget.pipeline.{module}.read_faces", read)

    install()
    return install


@pytest.fixture
def source(clips: Clips, tmp_path: Path) -> Path:
    """20 frames."""
    return clips.make(tmp_path / "source.mkv", 20)


@pytest.fixture
def smile(tmp_path: Path) -> Path:
    path = tmp_path / "smile.yaml"
    path.write_text("curves: {AU12: {keys: {0: 0.5, 2: 0.5}}}\n")
    return path


# Pictures that were written


@pytest.fixture(scope="session")
def read_rgb() -> Callable[[Path], NDArray[np.uint8]]:
    def read(path: Path) -> NDArray[np.uint8]:
        return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))

    return read


@pytest.fixture(scope="session")
def video_times() -> Callable[[Path], list[Fraction]]:
    """`video_times(path)`: seconds of each frame."""

    def times(path: Path) -> list[Fraction]:
        with av.open(str(path)) as container:
            return [frame.pts * frame.time_base for frame in container.decode(video=0)]

    return times


@pytest.fixture(scope="session")
def cell(clips: Clips) -> Callable[[NDArray[np.uint8], int, int], NDArray[np.uint8]]:
    """`cell(sheet, row, column)`: a picture of a sheet whose cells are as large as the clips."""

    def cut(sheet: NDArray[np.uint8], row: int, column: int) -> NDArray[np.uint8]:
        x, y = LABELS_PX + (clips.WIDTH + MARGIN_PX) * column, HEADER_PX + (clips.HEIGHT + MARGIN_PX) * row
        return sheet[y : y + clips.HEIGHT, x : x + clips.WIDTH]

    return cut


@pytest.fixture(scope="session")
def has_color() -> Callable[[NDArray[np.uint8], tuple[int, int, int]], bool]:
    def has(picture: NDArray[np.uint8], color: tuple[int, int, int]) -> bool:
        return bool((np.abs(picture.astype(int) - color).max(-1) <= 2).any())

    return has


# What was measured


@pytest.fixture(scope="session")
def make_track() -> Callable[..., FaceTrack]:
    """`make_track(frames, center=(0, 0), size_px=100, units=0)`: a face in those frames at 10 fps."""

    def make(
        frames: Any, *, center: tuple[float, float] = (0, 0), size_px: float = 100, units: Any = 0.0
    ) -> FaceTrack:
        frames = np.asarray(frames)
        n, ones = len(frames), np.ones(len(frames))
        return FaceTrack(
            shot=0, face_id=0, rows=np.arange(n), frames=frames, seconds=frames / 10,
            action_units=np.full((n, action_units.COUNT), units, np.float32), alignments=np.zeros((n, 4)),
            confidence=ones, yaw_degrees=0 * ones, pitch_degrees=0 * ones, size_px=size_px * ones,
            centers=np.tile(np.array(center, np.float64), (n, 1)), outside=0 * ones,
        )  # fmt: skip

    return make


@pytest.fixture
def face() -> FaceSeries:
    """40 frames from frame 100 at 25 fps: AU12L asked for 0.5 and reached by 0.3, all else in order."""
    n = 40
    ones = np.ones(n)
    return FaceSeries(
        face=0,
        frames=np.arange(100, 100 + n),
        seconds=np.arange(100, 100 + n) / 25,
        units=("AU12L",),
        requested=np.full((n, 1), 0.5),
        own=np.full((n, 1), 0.1),
        measured=np.full((n, 1), 0.4),
        yaw_degrees=5 * ones,
        pitch_degrees=-3 * ones,
        roll_radians=0 * ones,
        confidence=ones.copy(),
        output_confidence=ones.copy(),
        jitter=np.full((n, 2), 0.01),
        misfit=np.full(n, 0.02),
        covered=np.full(n, 0.02),
        sharpness=np.full((n, 2), 0.5),
        pop=np.tile([0.2, 4.0], (n, 1)),
        never_seen=np.zeros((n, 4)),
        boiling=np.full((n, 4, 2), 5.0),
        detail=np.full((n, 3, 2), 20.0),
        new_edges=np.zeros(n),
        place=np.tile([50.0, 40.0, 30.0], (n, 1)),
    )


@pytest.fixture(scope="session")
def clip_of() -> Callable[..., ClipSeries]:
    """`clip_of(*faces, frames=200, **changes)`: one shot with those faces, one face seen in every frame."""

    def make(*faces: FaceSeries, frames: int = 200, **changes: Any) -> ClipSeries:
        made = ClipSeries(
            seconds=np.arange(frames) / 25,
            faces=faces,
            face_counts=np.ones((frames, 2), np.int64),
            shot_of_frame=np.zeros(frames, np.int64),
            corrupt=np.zeros((frames, 2), np.bool_),
            output_frames=frames,
            frame_rate=Fraction(25),
        )
        return dataclasses.replace(made, **changes)

    return make


@pytest.fixture(scope="session")
def quality_with() -> Callable[..., ClipQuality]:
    """`quality_with(*flags, frames=100, **values)`: a job that is done."""

    def make(*flags: Flag, frames: int = 100, **values: Any) -> ClipQuality:
        return ClipQuality(
            name="a",
            source="a.mov",
            output="b.mov",
            state="done",
            frames=frames,
            flags=flags,
            pictures=None,
            **values,
        )

    return make


@pytest.fixture(scope="session")
def flag_of() -> Callable[[Any, int, int], Flag]:
    """`flag_of(reason, first, last)`: at 25 fps, the first frame the worst."""

    def make(reason: Any, first: int, last: int) -> Flag:
        return Flag(reason, first, last, first / 25, (last + 1) / 25, first, "as measured")

    return make


# The report


VOID = {"br", "img", "input", "meta"}


@pytest.fixture(scope="session")
def quality() -> Callable[..., ClipQuality]:
    """`quality(name="a.mov", **changes)`: 100 frames at 25 fps with a flicker in frames 10 to 12."""

    def jpeg(level: int) -> bytes:
        return bytes(cv2.imencode(".jpg", np.full((40, 40, 3), level, np.uint8))[1])

    def make(name: str = "a.mov", **changes: Any) -> ClipQuality:
        made = ClipQuality(
            name=name,
            source=f"plates/{name}",
            output=f"out/{name}",
            state="done",
            stage_seconds={"track": 1.25, "elapsed": 4.5},
            frames=100,
            frames_edited=90,
            faces=1,
            seconds=tuple(i / 25 for i in range(100)),
            edit=tuple(0.5 for _ in range(100)),
            residual=(*(0.25 for _ in range(99)), math.nan),
            units=(UnitSummary("AU12L", 0.5, 0.25, 0.7),),
            pictures=PictureSummary(
                1.25,
                11,
                {"mouth": 1.0, "eyes": 0.0},
                {"face": 1.1, "mouth": 1.7, "eyes": 1.0},
                {"mouth": 0.9},
                2.5,
            ),
            flags=(Flag("flicker", 10, 12, 0.4, 0.52, 11, "landmarks jump 0.040", 0),),
            moments=(Moment(11, 0.44, "Flicker", jpeg(10), jpeg(20), jpeg(30), jpeg(40)),),
            notes=("2 pictures could not be decoded whole",),
        )
        return dataclasses.replace(made, **changes)

    return make


@pytest.fixture(scope="session")
def failed() -> Callable[..., ClipQuality]:
    """`failed(name="broken.mov")`: a job that ended with an error."""

    def make(name: str = "broken.mov") -> ClipQuality:
        text = f"{name}: no face found; check it"
        flag = Flag("failed", 0, 0, 0.0, 0.0, 0, text)
        return ClipQuality(
            name=name, source=name, output="", state="failed", error=text, flags=(flag,), pictures=None
        )

    return make


class Page(HTMLParser):
    """Elements, attributes and text of a page; fails on a tag that is not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == [], "elements without an end"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> ends nothing"
        assert self.open.pop() == tag, f"</{tag}> ends another element"

    def handle_data(self, data: str) -> None:
        self.text.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def said(self) -> str:
        return " ".join(text for tag, text in self.text if tag not in ("script", "style"))


@pytest.fixture(scope="session")
def parse() -> type[Page]:
    """`parse(html)`: a `Page`."""
    return Page
