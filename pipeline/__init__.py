"""Video expression retargeting: what the command line does, as a library.

from retarget.pipeline import RetargetOptions, retarget_video
report = retarget_video("plate.mov", "smile.yaml", "out.mov", RetargetOptions(strength=0.8))
"""

from .analysis import FaceSelection
from .clips import load_driver
from .errors import RetargetError
from .options import RetargetOptions
from .records import Report
from .run import retarget_video
from .tracking import track_video
from .video import EncodeOptions

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
