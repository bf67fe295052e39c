"""What dead processes leave behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from retarget.pipeline.batch.leftovers import begin_work, clear_all_leftovers, clear_leftovers
from retarget.pipeline.batch.locks import LockedError, batch_lock, job_lock
from retarget.pipeline.batch.paths import job_folder
from retarget.pipeline.errors import VideoWriteError
from retarget.pipeline.files import is_there, part_of
from retarget.pipeline.media import drop_pieces
from retarget.pipeline.media.pieces import kept_pieces


def test_leftovers_go_only_where_there_is_a_note_of_them(tmp_path: Path) -> None:
    output, other = tmp_path / "a.mp4", tmp_path / ".b.part.mp4"
    folder = job_folder(tmp_path, "a")
    folder.mkdir(parents=True)
    begin_work(folder, output, owns_output=True)
    part_of(output).write_bytes(b"half")
    other.write_bytes(b"someone else's")
    clear_all_leftovers(tmp_path, ())
    assert not part_of(output).exists()
    assert other.read_bytes() == b"someone else's"
    assert not (folder / "working.json").exists()


def test_an_output_that_is_whole_but_not_noted_stays_known_as_ours(tmp_path: Path) -> None:
    output, folder = tmp_path / "a.mp4", job_folder(tmp_path, "a")
    folder.mkdir(parents=True)
    begin_work(folder, output, owns_output=True)
    output.write_bytes(b"whole")
    clear_all_leftovers(tmp_path, ())
    assert clear_leftovers(folder, output.__eq__) == output
    assert output.read_bytes() == b"whole"
    begin_work(folder, output, owns_output=False)
    assert clear_leftovers(folder, output.__eq__) is None


def test_a_job_that_is_still_running_keeps_its_parts(tmp_path: Path) -> None:
    output, folder = tmp_path / "a.mp4", job_folder(tmp_path, "a")
    with job_lock(folder):
        begin_work(folder, output, owns_output=True)
        part_of(output).write_bytes(b"half")
        clear_all_leftovers(tmp_path, ())
    assert part_of(output).exists()


def test_parts_of_picture_sequences(tmp_path: Path) -> None:
    output, folder = tmp_path / "a.%04d.png", job_folder(tmp_path, "a")
    folder.mkdir(parents=True)
    assert part_of(output) == tmp_path / ".a.part"
    begin_work(folder, output, owns_output=True)
    part_of(output).mkdir()
    (part_of(output) / "a.0001.png").write_bytes(b"")
    assert not is_there(output)
    clear_leftovers(folder, output.__eq__)
    assert not part_of(output).exists()
    (tmp_path / "a.0001.png").write_bytes(b"")
    assert is_there(output)


def test_a_broken_note_is_no_note(tmp_path: Path) -> None:
    folder = job_folder(tmp_path, "a")
    folder.mkdir(parents=True)
    for text in ("{", "[]", "{}", "null", '{"output": 3}', "[" * 100_000, '{"output": "\\u0000"}'):
        (folder / "working.json").write_text(text)
        assert clear_leftovers(folder, lambda _: True) is None


def test_a_planted_note_removes_nothing_but_parts(tmp_path: Path) -> None:
    victim, out = tmp_path / "victim", tmp_path / "out"
    folder = job_folder(out, "a")
    for made in (victim / "sub", folder):
        made.mkdir(parents=True)
    (victim / "sub/precious.txt").write_bytes(b"x")
    (victim / ".film.part.mp4").write_bytes(b"x")
    (out / ".a.part").symlink_to(victim / "sub")
    before = sorted(victim.rglob("*"))
    parts = [str(victim), str(victim / "sub")]
    for note in (
        {"output": None, "parts": parts},
        {"output": str(out / "a.mp4"), "owns_output": True, "keeps_part": False, "parts": parts},
        {"output": str(victim / "film.mp4"), "owns_output": True, "keeps_part": False},
        {"output": f"{out}/../victim/film.mp4", "owns_output": True, "keeps_part": False},
        {"output": str(out / "a.%04d.png"), "owns_output": True, "keeps_part": False},
        {"output": "film.mp4\0", "owns_output": True, "keeps_part": False},
    ):
        (folder / "working.json").write_text(json.dumps(note))
        clear_all_leftovers(out, ())
        assert sorted(victim.rglob("*")) == before
        assert clear_leftovers(folder, (out / "other.mp4").__eq__) is None


def test_no_link_is_followed_on_the_way_to_what_is_ours(tmp_path: Path) -> None:
    victim, out = tmp_path / "victim", tmp_path / "out"
    (victim / "pieces").mkdir(parents=True)
    for name in ("lock", "00000.piece", "pieces/00000.piece", "pieces/letter.txt"):
        (victim / name).write_bytes(b"precious")
    out.mkdir()
    (out / ".retarget").symlink_to(victim)
    with (
        pytest.raises(VideoWriteError, match=r"\.retarget: is in the way, and no run has left it there"),
        batch_lock(out),
    ):
        pass
    (out / ".retarget").unlink()
    (out / ".retarget").mkdir()
    job_folder(out, "a").symlink_to(victim)
    with pytest.raises(VideoWriteError, match="a: is in the way"), job_lock(job_folder(out, "a")):
        pass
    for lock in (out / ".retarget/lock", job_folder(out, "b") / "lock"):
        lock.parent.mkdir(exist_ok=True)
        lock.symlink_to(victim / "lock")
    with pytest.raises(LockedError, match="is a link"), batch_lock(out):
        pass
    with pytest.raises(LockedError, match="is a link"), job_lock(job_folder(out, "b")):
        pass
    pieces = job_folder(out, "b") / "pieces"
    pieces.symlink_to(victim / "pieces")
    drop_pieces(pieces)
    assert kept_pieces(pieces, "") == []
    assert all(path.read_bytes() == b"precious" for path in victim.rglob("*") if path.is_file())
    assert len(list(victim.rglob("*"))) == 5


def test_of_the_pieces_folder_only_pieces_go(tmp_path: Path) -> None:
    for name in ("00000.piece", ".00001.piece.part", "pictures.json", "letter.txt", "1.piece"):
        (tmp_path / "pieces").mkdir(exist_ok=True)
        (tmp_path / "pieces" / name).write_bytes(b"")
    drop_pieces(tmp_path / "pieces")
    assert {path.name for path in (tmp_path / "pieces").iterdir()} == {"letter.txt", "1.piece"}
