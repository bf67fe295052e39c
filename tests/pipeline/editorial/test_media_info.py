"""How files count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from retarget.pipeline.editorial.media_info import probe_media

MakeFilm = Callable[..., Path]


def test_timecode_of_real_containers(tmp_path: Path, make_film: MakeFilm) -> None:
    assert probe_media(make_film(tmp_path / "a.mov", 5, 25, "10:11:12:13")).start_frame == (
        ((10 * 60 + 11) * 60 + 12) * 25 + 13
    )
    assert probe_media(make_film(tmp_path / "a.mkv", 5, 25)).start_frame == 0
