"""Files that must be the same each time they are read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from retarget.pipeline.errors import VideoReadError
from retarget.pipeline.files import SeenFiles


def _film(path: Path, byte: bytes = b"a", size: int = 1 << 20) -> Path:
    path.write_bytes(byte * size)
    return path


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_another_of_equal_length_is_told(tmp_path: Path, size: int) -> None:
    path, seen = _film(tmp_path / "a.mov", size=size), SeenFiles()
    seen.check(path)
    seen.check_all()
    other = _film(tmp_path / "b.mov", b"b", size)
    other.replace(path)
    with pytest.raises(VideoReadError, match=r"a\.mov: was changed or replaced while it was read; run again"):
        seen.check_all()


def test_another_of_equal_length_and_time_is_told(tmp_path: Path) -> None:
    path, seen = _film(tmp_path / "a.mov"), SeenFiles()
    seen.check(path)
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    for change in (lambda: _film(tmp_path / "b.mov", b"b").replace(path), lambda: _film(path, b"b")):
        change()
        os.utime(path, ns=times)
        with pytest.raises(VideoReadError, match="was changed or replaced"):
            seen.check(path)


def test_numbered_anew_or_touched_it_is_still_the_same(tmp_path: Path) -> None:
    path, seen = _film(tmp_path / "a.mov"), SeenFiles()
    seen.check(path)
    os.link(path, tmp_path / "backup.mov")
    path.chmod(0o600)
    seen.check(path)
    shutil.copy2(path, tmp_path / "b.mov")
    (tmp_path / "b.mov").replace(path)  # another inode, as of a network mount that counts anew
    seen.check(path)


def test_links_are_what_they_lead_to(tmp_path: Path) -> None:
    link, seen = tmp_path / "link.mov", SeenFiles()
    link.symlink_to(_film(tmp_path / "a.mov"))
    seen.check(link)
    link.unlink()
    link.symlink_to(_film(tmp_path / "b.mov", b"b"))
    with pytest.raises(VideoReadError, match="was changed or replaced"):
        seen.check(link)
    link.unlink()
    with pytest.raises(VideoReadError, match=r"link\.mov: vanished"):
        seen.check(link)
