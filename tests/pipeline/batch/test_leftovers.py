"""What dead processes leave behind."""

from __future__ import annotations

from pathlib import Path

from retarget.pipeline.batch.leftovers import begin_work, clear_all_leftovers, clear_leftovers
from retarget.pipeline.batch.locks import job_lock
from retarget.pipeline.batch.paths import job_folder
from retarget.pipeline.files import is_there, part_of


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
