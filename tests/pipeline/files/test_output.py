"""Files that are there only when whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from retarget.pipeline.errors import VideoWriteError
from retarget.pipeline.files.output import MADE_FROM, check_not_input, whole_file, write_whole


@pytest.mark.parametrize("synced", [False, True])
def test_a_file_appears_when_it_is_whole(tmp_path: Path, synced: bool) -> None:
    path = tmp_path / "ü.json"
    with whole_file(path, synced=synced) as part:
        part.write_bytes(b"half")
        assert not path.exists()
        part.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    write_whole(path, b"another", synced=synced)
    assert path.read_bytes() == b"another"
    assert list(tmp_path.iterdir()) == [path]


def test_synced_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, fsync = tmp_path / "a.json", os.fsync
    there: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda file: there.append(path.exists()) or fsync(file))
    write_whole(path, b"data", synced=True)
    assert there == ([False] if os.name == "nt" else [False, True]), "the file, then its name in the folder"
    write_whole(path, b"data")
    assert len(there) <= 2


def test_a_failure_leaves_the_old_file_and_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="mine"), whole_file(path):
        raise ValueError("mine")
    with (
        pytest.raises(VideoWriteError, match=r"a\.json: not today \(No space left on device\); check") as failure,
        whole_file(path, failure="not today"),
    ):
        raise OSError(28, "No space left on device")
    assert failure.value.exit_code == 1
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_nothing_is_written_into_a_folder_that_is_read(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    (takes / "sub").mkdir(parents=True)
    for path in (takes / "new.mov", tmp_path / "x/../takes/new.mov"):
        with pytest.raises(VideoWriteError, match=r"new\.mov: lies in .*takes, which is read; write to another"):
            check_not_input(path, {takes: MADE_FROM})
    check_not_input(takes / "sub/new.mov", {takes: MADE_FROM})
    check_not_input(tmp_path / "new.mov", {takes: MADE_FROM})
