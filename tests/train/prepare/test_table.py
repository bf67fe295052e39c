"""People, clips, flags and labels are put to what was measured."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec
from retarget.pipeline.errors import DriverError
from retarget.train.data import Dataset, open_dataset
from retarget.train.prepare.options import PrepareOptions
from retarget.train.prepare.prepare import prepare_dataset

SPEC = CropSpec(size_px=128)


def rows_of(dataset: Dataset, name: str) -> np.ndarray:
    return np.array([i for i, file in enumerate(dataset.files) if Path(file).name.startswith(f"{name}-")])


def write_labels(path: Path, smile: float) -> None:
    names = [f"{name}_r" for name in action_units.OPENFACE_NAMES]
    values = [f"{smile:.2f}" if name == "AU12_r" else "0.00" for name in names]
    path.write_text(",".join(["face", "confidence", *names]) + "\n" + ",".join(["0", "0.9", *values]) + "\n")


def labelled(folder: Path) -> PrepareOptions:
    return PrepareOptions(crop=SPEC, frames_per_clip=4, jobs=1, jpeg_quality=0, openface=(folder,))


def test_who_and_which_recording_are_told(prepared: tuple[Dataset, Any]) -> None:
    dataset, report = prepared
    assert dataset.identities == ("blurred", "edge", "gray", "man", "plain", "two")
    assert "man--smile.mp4" in dataset.clips
    assert report.clips == len(dataset.clips)
    assert report.crops == len(dataset) == sum(1 for _ in (dataset.folder / "crops").rglob("*.png"))
    assert report.train_identities + report.eval_identities == 6
    assert (report.train_in_clips, report.eval_in_clips) == (1, 0)  # the man; too few to divide
    # the eyes lie where the crop's spec says, and the man's smile grows
    eyes = dataset.landmarks[rows_of(dataset, "plain")[0]][[33, 263], :2].mean(0)
    np.testing.assert_allclose(eyes, (64, 0.4 * 128), atol=6)
    smile = dataset.action_units[dataset.frame == 54, action_units.NAMES.index("AU12L")]
    assert smile.max() > 0.3 + dataset.action_units[dataset.frame == 0, action_units.NAMES.index("AU12L")].min()


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("plain", set()),
        ("gray", {"gray"}),
        ("blurred", {"blurred"}),
        ("two", {"several_faces"}),
        ("edge", {"edge"}),
    ],
)
def test_flaws_are_flagged(prepared: tuple[Dataset, Any], name: str, flags: set[str]) -> None:
    dataset, report = prepared
    (row,) = rows_of(dataset, name)
    assert {flag for flag, on in dataset.flags.items() if on[row]} == flags
    assert all(report.flags[flag] >= 1 for flag in flags)


def test_openface_takes_the_place_of_our_units(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    write_labels(tmp_path / "labels" / "plain.csv", 2.5)
    files = [inputs / "plain.png", inputs / "gray.png"]
    report = prepare_dataset(files, tmp_path / "out", labelled(tmp_path / "labels"))
    dataset = open_dataset(tmp_path / "out")
    assert dataset.au_source == "openface-2"
    assert dataset.identities == ("plain",)
    values = dict(zip(action_units.NAMES, dataset.action_units[0].tolist(), strict=True))
    assert values["AU12L"] == values["AU12R"] == 0.5
    assert sum(values.values()) == 1.0
    assert [name for name, known in zip(action_units.NAMES, dataset.known, strict=True) if known][:2] == [
        "AU01L",
        "AU01R",
    ]
    assert not dataset.known[action_units.NAMES.index("AU28")]
    assert [(skip.file, skip.reason) for skip in report.skipped] == [("gray.png", "no OpenFace label")]

    with pytest.raises(DriverError, match=r"labels: its CSV files fit none of 1 inputs"):
        prepare_dataset([inputs / "gray.png"], tmp_path / "out", labelled(tmp_path / "labels"))

    (tmp_path / "other").mkdir()
    shutil.copy(inputs / "plain.png", tmp_path / "other" / "plain.png")
    with pytest.raises(DriverError, match=r"plain.csv: 2 inputs are called plain"):
        prepare_dataset([*files, tmp_path / "other"], tmp_path / "out", labelled(tmp_path / "labels"))
