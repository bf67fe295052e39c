"""The RetargetError family: each error is also the builtin a caller would expect."""

from retarget.model.errors import CheckpointError, RetargetError, UnknownActionUnitError

__all__ = [
    "CheckpointError",
    "DriverError",
    "FaceModelError",
    "NoFaceError",
    "OptionError",
    "ReportError",
    "RetargetError",
    "UnknownActionUnitError",
    "VideoOpenError",
    "VideoReadError",
    "VideoWriteError",
]


class OptionError(RetargetError, ValueError):
    """An option whose value makes no sense, alone or together with another."""


class VideoOpenError(RetargetError, OSError):
    """A file that is missing, empty, a directory, not media, or has no video stream."""


class VideoReadError(RetargetError, OSError):
    """A video that stops being readable midway."""

    exit_code = 1


class VideoWriteError(RetargetError, OSError):
    """An output that cannot be created (exit 2) or written to its end, such as on a full disk (exit 1)."""


class DriverError(RetargetError, ValueError):
    """A driver file (YAML curve or capture CSV) that cannot be used as it is."""


class NoFaceError(RetargetError, LookupError):
    """No usable face where one is needed."""


class ReportError(RetargetError, ValueError):
    """A run's report cannot be read."""


class FaceModelError(RetargetError, ValueError):
    """The face models are missing, damaged or others, or what runs them is not there."""
