"""MediaPipe's results as people keep them in JSON, made here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from retarget.model import action_units
from retarget.pipeline.drivers.capture import read_series
from retarget.pipeline.errors import DriverError

SHAPES = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "_neutral")


def categories(jaw: float, name: str = "categoryName") -> list[dict[str, Any]]:
    return [
        {"index": i, "score": jaw if shape == "jawOpen" else 0.5, name: shape} for i, shape in enumerate(SHAPES)
    ]


def jaw_of(path: Path, face: int = 0) -> tuple[list[float], list[float]]:
    file = read_series(path, face=face)
    assert file.kind == "blendshapes"
    jaw = file.series.values[:, action_units.NAMES.index("AU26")]
    return file.series.seconds.tolist(), [
        float(value) for value, sure in zip(jaw, file.series.confidence, strict=True) if sure
    ]


FRAMES: dict[str, Any] = {
    "a list of results": [
        {"timestampMs": 40 * i, "faceBlendshapes": [{"categories": categories(0.1 * i)}]} for i in range(3)
    ],
    "frames in an object": {
        "video": "a.mp4",
        "frames": [{"frameIndex": i, "results": {"faceBlendshapes": [categories(0.1 * i)]}} for i in range(3)],
    },
    "python's names": [
        {"timestamp_ms": 40 * i, "face_blendshapes": [categories(0.1 * i, "category_name")]} for i in range(3)
    ],
    "names as keys": [
        {"time": 0.04 * i, "blendshapes": {"jawOpen": 0.1 * i, "eyeBlink_L": 0, "eye_blink_right": 0}}
        for i in range(3)
    ],
    "numbered records": {
        str(7 + i): {"blendshapes": dict.fromkeys(SHAPES[1:], 0) | {"jawOpen": 0.1 * i}} for i in range(3)
    },
    "timed records": {str(40 * i): {"jawOpen": 0.1 * i, "mouthLeft": 0, "mouthRight": 0} for i in range(3)},
    "columns": {"time": [0, 0.04, 0.08], "jawOpen": [0, 0.1, 0.2], "mouthLeft": [0] * 3, "mouthRight": [0] * 3},
    "flat records": [{"time": 0.04 * i, "jawOpen": 0.1 * i, "mouthLeft": 0, "mouthRight": 0} for i in range(3)],
}


@pytest.mark.parametrize("frames", FRAMES.values(), ids=FRAMES)
def test_frames(tmp_path: Path, frames: Any) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(frames))
    seconds, jaw = jaw_of(path)
    is_counted = "video" in frames or "7" in frames
    assert seconds == pytest.approx([0, 1 / 30, 2 / 30] if is_counted else [0, 0.04, 0.08])
    assert jaw == pytest.approx([0, 0.1, 0.2])


def test_a_frame_rate_beside_the_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**FRAMES["frames in an object"], "fps": 25}))
    assert jaw_of(path)[0] == pytest.approx([0, 0.04, 0.08])
    assert read_series(path).notes == ()


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, FRAMES["a list of results"])))
    assert jaw_of(path)[1] == pytest.approx([0, 0.1, 0.2])


def test_frames_without_a_face_are_lost(tmp_path: Path) -> None:
    frames = FRAMES["a list of results"]
    path = tmp_path / "a.json"
    path.write_text(json.dumps([frames[0], {"timestampMs": 40, "faceBlendshapes": []}, frames[2]]))
    seconds, jaw = jaw_of(path)
    assert seconds == pytest.approx([0, 0.04, 0.08])
    assert jaw == pytest.approx([0, 0.2])


def test_several_faces(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    both = [{"categories": categories(0.1)}, {"categories": categories(0.7)}]
    path.write_text(json.dumps([{"timestampMs": 40 * i, "faceBlendshapes": both} for i in range(3)]))
    assert jaw_of(path, face=1)[1] == pytest.approx([0.7] * 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "JSON without blendshapes in it; it has nothing"),
        ('{"fps": 25, "mood": []}', "it has keys fps, mood"),
        ("[1, 2]", "a list of 2"),
        ('{"a": ', "is no whole JSON"),
        ('{"a": 1}\n{"b": \n', "line 2: is no whole JSON"),
        ("[" * 100_000, "nested too deep|no whole JSON"),
    ],
)
def test_other_json(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DriverError, match=message) as caught:
        read_series(path)
    assert "\n" not in str(caught.value)
