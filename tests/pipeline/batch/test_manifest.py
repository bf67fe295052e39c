"""What is written down, and read again."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.batch import manifest
from retarget.pipeline.batch.manifest import Manifest, ManifestError, read_entries
from retarget.pipeline.batch.paths import manifest_path


def test_what_is_recorded_is_read_again(tmp_path: Path, entry: Any) -> None:
    failed = entry(2, state="failed", made=None, error="2.mov: broken; replace it")
    with Manifest(tmp_path) as book:
        book.record(entry(1))
        book.record(failed)
    assert read_entries(manifest_path(tmp_path)) == [entry(1), failed]
    with Manifest(tmp_path) as book:
        assert book.entries == {"/out/1.mov": entry(1), "/out/2.mov": failed}


def test_a_portable_one_tells_files_from_its_folder_and_can_be_moved(tmp_path: Path, entry: Any) -> None:
    here, there = tmp_path / "here/out", tmp_path / "there/out"
    here.mkdir(parents=True)
    source, output = tmp_path / "here/plates/1.mov", here / "1.mov"
    failed = entry(1, source=str(source), output=str(output), state="failed", error=f"{source}: broken")
    with Manifest(here, is_portable=True) as book:
        book.record(failed)
    assert str(tmp_path) not in manifest_path(here).read_text("utf-8")
    assert '"error": "../plates/1.mov: broken"' in manifest_path(here).read_text("utf-8")
    assert [(e.source, e.output) for e in read_entries(manifest_path(here))] == [("../plates/1.mov", str(output))]
    (tmp_path / "here").rename(tmp_path / "there")
    (moved,) = read_entries(manifest_path(there))
    assert moved.output == str(there / "1.mov")


def test_who_held_the_folder_is_not_told_afterwards(tmp_path: Path) -> None:
    with Manifest(tmp_path):
        assert (tmp_path / ".retarget/.holder.json").is_file()
    assert not (tmp_path / ".retarget/.holder.json").exists()


@pytest.mark.parametrize("line", ["[" * 100_000, '{"output": 1e999}', "9" * 5000, '{"a": ' * 50_000])
def test_a_line_of_a_stranger_is_passed_over(tmp_path: Path, line: str, entry: Any) -> None:
    with Manifest(tmp_path) as book:
        book.record(entry(1))
    with manifest_path(tmp_path).open("a") as file:
        file.write(line + "\n")
    assert read_entries(manifest_path(tmp_path)) == [entry(1)]


def test_the_file_is_a_line_a_job_and_readable(tmp_path: Path, entry: Any) -> None:
    with Manifest(tmp_path) as book:
        book.record(entry(1))
    header, line = manifest_path(tmp_path).read_text("utf-8").splitlines()
    assert json.loads(header) == {"retarget_batch": 1}
    assert '"name": "shot 1 é", "state": "done"' in line


def test_the_last_entry_of_an_output_counts_and_the_others_go_on_opening(tmp_path: Path, entry: Any) -> None:
    with Manifest(tmp_path) as book:
        book.record(entry(1, state="failed", error="x"))
        book.record(entry(1))
    assert len(manifest_path(tmp_path).read_text("utf-8").splitlines()) == 3
    with Manifest(tmp_path):
        pass
    assert len(manifest_path(tmp_path).read_text("utf-8").splitlines()) == 2
    assert read_entries(manifest_path(tmp_path)) == [entry(1)]


@pytest.mark.parametrize("cut", [2, 40, 300])
def test_a_line_cut_off_by_a_crash_is_no_line_and_harms_no_other(tmp_path: Path, cut: int, entry: Any) -> None:
    with Manifest(tmp_path) as book:
        book.record(entry(1))
        book.record(entry(2))
    path = manifest_path(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    with Manifest(tmp_path) as book:
        assert list(book.entries) == ["/out/1.mov"]
        book.record(entry(3))
    assert [e.output for e in read_entries(path)] == ["/out/1.mov", "/out/3.mov"]


def test_a_line_that_is_none_is_passed_over(tmp_path: Path) -> None:
    path = manifest_path(tmp_path)
    path.write_text('{"retarget_batch": 1}\n{"name": "a"}\n[1]\n{"state": "odd", "made": null, "inputs": []}\n')
    assert read_entries(path) == []


def test_a_full_disk_loses_no_entry_while_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: Any
) -> None:
    real, full = os.write, [True]

    def write(file: int, data: bytes) -> int:
        if full[0]:
            real(file, data[: len(data) // 2])  # what still fitted
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, data)

    with Manifest(tmp_path) as book:
        monkeypatch.setattr(manifest.os, "write", write)
        book.record(entry(1))
        assert "cannot be written (No space left on device); 1 finished jobs are not noted" in book.trouble
        full[0] = False
        book.record(entry(2))
        assert book.trouble == ""
    assert read_entries(manifest_path(tmp_path)) == [entry(1), entry(2)]


def test_something_else_under_its_name_is_refused(tmp_path: Path) -> None:
    manifest_path(tmp_path).write_text("my notes\n")
    with pytest.raises(ManifestError, match="is not the manifest of a batch; move it away"):
        read_entries(manifest_path(tmp_path))
    assert manifest_path(tmp_path).read_text() == "my notes\n"


def test_a_newer_one_is_refused(tmp_path: Path) -> None:
    manifest_path(tmp_path).write_text('{"retarget_batch": 99}\n')
    with pytest.raises(ManifestError, match="is of a newer retarget"), Manifest(tmp_path):
        pass


def test_names_that_are_no_utf8_come_back_as_they_were(tmp_path: Path, entry: Any) -> None:
    """A file called in Latin-1 on a POSIX system: Python has its bytes as lone surrogates."""
    odd = entry(1, name="pl\udce4te", source="/in/pl\udce4te.mov", output="/out/pl\udce4te.mov")
    with Manifest(tmp_path) as book:
        book.record(odd)
    assert read_entries(manifest_path(tmp_path)) == [odd]
    with Manifest(tmp_path) as book:
        assert book.entries == {odd.output: odd}
