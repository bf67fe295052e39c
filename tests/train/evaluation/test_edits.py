"""Kept edits: every picture under its name, a list of which is which, and no mixing with other edits."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.checkpoint import default_checkpoint_path, load_checkpoint
from retarget.train.data import Dataset
from retarget.train.evaluation.edits import (
    LIST_FILE,
    EditFolder,
    KeptEdit,
    check_same,
    edit_list,
    plate_file,
    read_list,
    target_file,
)
from retarget.train.evaluation.errors import EvaluationError, ReportWriteError
from retarget.train.evaluation.methods import Method, nothing
from retarget.train.evaluation.trials import Trial


def _edits(*, trials: int = 2, target: str = "b.png", checkpoint: str = "0123") -> tuple[KeptEdit, ...]:
    return tuple(
        edit
        for i in range(trials)
        for edit in (
            KeptEdit(i, "a.png", target, "do nothing", plate_file(i), ""),
            KeptEdit(i, "a.png", target, "net", f"net/{i:04d}.png", checkpoint),
        )
    )


def _picture(color: tuple[int, int, int]) -> np.ndarray:
    return np.full((8, 8, 3), color, np.uint8)


def _read(path: Path) -> list[int]:
    picture = cv2.imread(str(path))
    assert picture is not None
    return [int(v) for v in picture[0, 0, ::-1]]


def test_a_list_says_what_is_done_to_whom(make_dataset: Callable[..., Dataset], tmp_path: Path) -> None:
    dataset = make_dataset(people=1, frames=3)
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"weights")
    editor = load_checkpoint(default_checkpoint_path()).build_editor()
    methods = [nothing(64), Method("net", "network", 64, editor, path)]
    delta = np.zeros(action_units.COUNT, np.float32)
    edits = edit_list(dataset, methods, [Trial(0, 2, delta), Trial(1, 0, delta)])
    digest = hashlib.sha256(b"weights").hexdigest()[:16]
    assert edits == (
        KeptEdit(0, "crops/0-0.png", "crops/0-2.png", "do nothing", "plates/0000.png", ""),
        KeptEdit(0, "crops/0-0.png", "crops/0-2.png", "net", "net/0000.png", digest),
        KeptEdit(1, "crops/0-1.png", "crops/0-0.png", "do nothing", "plates/0001.png", ""),
        KeptEdit(1, "crops/0-1.png", "crops/0-0.png", "net", "net/0001.png", digest),
    )


def test_every_method_has_a_folder_of_its_own_below(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset(people=1, frames=2)
    editor = load_checkpoint(default_checkpoint_path()).build_editor()
    labels = ["Plates", "targets", "a b", "a/b", "A-B", ".."]
    methods = [nothing(64), *(Method(label, "network", 64, editor) for label in labels)]
    edits = edit_list(dataset, methods, [Trial(0, 1, np.zeros(action_units.COUNT, np.float32))])
    assert [edit.file for edit in edits] == [
        "plates/0000.png",
        "Plates-2/0000.png",
        "targets-2/0000.png",
        "a-b/0000.png",
        "a-b-2/0000.png",
        "A-B-3/0000.png",
        "method/0000.png",
    ]


def test_pictures_and_list_come_back(tmp_path: Path) -> None:
    folder = EditFolder(tmp_path / "edits", _edits())
    for i in range(2):
        folder.add(i, "do nothing", _picture((10, 20, i)))
        folder.add(i, "net", _picture((30, 40, i)))
        folder.add_target(i, _picture((50, 60, i)))
        assert not (tmp_path / "edits" / LIST_FILE).exists()  # not before all are there
    folder.finish()
    assert read_list(tmp_path / "edits" / LIST_FILE) == _edits()
    header = (tmp_path / "edits" / LIST_FILE).read_text().splitlines()[0]
    assert header == "trial,source,target,method,file,checkpoint"
    assert _read(tmp_path / "edits" / plate_file(1)) == [10, 20, 1]
    assert _read(tmp_path / "edits/net/0000.png") == [30, 40, 0]
    assert _read(tmp_path / "edits" / target_file(1)) == [50, 60, 1]


def test_a_label_may_hold_what_a_list_is_made_of(tmp_path: Path) -> None:
    edits = tuple(dataclasses.replace(edit, method='k=3, "lean"') for edit in _edits())
    EditFolder(tmp_path, edits).finish()
    assert read_list(tmp_path / LIST_FILE) == edits


def test_the_same_edits_may_be_kept_again_but_no_others(tmp_path: Path) -> None:
    EditFolder(tmp_path, _edits()).finish()
    EditFolder(tmp_path, _edits()).finish()
    with pytest.raises(EvaluationError, match="holds the edits of another evaluation; remove it, or name another"):
        EditFolder(tmp_path, _edits(checkpoint="4567"))


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "edits").write_text("a file")
    with pytest.raises(ReportWriteError, match=r"edits: the report cannot be written \("):
        EditFolder(tmp_path / "edits", _edits())


def test_lists_of_the_same_edits_are_told_from_others(tmp_path: Path) -> None:
    path = tmp_path / LIST_FILE
    check_same(path, _edits(), _edits())
    with pytest.raises(
        EvaluationError, match=r"list\.csv: lists 2 edits a method, this evaluation makes 3; evaluate"
    ):
        check_same(path, _edits(), _edits(trials=3))
    with pytest.raises(
        EvaluationError, match=r"lists other edits .* first trial 0 \(a\.png -> c\.png\); evaluate w"
    ):
        check_same(path, _edits(), _edits(target="c.png"))
    with pytest.raises(
        EvaluationError, match=r"its edits of 'net' are another checkpoint's; keep the edits and mea"
    ):
        check_same(path, _edits(), _edits(checkpoint="4567"))


def test_a_method_that_was_not_kept_is_no_difference(tmp_path: Path) -> None:
    check_same(tmp_path, [edit for edit in _edits() if edit.method != "net"], _edits())


@pytest.mark.parametrize(
    "text",
    [
        "trial,source\n0,a.png\n",
        "trial,source,target,method,file,checkpoint\nfirst,a,b,net,net/0000.png,\n",
        "trial,source,target,method,file,checkpoint\n0,a,b\n",
        "trial,source,target,method,file,checkpoint\n0,a,b,net,\xff\n",
    ],
    ids=["columns", "number", "short", "encoding"],
)
def test_what_is_no_list_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / LIST_FILE
    path.write_text(text, encoding="latin-1")
    with pytest.raises(
        EvaluationError, match=r"list\.csv: is no list of kept edits \(trial, source, target, meth"
    ):
        read_list(path)


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / LIST_FILE
    path.write_text("trial,source,target,method,file,checkpoint\n")
    with pytest.raises(EvaluationError, match=r"list\.csv: lists no edits; remove it and use --keep-edits again"):
        read_list(path)
