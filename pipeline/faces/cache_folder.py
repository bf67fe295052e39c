"""Where tracking is kept, and how much of it."""

from __future__ import annotations

from pathlib import Path

DEFAULT_LIMIT_BYTES = 4 * 2**30
"""About eight hours of one tracked face at 25 frames a second (half a GB an hour)."""


def default_cache_dir() -> Path | None:
    """The system's folder for caches: `$XDG_CACHE_HOME/retarget` or `~/.cache/retarget` on Linux; None, no cache,
    for a user without a home."""
    import platformdirs

    try:
        folder = platformdirs.user_cache_path("retarget", appauthor=False)
    except RuntimeError:  # no home at all
        return None
    return folder if folder.is_absolute() else None
