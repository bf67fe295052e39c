"""face-api's package into our file: bytes as they are, axes in torch's order."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from retarget.model.errors import CheckpointError
from retarget.train.convert.face_descriptor import convert, unpacked

FOLDER = "package/model/"
BYTES = {"dtype": "uint8", "scale": 0.5, "min": -1.0}
WEIGHTS: list[dict[str, Any]] = [
    {"name": "a/filters", "shape": [1, 2, 3, 4], "dtype": "float32", "quantization": BYTES},
    {"name": "a/bias", "shape": [2], "dtype": "float32"},
    {"name": "fc", "shape": [2, 3], "dtype": "float32", "quantization": BYTES},
]
DATA = bytes(range(24)) + np.array([1.5, -2], np.float32).tobytes() + bytes(range(6))


def package(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as packed:
        for name, data in files.items():
            info = tarfile.TarInfo(FOLDER + name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return path


def test_bytes_stay_and_axes_turn() -> None:
    tensors, ranges = unpacked(WEIGHTS, DATA)
    there = np.arange(24, dtype=np.uint8).reshape(1, 2, 3, 4)  # height, width, in, out
    np.testing.assert_array_equal(tensors["a/filters"], there.transpose(3, 2, 0, 1))
    np.testing.assert_array_equal(tensors["fc"], np.arange(6).reshape(2, 3).T)
    assert tensors["a/bias"].tolist() == [1.5, -2]
    assert ranges == {"a/filters": [0.5, -1.0], "fc": [0.5, -1.0]}


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"0"])
def test_another_number_of_bytes_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"bytes of weights|buffer"):
        unpacked(WEIGHTS, data)


def test_a_package_becomes_a_file(tmp_path: Path) -> None:
    manifest = json.dumps([{"weights": WEIGHTS, "paths": ["one.bin", "two.bin"]}]).encode()
    files = {
        "face_recognition_model-weights_manifest.json": manifest, "one.bin": DATA[:10], "two.bin": DATA[10:],
    }  # fmt: skip
    convert(package(tmp_path / "it.tgz", files), tmp_path / "made.safetensors")
    assert sorted(load_file(tmp_path / "made.safetensors")) == ["a/bias", "a/filters", "fc"]


def test_another_package_is_refused(tmp_path: Path) -> None:
    other = package(tmp_path / "it.tgz", {"readme": b""})
    with pytest.raises(CheckpointError, match=r"it\.tgz: is no package with face-api's recognition model"):
        convert(other, tmp_path / "made.safetensors")
    assert not (tmp_path / "made.safetensors").exists()
