import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from retarget.pipeline.batch import manifest
from retarget.pipeline.batch.manifest import (
    Entry,
    LockedError,
    Manifest,
    ManifestError,
    begin_work,
    clear_all_leftovers,
    clear_leftovers,
    job_folder,
    job_lock,
    manifest_path,
    read_entries,
    report_path,
)
from retarget.pipeline.faces import Content
from retarget.pipeline.files import is_there, part_of


def entry(number: int = 1, **fields: object) -> Entry:
    values: dict[str, object] = {
        "name": f"shot {number} é",
        "state": "done",
        "source": f"plates/{number}.mov",
        "output": f"/out/{number}.mov",
        "key": "k" * 64,
        "request": "r" * 64,
        "inputs": (Content("/plates/a.mov", "12 bytes 34", "ab" * 32),),
        "made": Content(f"/out/{number}.mov", "5 bytes 6", "cd" * 32),
        "seconds": {"track": 1.5, "elapsed": 2.0},
        "finished": "2026-01-02T03:04:05+00:00",
    }
    return Entry(**(values | fields))  # type: ignore[arg-type]


def test_what_is_recorded_is_read_again(tmp_path: Path) -> None:
    failed = entry(2, state="failed", made=None, error="2.mov: broken; replace it")
    with Manifest(tmp_path) as book:
        book.record(entry(1))
        book.record(failed)
    assert read_entries(manifest_path(tmp_path)) == [entry(1), failed]
    with Manifest(tmp_path) as book:
        assert book.entries == {"/out/1.mov": entry(1), "/out/2.mov": failed}


def test_the_file_is_a_line_a_job_and_readable(tmp_path: Path) -> None:
    with Manifest(tmp_path) as book:
        book.record(entry(1))
    header, line = manifest_path(tmp_path).read_text("utf-8").splitlines()
    assert json.loads(header) == {"retarget_batch": 1}
    assert '"name": "shot 1 é", "state": "done"' in line


def test_the_last_entry_of_an_output_counts_and_the_others_go_on_opening(tmp_path: Path) -> None:
    with Manifest(tmp_path) as book:
        book.record(entry(1, state="failed", error="x"))
        book.record(entry(1))
    assert len(manifest_path(tmp_path).read_text("utf-8").splitlines()) == 3
    with Manifest(tmp_path):
        pass
    assert len(manifest_path(tmp_path).read_text("utf-8").splitlines()) == 2
    assert read_entries(manifest_path(tmp_path)) == [entry(1)]


@pytest.mark.parametrize("cut", [2, 40, 300])
def test_a_line_cut_off_by_a_crash_is_no_line_and_harms_no_other(tmp_path: Path, cut: int) -> None:
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


def test_a_full_disk_loses_no_entry_while_it_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


# Locks


def test_a_second_batch_is_told_who_has_the_first(tmp_path: Path) -> None:
    with Manifest(tmp_path):
        message = f"another batch is running on it .process {os.getpid()} on "
        with pytest.raises(LockedError, match=message) as refusal, Manifest(tmp_path):
            pass
        assert "\n" not in str(refusal.value)
    with Manifest(tmp_path):
        pass


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom retarget.pipeline.batch.manifest import job_lock\n"
        "with job_lock(Path(sys.argv[1])):\n    print('locked', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "a")], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"locked\n"
    with pytest.raises(LockedError, match="another process still works on this job"):
        job_lock(tmp_path / "a", wait_seconds=0.1).__enter__()
    holder.kill()
    with job_lock(tmp_path / "a", wait_seconds=5):
        pass
    holder.wait()
    holder.stdout.close()


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(manifest.fcntl, "flock", flock)
    message = r"cannot be locked \(.*\); use an --output-dir on a file system with locks"
    with pytest.raises(LockedError, match=message), Manifest(tmp_path):
        pass


# Where things are


@pytest.mark.parametrize("name", ["sh010", "Müller & Söhne", "a b", "日本"])
def test_a_job_folder_has_its_name(tmp_path: Path, name: str) -> None:
    assert job_folder(tmp_path, name) == tmp_path / ".retarget" / name
    assert report_path(tmp_path, name) == tmp_path / ".retarget" / name / "report.json"


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "", "lock", "x" * 300, "a\\b", "é" * 150])
def test_a_name_that_is_no_folder_gets_one(tmp_path: Path, name: str) -> None:
    folder = job_folder(tmp_path, name)
    assert folder.parent == tmp_path / ".retarget"
    folder.mkdir(parents=True)
    assert folder != job_folder(tmp_path, name + "x")


# Leftovers


def test_leftovers_go_only_where_there_is_a_note_of_them(tmp_path: Path) -> None:
    output, other = tmp_path / "a.mp4", tmp_path / ".b.part.mp4"
    folder = job_folder(tmp_path, "a")
    folder.mkdir(parents=True)
    begin_work(folder, output, owns_output=True)
    part_of(output).write_bytes(b"half")
    other.write_bytes(b"someone else's")
    clear_all_leftovers(tmp_path)
    assert not part_of(output).exists()
    assert other.read_bytes() == b"someone else's"
    assert not (folder / "working.json").exists()


def test_an_output_that_is_whole_but_not_noted_stays_known_as_ours(tmp_path: Path) -> None:
    output, folder = tmp_path / "a.mp4", job_folder(tmp_path, "a")
    folder.mkdir(parents=True)
    begin_work(folder, output, owns_output=True)
    output.write_bytes(b"whole")
    clear_all_leftovers(tmp_path)
    assert clear_leftovers(folder) == output
    assert output.read_bytes() == b"whole"
    begin_work(folder, output, owns_output=False)
    assert clear_leftovers(folder) is None


def test_a_job_that_is_still_running_keeps_its_parts(tmp_path: Path) -> None:
    output, folder = tmp_path / "a.mp4", job_folder(tmp_path, "a")
    with job_lock(folder):
        begin_work(folder, output, owns_output=True)
        part_of(output).write_bytes(b"half")
        clear_all_leftovers(tmp_path)
    assert part_of(output).exists()


def test_parts_of_picture_sequences(tmp_path: Path) -> None:
    output, folder = tmp_path / "a.%04d.png", job_folder(tmp_path, "a")
    folder.mkdir(parents=True)
    assert part_of(output) == tmp_path / ".a.part"
    begin_work(folder, output, owns_output=True)
    part_of(output).mkdir()
    (part_of(output) / "a.0001.png").write_bytes(b"")
    assert not is_there(output)
    clear_leftovers(folder)
    assert not part_of(output).exists()
    (tmp_path / "a.0001.png").write_bytes(b"")
    assert is_there(output)


def test_a_broken_note_is_no_note(tmp_path: Path) -> None:
    folder = job_folder(tmp_path, "a")
    folder.mkdir(parents=True)
    (folder / "working.json").write_text("{")
    assert clear_leftovers(folder) is None


def test_entries_compare_by_value() -> None:
    assert entry(1) != replace(entry(1), key="")
