"""What a file is, by the end of its name: one list for every room. All in lower case, with the dot."""

from __future__ import annotations

FILM_OUTPUTS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".mxf")
"""Films that are written."""
KEPT_CONTAINERS = {".mov": ".mov", ".m4v": ".m4v", ".mkv": ".mkv", ".webm": ".webm", ".mxf": ".mov"}
"""What an output is by default, by its source: .mp4 where nothing is said."""
PICTURE_OUTPUTS = (".png", ".tif", ".tiff")
"""Pictures, and sequences of them, that are written."""

# fmt: off
FILMS = (*FILM_OUTPUTS, ".avi", ".mpg", ".ts", ".m2ts")
"""Films that are looked for in a folder of media. Any file may be named as a source: its content decides."""
PICTURES = frozenset({
    ".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".webp", ".bmp", ".dpx", ".exr", ".tga", ".ppm", ".pgm",
    ".pnm", ".jp2", ".j2k", ".sgi", ".psd",
})
"""Single pictures, also as parts of a sequence."""
PLATES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dpx", ".exr")
"""Pictures that are looked for in a folder of media."""
# fmt: on

CURVES = frozenset({".yaml", ".yml"})
"""Keyframed curves."""
CAPTURES = frozenset({".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson"})
"""Measured expressions: OpenFace and its like. Any text may be named as a driver: its content decides."""

SHEETS = frozenset({".yaml", ".yml"})
"""Sheets of jobs."""
TABLES = frozenset({".csv", ".tsv", ".txt"})
"""Sheets of jobs as tables; also PySceneDetect's scene lists."""
TIMELINES = frozenset({".edl", ".otio", ".fcpxml", ".xml", ".ale", ".aaf"})
"""Cuts: CMX3600, OpenTimelineIO, and what its adapters read."""

CONTACT_SHEETS = (".png", ".jpg", ".jpeg")
PLOTS = (".png", ".pdf", ".svg")
