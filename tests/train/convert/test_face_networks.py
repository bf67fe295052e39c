"""The weights in the repository are MediaPipe's, to the bit."""

from __future__ import annotations

import pytest

from retarget.model.face_networks import face_networks_path
from retarget.pipeline.faces.models import models_path


def test_converting_again_gives_the_same_file() -> None:
    pytest.importorskip("tflite")
    from retarget.train.convert.face_networks import converted

    assert converted(models_path()) == face_networks_path().read_bytes()
