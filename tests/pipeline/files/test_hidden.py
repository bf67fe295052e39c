"""Hidden folders: what goes from them, and what never does."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.model.files import InTheWayError
from retarget.pipeline.errors import VideoWriteError
from retarget.pipeline.files import HeldFolder, drop_folder, is_named_for, own_folder, part_of


def test_only_plain_files_of_our_names_go(tmp_path: Path) -> None:
    victim = tmp_path / "victim.png"
    victim.write_bytes(b"precious")
    folder = part_of(tmp_path / "shot.%04d.png")
    folder.mkdir()
    (folder / "shot.0001.png").write_bytes(b"")
    (folder / "shot.0002.png").symlink_to(victim)
    (folder / "shot.0003.png").mkdir()
    (folder / "letter.txt").write_bytes(b"")
    drop_folder(folder, is_named_for(tmp_path / "shot.%04d.png"))
    assert sorted(path.name for path in folder.iterdir()) == ["letter.txt", "shot.0002.png", "shot.0003.png"]
    assert victim.read_bytes() == b"precious"


def test_one_process_a_folder(tmp_path: Path) -> None:
    path = tmp_path / ".a.part"
    held = HeldFolder(path, lambda _: True)
    held.write("a.png", b"1")
    with pytest.raises(InTheWayError, match="another run is writing it"):
        HeldFolder(path, lambda _: True)
    drop_folder(path, lambda _: True)
    assert (path / "a.png").read_bytes() == b"1"
    held.drop()
    assert not path.exists()


def test_links_are_refused_and_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "a.png").write_bytes(b"precious")
    path = tmp_path / ".a.part"
    path.symlink_to(victim)
    with pytest.raises(InTheWayError, match=r"\.a\.part is in the way"):
        HeldFolder(path, lambda _: True)
    with pytest.raises(VideoWriteError, match=r"\.a\.part: is in the way"):
        own_folder(path)
    drop_folder(path, lambda _: True)
    path.unlink()
    held = HeldFolder(path, lambda _: True)
    (path / "a.png").symlink_to(victim / "a.png")
    held.write("a.png", b"new")
    assert (path / "a.png").read_bytes() == b"new"
    assert (victim / "a.png").read_bytes() == b"precious"


def test_folders_above_are_made(tmp_path: Path) -> None:
    assert own_folder(tmp_path / "a/b") == own_folder(tmp_path / "a/b")
    assert (tmp_path / "a/b").is_dir()
