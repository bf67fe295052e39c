"""Any number of processes gives the same, and one that dies is told of."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from retarget.model.crop_spec import CropSpec
from retarget.model.errors import RetargetError
from retarget.train.data import Dataset
from retarget.train.prepare import workers
from retarget.train.prepare.options import PrepareOptions
from retarget.train.prepare.prepare import prepare_dataset

SPEC = CropSpec(size_px=128)
OPTIONS = PrepareOptions(crop=SPEC, frames_per_clip=4, jobs=1, jpeg_quality=0)


def test_many_processes_give_the_same(
    prepared: tuple[Dataset, Any], inputs: Path, tmp_path: Path, snapshot: Any
) -> None:
    dataset, report = prepared
    many = PrepareOptions(crop=SPEC, frames_per_clip=4, jobs=2, jpeg_quality=0)
    again = prepare_dataset([inputs], tmp_path / "data", many)
    assert again.as_json() == report.as_json()
    assert snapshot(tmp_path / "data") == snapshot(dataset.folder)


def test_a_process_that_dies_is_told_of(cheap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: Any) -> None:
        raise BrokenProcessPool

    monkeypatch.setattr(workers, "measure", dies)
    with pytest.raises(RetargetError, match=r"a process ended by itself, .* use fewer jobs") as caught:
        prepare_dataset([cheap], tmp_path / "out", OPTIONS)
    assert caught.value.exit_code == 1
