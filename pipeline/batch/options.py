"""How a batch runs; what each job does is the job's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from .. import faces
from ..errors import OptionError
from ..faces import DEFAULT_LIMIT_BYTES
from .records import Setting


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """How a batch runs; what each job does is the job's."""

    output_dir: Path
    """Where the manifest is."""
    workers: int = 1
    """Processes. Each takes its share of the cores."""
    halt_on_error: bool = False
    """Start no job after one has failed."""
    retry_failed: bool = False
    """Also run jobs again that failed before and of which nothing has changed."""
    cache_dir: Path | None = None
    """Of tracking results; None: `default_cache_dir()`, if there is one."""
    cache_limit_bytes: int = DEFAULT_LIMIT_BYTES
    use_cache: bool = True
    devices: tuple[str, ...] = ()
    """Handed out to the workers in turn, instead of each job's own: ("cuda:0", "cuda:1")."""
    chunk_seconds: float = 60.0
    """Clips longer than this are encoded in pieces of this length: a killed batch that is started again (with the
    same number of workers) resumes after the last whole one. 0: never."""
    overlap: bool | None = None
    """Whether a worker tracks its next clip while it encodes the one in work; it needs the cache. None: where each
    worker has four cores or more (see `workers.py`)."""

    is_portable: bool = False
    """Reports, manifest and timeline tell files from the output folder, and nothing of whose machine it was."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise OptionError(f"{self.workers} workers make no batch; use 1 or more")
        if self.cache_limit_bytes < 0:
            raise OptionError(f"a cache of {self.cache_limit_bytes} bytes makes no sense; use --no-cache for none")
        if not (math.isfinite(self.chunk_seconds) and self.chunk_seconds >= 0):
            raise OptionError(f"chunks of {self.chunk_seconds:g} s make no sense; use more than 0, or 0 for none")

    @property
    def setting(self) -> Setting:
        """What each worker is told."""
        return Setting(
            output_dir=self.output_dir,
            cache_dir=(self.cache_dir or faces.default_cache_dir()) if self.use_cache else None,
            cache_limit_bytes=self.cache_limit_bytes,
            chunk_seconds=self.chunk_seconds,
            is_portable=self.is_portable,
        )
