"""Video expression retargeting: what the command line does, as a library.

from retarget.pipeline import RetargetOptions, retarget_video
report = retarget_video("plate.mov", "smile.yaml", "out.mov", RetargetOptions(strength=0.8))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .drivers.load import load_driver
    from .errors import RetargetError
    from .faces.analysis import FaceSelection
    from .faces.table import track_video
    from .media.video import EncodeOptions
    from .options import RetargetOptions
    from .records import Report
    from .run import retarget_video

_HOME = {
    "EncodeOptions": "media.video",
    "FaceSelection": "faces.analysis",
    "Report": "records",
    "RetargetError": "errors",
    "RetargetOptions": "options",
    "load_driver": "drivers.load",
    "retarget_video": "run",
    "track_video": "faces.table",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first asked for: torch and mediapipe take seconds to load."""
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "EncodeOptions",
    "FaceSelection",
    "Report",
    "RetargetError",
    "RetargetOptions",
    "load_driver",
    "retarget_video",
    "track_video",
]
