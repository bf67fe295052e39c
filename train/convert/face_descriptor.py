"""dlib's face recognition network, as `@vladmandic/face-api` packs it, into one safetensors file. Done once.

    npm pack @vladmandic/face-api@1.7.15
    python -m retarget.train.convert.face_descriptor vladmandic-face-api-*.tgz model/face_descriptor.safetensors

The package (MIT, Copyright Vladimir Mandic; after face-api.js, MIT, Copyright Vincent Mühler) carries dlib's
`dlib_face_recognition_resnet_model_v1` (Davis King, public domain) with 8 bits a number; eight tensors of the
64-channel blocks have 32. The bytes stay as they are; only the axes are put in torch's order.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from retarget.model.errors import CheckpointError, RetargetError
from retarget.model.face_chip import DESCRIPTOR
from retarget.model.face_descriptor import QUANTISATION_KEY
from retarget.model.files import write_whole

_FOLDER = "package/model/"
_MANIFEST = f"{_FOLDER}face_recognition_model-weights_manifest.json"
_TORCH_AXES = {4: (3, 2, 0, 1), 2: (1, 0)}
"""By the number of axes: filters are (height, width, in, out) there, matrices (in, out)."""
_LICENCES = "network and weights: dlib, public domain; quantisation: @vladmandic/face-api, MIT"


def convert(package: Path, output: Path) -> None:
    """Reads the npm package (.tgz) and writes the file, whole or not at all.

    Raises:
        CheckpointError: the package cannot be read, or holds something else.
    """
    try:
        with tarfile.open(package) as packed:
            (group,) = json.loads(_member(packed, _MANIFEST))
            data = b"".join(_member(packed, _FOLDER + name) for name in group["paths"])
        tensors, ranges = unpacked(group["weights"], data)
    except (OSError, tarfile.TarError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{package}: is no package with face-api's recognition model ({error}); "
            "get it with npm pack @vladmandic/face-api"
        ) from error
    about = {"descriptor": DESCRIPTOR, "licence": _LICENCES, QUANTISATION_KEY: json.dumps(ranges)}
    write_whole(output, save(tensors, about))


def unpacked(
    weights: Sequence[Mapping[str, Any]], data: bytes
) -> tuple[dict[str, NDArray[Any]], dict[str, list[float]]]:
    """The tensors of a tfjs manifest, uint8 or float32, in torch's order of axes; of the former [scale, minimum].

    Raises:
        ValueError: the bytes are not as many as the manifest says, or mean something else.
    """
    tensors: dict[str, NDArray[Any]] = {}
    ranges: dict[str, list[float]] = {}
    start = 0
    for entry in weights:
        name, shape, how = entry["name"], entry["shape"], entry.get("quantization")
        kind = np.dtype(how["dtype"] if how else entry["dtype"])
        if kind not in (np.uint8, np.float32):
            raise ValueError(f"{name} is {kind}, not uint8 or float32")
        values = np.frombuffer(data, kind, math.prod(shape), start).reshape(shape)
        tensors[name] = np.ascontiguousarray(values.transpose(_TORCH_AXES.get(len(shape), (0,))))
        if how:
            ranges[name] = [how["scale"], how["min"]]
        start += values.nbytes
    if start != len(data):
        raise ValueError(f"{len(data)} bytes of weights, where the manifest names {start}")
    return tensors, ranges


def _member(packed: tarfile.TarFile, name: str) -> bytes:
    file = packed.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file")
    return file.read()


def main() -> int:
    """Runs the command line and returns the exit status."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    flags.add_argument("package", type=Path, help="vladmandic-face-api-1.7.15.tgz")
    flags.add_argument("output", type=Path, help="face_descriptor.safetensors")
    arguments = flags.parse_args()
    try:
        convert(arguments.package, arguments.output)
    except RetargetError as error:
        print(f"face_descriptor: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
