"""What outlasts a run and serves the next: networks on their devices, and the cache of tracked clips."""

from __future__ import annotations

from pathlib import Path

from retarget.model.checkpoint import Checkpoint, default_checkpoint_path, load_checkpoint

from .edit import Renderer
from .faces import TrackingCache
from .options import RetargetOptions
from .records import VideoInfo


class Resources:
    """Networks and the tracking cache. For one thread at a time."""

    def __init__(self, *, cache: TrackingCache | None = None, cores: int | None = None) -> None:
        """`cache`: None tracks every clip anew. `cores`: the share of the machine for a run; None is all of it."""
        self.cache, self.cores = cache, cores
        self._checkpoints: dict[tuple[Path, int, int], Checkpoint] = {}
        self._renderers: dict[tuple[Path, int, int, str, int], Renderer] = {}

    def checkpoint(self, path: Path | None) -> Checkpoint:
        """The checkpoint of a file (None: the built-in one), read again only if the file has changed.

        Raises:
            CheckpointError: it cannot be used.
        """
        file = path or default_checkpoint_path()
        if not file.is_file():
            return load_checkpoint(file)  # which says what is wrong
        key = _version(file)
        if key not in self._checkpoints:
            self._checkpoints[key] = load_checkpoint(file)
        return self._checkpoints[key]

    def renderer(self, options: RetargetOptions, info: VideoInfo) -> Renderer:
        """The options' network on the options' device, for the frames of a video.

        Raises:
            RetargetError: no such checkpoint or device.
        """
        checkpoint = self.checkpoint(options.checkpoint)
        key = (*_version(options.checkpoint or default_checkpoint_path()), options.device, options.batch)
        if key not in self._renderers:
            self._renderers[key] = Renderer(
                checkpoint, info, device=options.device, batch=options.batch, cores=self.cores
            )
        return self._renderers[key].for_video(info)


def _version(file: Path) -> tuple[Path, int, int]:
    stat = file.stat()
    return file.absolute(), stat.st_size, stat.st_mtime_ns
