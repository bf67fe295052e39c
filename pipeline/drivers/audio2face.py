"""NVIDIA's Audio2Face: the CSV of its service and the JSON of its application, both of ARKit's blendshapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import DriverError
from ..faces import blendshapes
from ..timecode import rate_of
from .blendshape_csv import read_shapes
from .capture_file import CaptureFormat, SeriesFile
from .capture_table import CaptureSource, Header, Row

_PREFIX = "blendshapes."


def is_audio2face_json(document: object) -> bool:
    """Whether the document is what Audio2Face's application exports: names, and a row of weights a frame."""
    return isinstance(document, Mapping) and {"facsNames", "weightMat"} <= document.keys()


def unpacked(path: Path, document: Mapping[str, Any]) -> CaptureSource:
    """The document as a table.

    Raises:
        DriverError: names and weights are not what they should be.
    """
    names, weights = document["facsNames"], document["weightMat"]
    if not (isinstance(names, list) and isinstance(weights, list) and all(isinstance(w, list) for w in weights)):
        raise DriverError(f"{path}: facsNames and weightMat are no lists; export it from Audio2Face again")
    if not weights:
        raise DriverError(f"{path}: weightMat has no frames; export it from Audio2Face again")

    def rows() -> Iterator[Row]:
        for frame, row in enumerate(weights):
            yield frame + 1, [str(frame), *map(str, row)]

    header = Header(("frame", *(str(name).strip().lower() for name in names)))
    return CaptureSource(path, header, rows, own_rate=_rate(document.get("exportFps")), packing="audio2face")


def _rate(written: object) -> Fraction | None:
    try:
        return rate_of(str(written))
    except ValueError:
        return None


def _is_audio2face(source: CaptureSource) -> bool:
    is_table = any(
        name.startswith(_PREFIX) and blendshapes.known_name(name) is not None for name in source.header.names
    )
    return source.packing == "audio2face" or is_table


def _read(source: CaptureSource) -> SeriesFile:
    """What speech does not move is 0 throughout, and says nothing about the face."""
    return read_shapes(source, "audio2face", may_be_dead=blendshapes.NAMES)


AUDIO2FACE = CaptureFormat("audio2face", "Audio2Face (timeCode, blendShapes.JawOpen; JSON)", _is_audio2face, _read)
