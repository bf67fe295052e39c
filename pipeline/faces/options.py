"""How faces are looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import OptionError
from ..records import VideoInfo

Tracker = Literal["own", "mediapipe"]
"""What runs the face networks: our own runner, or the package mediapipe."""


@dataclass(frozen=True)
class TrackOptions:
    """How faces are looked for."""

    min_face_px: int | None = None
    """Smallest face worth tracking, longer side in display pixels; None: 6 % of the height, at least 32."""
    redetect_seconds: float = 2.0
    """How often to look for new faces while some are tracked; four times as often while none is, and for a while
    after one was lost."""
    patience_seconds: float = 0.4
    """How long a face may be missing before its track ends."""

    tracker: Tracker = "own"

    def __post_init__(self) -> None:
        if self.tracker not in get_args(Tracker):
            raise OptionError(f"tracker {self.tracker!r} is unknown; use {' or '.join(get_args(Tracker))}")

    def min_face(self, info: VideoInfo) -> int:
        """The smallest face for a video of that size, in display pixels."""
        return self.min_face_px or max(32, round(0.06 * info.display_height))
