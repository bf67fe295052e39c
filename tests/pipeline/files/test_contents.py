"""Files known by their content: read once, and again only when they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from retarget.pipeline.errors import VideoOpenError, VideoReadError
from retarget.pipeline.files import contents as contents_module
from retarget.pipeline.files.contents import Contents, content_of, signature_of

KNOWN = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
"""SHA-256 of "hello", as any tool says."""


def test_the_hash_is_the_content_s(tmp_path: Path) -> None:
    file = tmp_path / "a b é.mov"
    file.write_bytes(b"hello")
    assert content_of(file).sha256 == KNOWN
    assert Contents().sha256(file) == KNOWN


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.mov"
    file.write_bytes(b"hello")
    known = content_of(file)
    monkeypatch.setattr(contents_module, "_digest", lambda _: pytest.fail("read"))
    assert Contents([known]).sha256(file) == KNOWN
    assert Contents([known]).remembered(file) == KNOWN
    assert Contents().remembered(file) is None


@pytest.mark.parametrize("change", ["longer", "later"])
def test_a_changed_file_is_read_again(tmp_path: Path, change: str) -> None:
    file = tmp_path / "a.mov"
    file.write_bytes(b"hello")
    known = content_of(file)
    file.write_bytes(b"hello!" if change == "longer" else b"hallo")
    os.utime(file, ns=(0, 10**18))
    assert Contents([known]).remembered(file) is None
    assert Contents([known]).sha256(file) != KNOWN


def test_a_file_that_grows_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.mov"
    file.write_bytes(b"hello")

    def growing(path: Path) -> str:
        with path.open("ab") as stream:
            stream.write(b"more")
        return KNOWN

    monkeypatch.setattr(contents_module, "_file_digest", growing)
    message = r"a\.mov: is being written to \(5 bytes, then 9 bytes\); run again when it is complete"
    with pytest.raises(VideoReadError, match=message):
        content_of(file)


def test_what_was_used_must_stay_as_it_was(tmp_path: Path) -> None:
    file, contents = tmp_path / "a.mov", Contents()
    file.write_bytes(b"hello")
    contents.sha256(file)
    contents.check_unchanged()
    file.write_bytes(b"hello, world")
    with pytest.raises(VideoReadError, match="is being written to"):
        contents.check_unchanged()
    file.unlink()
    with pytest.raises(VideoReadError, match="vanished while it was read"):
        contents.check_unchanged()


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(VideoOpenError, match=r"a\.mov: cannot be read \(No such file or directory\); check"):
        Contents().sha256(tmp_path / "a.mov")


def test_a_sequence_is_all_its_files(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"a.{number:04d}.png").write_bytes(bytes([number]))
    pattern = tmp_path / "a.%04d.png"
    before = content_of(pattern)
    assert before.signature.startswith("3 files ")
    (tmp_path / "a.0002.png").write_bytes(b"x")
    os.utime(tmp_path / "a.0002.png", ns=(0, 10**18))
    assert signature_of(pattern) != before.signature
    assert content_of(pattern).sha256 != before.sha256
