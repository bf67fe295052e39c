"""MediaPipe's face networks, as they come, into one safetensors file. Done once; the result is in the repository.

    pip install tflite
    python -m retarget.train.convert.face_networks pipeline/faces/face_landmarker.task face_networks.safetensors

A `.task` file is a zip of `.tflite` files. Their operators are stored in the order in which they run, and the
modules of `model/face_networks.py` declare their parameters in that order too, so the two are read side by side;
every shape has to fit. Nothing is rounded: the weights are half-precision numbers there and here.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from retarget.model.face_networks import FaceNetworks, Landmarker

SOURCE = "MediaPipe Face Landmarker (BlazeFace short range, Face Mesh V2, Blendshape V2), Apache-2.0"

_FILES = {
    "detector": "face_detector.tflite",
    "landmarker": "face_landmarks_detector.tflite",
    "blendshapes": "face_blendshapes.tflite",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Converts a file and prints the hash that `model/face_networks.py` expects."""
    parser = argparse.ArgumentParser(prog="python -m retarget.train.convert.face_networks", description=__doc__)
    parser.add_argument("task", type=Path, help="face_landmarker.task")
    parser.add_argument("output", type=Path, help="face_networks.safetensors")
    arguments = parser.parse_args(argv)
    data = converted(arguments.task)
    arguments.output.write_bytes(data)
    print(hashlib.sha256(data).hexdigest())
    return 0


def converted(task: Path) -> bytes:
    """The bytes of the safetensors file for a `.task` file.

    Raises:
        ValueError: a network's layers are not those that are expected.
    """
    networks = FaceNetworks()
    tensors: dict[str, Tensor] = {}
    with zipfile.ZipFile(task) as bundle:
        for name, file in _FILES.items():
            for parameter, value in _filled(getattr(networks, name), bundle.read(file)):
                tensors[f"{name}.{parameter}"] = value.to(torch.float16).contiguous()
    return save(tensors, {"source": SOURCE})


def _filled(module: nn.Module, tflite: bytes) -> Iterator[tuple[str, Tensor]]:
    """(name, value) of each parameter."""
    constants, wanted = list(_constants(tflite, module)), dict(module.named_parameters())
    if len(constants) != len(wanted):
        raise ValueError(f"{type(module).__name__}: {len(constants)} constants for {len(wanted)} parameters")
    for name, value in zip(_in_order(wanted), constants, strict=True):
        if value.size != wanted[name].numel():
            raise ValueError(f"{name}: {value.shape} does not fit {tuple(wanted[name].shape)}")
        yield name, torch.from_numpy(value.astype(np.float32)).reshape(wanted[name].shape)


def _in_order(parameters: dict[str, nn.Parameter]) -> list[str]:
    """Names in the order of their operators: torch lists a module's own parameter before those of its parts."""
    names = [name for name in parameters if name != "token"]
    if "token" in parameters:
        names.insert(names.index("embed.bias") + 1, "token")
    return names


def _constants(tflite: bytes, module: nn.Module) -> Iterator[NDArray[Any]]:
    """The weights of each layer in running order, as torch arranges them."""
    graph = _Graph(tflite)
    for kind, inputs, output in graph.operators():
        if isinstance(module, Landmarker) and output == graph.tongue():
            continue
        constants = [graph.constant(index) for index in inputs]
        values = [value for value in constants if value is not None and value.dtype == np.float16 and value.ndim]
        if kind == "CONV_2D":
            values[0] = values[0].transpose(0, 3, 1, 2)
        if kind == "DEPTHWISE_CONV_2D":
            values[0] = values[0].transpose(3, 0, 1, 2)
        yield from values


class _Graph:
    """The operators and constants of a `.tflite` file."""

    def __init__(self, data: bytes) -> None:
        import tflite  # needed here alone, and never where the networks run

        self._names = {value: name for name, value in vars(tflite.BuiltinOperator).items() if name.isupper()}
        self._model = tflite.Model.GetRootAsModel(data, 0)
        self._graph = self._model.Subgraphs(0)
        self._widened = {out: ins[0] for kind, ins, out in self._all() if kind == "DEQUANTIZE"}

    def operators(self) -> Iterator[tuple[str, list[int], int]]:
        """(name, inputs, first output) of those that compute something."""
        return (item for item in self._all() if item[0] != "DEQUANTIZE")

    def constant(self, index: int) -> NDArray[Any] | None:
        """The value of a tensor that is stored; None if it is computed."""
        tensor = self._graph.Tensors(self._widened.get(index, index))
        buffer = self._model.Buffers(tensor.Buffer())
        if not buffer.DataLength():
            return None
        shape = tuple(int(size) for size in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
        kinds = {0: np.float32, 1: np.float16, 2: np.int32}
        return buffer.DataAsNumpy().view(kinds[tensor.Type()]).reshape(shape)

    def tongue(self) -> int:
        """What the landmarker's score of the tongue, which nobody asks for, is computed in."""
        out = int(self._graph.OutputsAsNumpy()[2])
        before = {output: inputs[0] for _, inputs, output in self._all()}
        return before[before[out]]

    def _all(self) -> Iterator[tuple[str, list[int], int]]:
        for i in range(self._graph.OperatorsLength()):
            operator = self._graph.Operators(i)
            code = self._model.OperatorCodes(operator.OpcodeIndex())
            kind = self._names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            inputs = [int(index) for index in operator.InputsAsNumpy() if index >= 0]
            yield kind, inputs, int(operator.OutputsAsNumpy()[0])


if __name__ == "__main__":
    sys.exit(main())
