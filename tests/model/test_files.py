from pathlib import Path

import pytest

from retarget.model.files import whole_file, write_whole


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
