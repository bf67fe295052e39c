"""Which files there are, and whom each shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.model.errors import RetargetError
from retarget.pipeline.errors import OptionError, VideoOpenError
from retarget.train.prepare.sources import find_sources, identity_of


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def test_identity_is_what_stands_before_two_hyphens() -> None:
    assert identity_of(Path("a/Ann--take-1.mp4")) == identity_of(Path("b/Ann--2.mov")) == "Ann"
    assert identity_of(Path("single.mp4")) == "single"


def test_a_folder_is_searched_to_the_bottom(tmp_path: Path) -> None:
    names = ["Ann--take--7.jpg", "Ann--take--8.jpg", "clips/Bob--1.mp4", "still.png", "notes.txt", ".hidden.jpg"]
    touch(*(tmp_path / name for name in names))
    found = {s.path.name: s for s in find_sources([tmp_path])}
    assert set(found) == {"Ann--take--7.jpg", "Ann--take--8.jpg", "Bob--1.mp4", "still.png"}
    assert [s.identity for s in found.values()] == ["Ann", "Ann", "Bob", "still"]
    assert [s.clip for s in found.values()] == ["Ann--take", "Ann--take", "clips/Bob--1.mp4", "still"]
    assert [s.frame for s in found.values()] == [7, 8, 0, 0]
    assert found["still.png"].size_bytes == 1


def test_lists_count_from_their_own_folder(tmp_path: Path) -> None:
    touch(tmp_path / "in/a.jpg", tmp_path / "in/b.mp4", tmp_path / "c.jpg")
    (tmp_path / "in/list.txt").write_text("# mine\na.jpg\n\nb.mp4\n../c.jpg\na.jpg\n")
    assert [s.path.name for s in find_sources([tmp_path / "in/list.txt"])] == ["a.jpg", "b.mp4", "c.jpg"]
    (tmp_path / "list.csv").write_text(
        "file,identity,clip,split\nin/a.jpg,Ann,day,eval\nin/b.mp4,,,\nc.jpg,Ann,,eval\n"
    )
    ann, b, c = find_sources([tmp_path / "list.csv"])
    assert (ann.identity, ann.clip, ann.split) == ("Ann", "day", "eval")
    assert (b.identity, b.clip) == ("b", "in/b.mp4")
    assert (c.identity, c.clip, c.split) == ("Ann", "c", "eval")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "file,identity,split\na.jpg,Ann,train\nb.jpg,Ann,eval\n",
            r"identity 'Ann' is in both splits, train by .*a",
        ),
        ("file,split\na.jpg,test\n", r"list.csv: line 2, column split: 'test'; use train or eval"),
        ("path\na.jpg\n", r"list.csv: has no column 'file'"),
        ("", r"list.csv: no pictures or videos in it"),
    ],
)
def test_a_list_that_makes_no_sense(tmp_path: Path, text: str, complaint: str) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "b.jpg")
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(RetargetError, match=complaint):
        find_sources([tmp_path / "list.csv"])


def test_inputs_that_are_nothing(tmp_path: Path) -> None:
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match=r"bytes.csv: cannot be read as a list"):
        find_sources([tmp_path / "bytes.csv"])
    with pytest.raises(VideoOpenError, match="gone: no such file or folder"):
        find_sources([tmp_path / "gone"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(VideoOpenError, match="empty: no pictures or videos in it"):
        find_sources([tmp_path / "empty"])
    touch(tmp_path / "notes.pdf")
    with pytest.raises(VideoOpenError, match=r"notes.pdf: neither a picture, a video, a folder, nor a list"):
        find_sources([tmp_path / "notes.pdf"])


def test_a_dataset_within_its_input_is_no_input(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "data/crops/a.jpg")
    assert [s.path for s in find_sources([tmp_path], leave_out=tmp_path / "data")] == [tmp_path / "a.jpg"]
