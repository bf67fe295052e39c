"""Folders where films and pictures are wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.errors import VideoOpenError
from retarget.pipeline.files.folder import media_of


def test_a_folder_is_its_films_and_pictures_in_order(tmp_path: Path) -> None:
    for name in ("take2.MOV", "still.jpg", "take1.mp4", "take1.csv", ".take0.mp4", "deep.mov/inner.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [file.name for file in media_of(tmp_path)] == ["still.jpg", "take1.mp4", "take2.MOV"]
    assert media_of(tmp_path / "deep.mov") == [tmp_path / "deep.mov/inner.png"]


def test_what_is_no_folder_is_itself(tmp_path: Path) -> None:
    assert media_of(tmp_path / "missing.mov") == [tmp_path / "missing.mov"]
    assert media_of(tmp_path / "shot.%04d.png") == [tmp_path / "shot.%04d.png"]


def test_a_folder_with_nothing_to_see(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(VideoOpenError, match="has no films or pictures in it; name another folder, or files"):
        media_of(tmp_path)
