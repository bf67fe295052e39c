"""What was measured is kept, also of a run that stops."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import pytest

from retarget.model.crop_spec import CropSpec
from retarget.model.errors import RetargetError
from retarget.pipeline.errors import NoFaceError, OptionError
from retarget.train.data import Dataset, DatasetError, open_dataset
from retarget.train.prepare import workers
from retarget.train.prepare.options import FlagLimits, PrepareOptions
from retarget.train.prepare.prepare import prepare_dataset

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
SPEC = CropSpec(size_px=128)
OPTIONS = PrepareOptions(crop=SPEC, frames_per_clip=4, jobs=1, jpeg_quality=0)


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def test_a_second_run_measures_nothing_and_says_the_same(
    prepared: tuple[Dataset, Any], inputs: Path, monkeypatch: pytest.MonkeyPatch, snapshot: Any
) -> None:
    dataset, _ = prepared
    before = snapshot(dataset.folder)
    monkeypatch.setattr(workers, "measure", lambda *_: pytest.fail("measured again"))
    report = prepare_dataset([inputs], dataset.folder, OPTIONS)
    assert report.inputs_reused == report.inputs == 10
    assert snapshot(dataset.folder) == before
    # other limits and other splits need no tracking either
    strict = PrepareOptions(
        crop=SPEC,
        frames_per_clip=4,
        jobs=1,
        jpeg_quality=0,
        limits=FlagLimits(max_enlargement=0.01),
        eval_fraction=0.9,
    )
    assert prepare_dataset([inputs], dataset.folder, strict).flags["small"] == report.crops
    prepare_dataset([inputs], dataset.folder, OPTIONS)
    assert snapshot(dataset.folder) == before


def test_a_stopped_run_goes_on(cheap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, measure, done = tmp_path / "out", workers.measure, []

    def stops_at_the_second(task: Any, landmarker: Any) -> None:
        if done:
            raise KeyboardInterrupt
        measure(task, landmarker)
        done.append(task.key)

    monkeypatch.setattr(workers, "measure", stops_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        prepare_dataset([cheap], output, OPTIONS)
    with pytest.raises(DatasetError, match="no whole dataset"):
        open_dataset(output)

    def counted(task: Any, landmarker: Any) -> None:
        measure(task, landmarker)
        done.append(task.key)

    monkeypatch.setattr(workers, "measure", counted)
    report = prepare_dataset([cheap], output, OPTIONS)
    assert (report.inputs, report.inputs_reused, report.crops) == (2, 1, 2)
    assert len(set(done)) == len(done) == 2

    # an input that changes is measured again, one that goes leaves nothing behind
    shutil.copy(SAMPLES / "astronaut.png", cheap / "a.mp4")
    (cheap / "b.mp4").unlink()
    report = prepare_dataset([cheap], output, OPTIONS)
    assert (report.inputs, report.inputs_reused) == (1, 0)
    assert len(list((output / "crops").rglob("*.png"))) == len(list((output / "parts").glob("*.npz"))) == 1


def test_a_full_disk_keeps_what_was_done(cheap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, write, crops = tmp_path / "out", Path.write_bytes, []

    def full_at_the_second_crop(path: Path, data: bytes) -> int:
        if path.parent.parent.name == "crops":
            crops.append(path)
            if len(crops) > 1:
                raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full_at_the_second_crop)
        with pytest.raises(
            RetargetError, match=r"out: stopped \(No space left on device; free some space"
        ) as caught:
            prepare_dataset([cheap], output, OPTIONS)
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    assert len(list((output / "parts").glob("*.npz"))) == 1
    assert prepare_dataset([cheap], output, OPTIONS).inputs_reused == 1


def test_an_output_that_holds_other_things_is_refused(inputs: Path, tmp_path: Path) -> None:
    touch(tmp_path / "file", tmp_path / "home" / "letter.txt")
    with pytest.raises(OptionError, match="file: is a file; name a folder"):
        prepare_dataset([inputs], tmp_path / "file", OPTIONS)
    with pytest.raises(OptionError, match="home: holds other files; name a new folder"):
        prepare_dataset([inputs], tmp_path / "home", OPTIONS)


def test_no_face_anywhere(inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(NoFaceError, match=r"nobody.png: no face found in any of 1 inputs \(no face found\)"):
        prepare_dataset([inputs / "nobody.png"], tmp_path / "out", OPTIONS)
