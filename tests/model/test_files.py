"""Files that are there when they are whole, and hidden ones that are nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retarget.model.files import InTheWayError, Part, check_free, drop_parts, put_in_place, whole_file, write_whole


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with whole_file(path) as part:
        part.write_bytes(b"new")
        assert part.suffix == ".bin"  # encoders and drawing libraries go by it
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_a_failure_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_whole(path, b"old")

    def fail() -> None:
        with whole_file(path) as part:
            part.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fail()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "entry.zip"
    with whole_file(path, unique=True) as one, whole_file(path, unique=True) as other:
        assert one != other
        one.write_bytes(b"one")
        other.write_bytes(b"other")
    assert path.read_bytes() == b"one", "the last to end"
    with pytest.raises(ZeroDivisionError), whole_file(path, unique=True) as part:
        part.write_bytes(bytes([1 // 0]))
    assert [file.name for file in tmp_path.iterdir()] == ["entry.zip"]
    assert path.read_bytes() == b"one"


def test_the_second_of_two_runs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with whole_file(path) as part:
        part.write_bytes(b"first")
        with pytest.raises(InTheWayError, match="another run is writing it"), whole_file(path):
            pass
        with pytest.raises(InTheWayError, match="another run is writing it"):
            check_free(part)
        assert part.read_bytes() == b"first"
    assert path.read_bytes() == b"first"
    check_free(tmp_path / ".a.part.bin")


def test_what_appears_meanwhile_is_not_replaced_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"

    def write_late() -> None:
        with whole_file(path, replace=False) as part:
            part.write_bytes(b"ours")
            path.write_bytes(b"theirs")

    with pytest.raises(FileExistsError):
        write_late()
    assert path.read_bytes() == b"theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", link)
    part, path = tmp_path / "part", tmp_path / "a"
    part.write_bytes(b"1")
    put_in_place(part, path, replace=False)
    part.write_bytes(b"2")
    with pytest.raises(FileExistsError):
        put_in_place(part, path, replace=False)
    assert path.read_bytes() == b"1"


def test_a_link_at_the_hidden_name_is_refused_and_not_followed(tmp_path: Path) -> None:
    victim, hidden = tmp_path / "victim", tmp_path / ".a.part.bin"
    victim.write_bytes(b"precious")
    for make in (lambda: hidden.symlink_to(victim), lambda: os.mkfifo(hidden), lambda: hidden.mkdir()):
        make()
        with pytest.raises(InTheWayError, match=r"a\.part\.bin is in the way, and no run has left it there"):
            write_whole(tmp_path / "a.bin", b"x")
        assert victim.read_bytes() == b"precious"
        hidden.rmdir() if hidden.is_dir() else hidden.unlink()
    os.link(victim, hidden)
    write_whole(tmp_path / "a.bin", b"x")
    assert victim.read_bytes() == b"precious", "its other name went, no more"


def test_a_part_that_was_swapped_is_not_put_in_place(tmp_path: Path) -> None:
    path, hidden = tmp_path / "a.bin", tmp_path / ".a.part.bin"

    def write_beside_a_rogue() -> None:
        with whole_file(path):
            hidden.unlink()
            hidden.write_bytes(b"somebody's")

    with pytest.raises(InTheWayError, match="replaced meanwhile"):
        write_beside_a_rogue()
    assert not path.exists()
    assert hidden.read_bytes() == b"somebody's"


def test_all_that_a_process_has_can_be_dropped(tmp_path: Path) -> None:
    parts = [Part(tmp_path / name) for name in ("a", "b")]
    drop_parts()
    assert not list(tmp_path.iterdir())
    parts[0].drop()


def test_a_killed_run_leaves_a_part_that_the_next_one_takes(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom retarget.model.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as part:\n    part.write_bytes(b'half'); time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)])
    hidden = tmp_path / ".a.part.bin"
    while not (hidden.exists() and hidden.read_bytes()):
        time.sleep(0.01)
    with pytest.raises(InTheWayError, match="another run"):
        write_whole(path, b"second")
    child.kill()
    child.wait()
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
