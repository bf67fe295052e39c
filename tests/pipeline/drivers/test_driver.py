"""What a driver may be asked for, and that saying so is cheap."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from retarget.pipeline.drivers.driver import DriverOptions
from retarget.pipeline.errors import OptionError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"offset_seconds": math.nan}, "offset nan"),
        ({"release_seconds": -1.0}, "release -1"),
        ({"face": -1}, "face -1"),
        ({"neutral": -2.0}, "neutral -2"),
    ],
)
def test_options_are_checked(options: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        DriverOptions(**options)  # type: ignore[arg-type]


def test_options_load_nothing_heavy() -> None:
    code = "import sys; from retarget.pipeline.drivers import After, DriverOptions, Mode; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"torch", "av", "cv2", "mediapipe", "numpy", "scipy", "pydantic", "matplotlib", "opentimelineio"}
    assert heavy.isdisjoint(loaded)
