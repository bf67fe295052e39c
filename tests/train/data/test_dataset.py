"""A dataset comes back from disk as it went there, and what is wrong with a folder is said in a line."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec
from retarget.train.data.dataset import Dataset, DatasetError, open_dataset, save_dataset, shared_identities
from retarget.train.prepare.contact_sheet import COLUMNS, TILE_PX, contact_sheet

PX = 32
COUNT = 6


def picture_of(row: int) -> np.ndarray:
    """One colour all over, another for each row."""
    return np.full((PX, PX, 3), (200, 10 * row, 60), np.uint8)


def make_dataset(folder: Path) -> Dataset:
    """Six crops: Ann's clip of three, Bob's of two, and Cleo, who is for evaluation."""
    rng = np.random.default_rng(0)
    (folder / "crops").mkdir(parents=True)
    files = tuple(f"crops/{i}.png" for i in range(COUNT))
    for i, file in enumerate(files):
        cv2.imwrite(str(folder / file), cv2.cvtColor(picture_of(i), cv2.COLOR_RGB2BGR))
    return Dataset(
        folder=folder,
        crop=CropSpec(size_px=PX),
        au_source="test",
        files=files,
        identities=("Ann", "Bob", "Cleo"),
        identity=np.array([0, 0, 0, 1, 1, 2]),
        clips=("a", "b", "c"),
        clip=np.array([0, 0, 0, 1, 1, 2]),
        frame=np.array([0, 3, 6, 0, 1, 0]),
        seconds=np.array([0, 0.12, 0.24, 0, 0.04, 0]),
        is_eval=np.array([False] * 5 + [True]),
        action_units=rng.uniform(0, 1, (COUNT, action_units.COUNT)).astype(np.float32),
        known=np.ones(action_units.COUNT, np.bool_),
        angles=rng.normal(0, 20, (COUNT, 3)).astype(np.float32),
        residual=np.full(COUNT, 0.02, np.float32),
        face_px=np.full(COUNT, 151.5, np.float32),
        sharpness=np.full(COUNT, 0.1, np.float32),
        flags={"blurred": np.array([0, 1, 0, 0, 0, 0], np.bool_), "gray": np.array([0, 0, 0, 0, 1, 0], np.bool_)},
        landmarks=rng.uniform(0, PX, (COUNT, 478, 3)).astype(np.float32),
    )


@pytest.fixture
def saved(tmp_path: Path) -> Dataset:
    dataset = make_dataset(tmp_path / "data")
    save_dataset(dataset, {"counts": {"crops": COUNT}})
    return dataset


def test_what_is_saved_comes_back(saved: Dataset) -> None:
    opened = open_dataset(saved.folder)
    for name in ("files", "identities", "clips", "crop", "au_source"):
        assert getattr(opened, name) == getattr(saved, name)
    for name in ("identity", "clip", "frame", "is_eval", "known", "landmarks"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(saved, name))
        assert getattr(opened, name).dtype == getattr(saved, name).dtype
    for name in ("seconds", "action_units", "angles", "residual", "face_px", "sharpness"):
        np.testing.assert_allclose(getattr(opened, name), getattr(saved, name), atol=5.1e-5)
        assert getattr(opened, name).dtype == getattr(saved, name).dtype
    assert {name: flag.tolist() for name, flag in opened.flags.items()} == {
        name: flag.tolist() for name, flag in saved.flags.items()
    }
    assert isinstance(opened.landmarks, np.memmap)
    assert json.loads((saved.folder / "dataset.json").read_text())["counts"] == {"crops": COUNT}
    assert repr(opened).endswith("6 crops of 3 people)")


def test_pictures_are_read_as_rgb(saved: Dataset) -> None:
    np.testing.assert_array_equal(open_dataset(saved.folder).image(4), picture_of(4))


def test_flagged_rows_are_not_usable(saved: Dataset) -> None:
    assert saved.usable.tolist() == [True, False, True, True, False, True]
    assert dataclasses.replace(saved, flags={}).usable.all()


@pytest.mark.parametrize(
    "rows", [np.array([4, 3]), np.array([False, False, False, True, True, False])], ids=["indices", "mask"]
)
def test_a_subset_holds_its_rows_and_their_names_alone(saved: Dataset, rows: Any) -> None:
    subset = open_dataset(saved.folder).subset(rows)
    picked = [4, 3] if rows.dtype != np.bool_ else [3, 4]
    assert subset.files == tuple(saved.files[i] for i in picked)
    assert subset.identities == ("Bob",)
    assert subset.clips == ("b",)
    assert subset.identity.tolist() == subset.clip.tolist() == [0, 0]
    np.testing.assert_array_equal(subset.landmarks, saved.landmarks[picked])
    assert subset.flags["gray"].tolist() == [i == 4 for i in picked]
    np.testing.assert_array_equal(subset.image(0), picture_of(picked[0]))
    assert len(subset.subset(np.zeros(2, np.bool_))) == 0


def test_clips_of_one_name_under_two_people_are_two(saved: Dataset) -> None:
    rename(saved.folder, "clip", "same")
    opened = open_dataset(saved.folder)
    assert opened.clips == ("same",) * 3
    assert opened.clip.tolist() == [0, 0, 0, 1, 1, 2]


def test_a_column_without_values_is_not_known(saved: Dataset) -> None:
    rename(saved.folder, "AU12L", "")
    opened = open_dataset(saved.folder)
    assert [action_units.NAMES[i] for i in np.flatnonzero(~opened.known)] == ["AU12L"]
    assert not opened.action_units[:, action_units.NAMES.index("AU12L")].any()
    save_dataset(opened, {})
    assert open_dataset(saved.folder).known.tolist() == opened.known.tolist()


def test_identities_in_both_splits_are_found() -> None:
    assert shared_identities(["a", "b", "a", "c"], [False, True, True, False]) == ["a"]


def test_arrays_of_another_length_are_our_own_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Dataset.residual has shape \(2,\), expected \(6,\)"):
        dataclasses.replace(make_dataset(tmp_path / "d"), residual=np.zeros(2, np.float32))
    with pytest.raises(ValueError, match=r"flags\[small\] has shape"):
        dataclasses.replace(make_dataset(tmp_path / "e"), flags={"small": np.zeros(2, np.bool_)})


# What can be wrong with a folder


def edit(folder: Path, change: Callable[[list[list[str]]], list[list[str]]]) -> None:
    path = folder / "table.csv"
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(change(rows))


def rename(folder: Path, column: str, value: str, *, rows: slice = slice(None)) -> None:
    """Puts the value in a column of the table, in those rows."""

    def change(table: list[list[str]]) -> list[list[str]]:
        for row in table[1:][rows]:
            row[table[0].index(column)] = value
        return table

    edit(folder, change)


def without_columns(*names: str) -> Callable[[Path], None]:
    def change(table: list[list[str]]) -> list[list[str]]:
        return [[cell for cell, name in zip(row, table[0], strict=True) if name not in names] for row in table]

    return lambda folder: edit(folder, change)


def describe(**fields: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "dataset.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return change


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda f: (f / "dataset.json").unlink(), r"data: no whole dataset \(dataset.json is missing\); run"),
        (lambda f: (f / "dataset.json").write_text("{"), "dataset.json: not a dataset's description"),
        (lambda f: (f / "dataset.json").write_text("{}"), "dataset.json: not a dataset's description"),
        (describe(format=7), "dataset.json: format version 7, this program reads 1"),
        (describe(crop={"size_px": 3}), "dataset.json: the crop spec cannot be read .*size_px is 3"),
        (describe(crop={"sides": 3}), "dataset.json: the crop spec cannot be read"),
        (describe(flags=None), "dataset.json: .* missing or damaged"),
        (lambda f: (f / "table.csv").unlink(), "table.csv: no such file; prepare"),
        (lambda f: (f / "table.csv").write_bytes(b"\xff\xfe\xff"), "table.csv: cannot be read as a table"),
        (lambda f: edit(f, lambda t: t[:1]), "table.csv: the dataset is empty"),
        (lambda f: edit(f, lambda t: [*t[:2], t[2][:5], *t[3:]]), "table.csv: line 3 has 5 cells, the header 60"),
        (lambda f: edit(f, lambda t: t[:-1]), r"landmarks.npy: holds float32 \(6, 478, 3\), but .* has 5 rows"),
        (lambda f: (f / "landmarks.npy").unlink(), "landmarks.npy: no such file"),
        (lambda f: (f / "landmarks.npy").write_bytes(b"no"), "landmarks.npy: cannot be read"),
        (without_columns("AU12L", "AU26"), "table.csv: action-unit columns AU12L, AU26 missing"),
        (without_columns("AU26"), "table.csv: action-unit column AU26 missing"),
        (without_columns("identity"), "table.csv: column 'identity' is missing"),
        (without_columns("yaw"), "table.csv: column 'yaw' is missing"),
        (lambda f: rename(f, "AU26", "", rows=slice(1, 2)), "table.csv: line 3, column AU26: '' is not a number"),
        (lambda f: rename(f, "yaw", "left", rows=slice(3, 4)), "table.csv: line 5, column yaw: 'left' is not a"),
        (lambda f: rename(f, "yaw", "nan", rows=slice(3, 4)), "table.csv: line 5, column yaw: 'nan' is not a"),
        (lambda f: rename(f, "split", "test", rows=slice(0, 1)), "table.csv: line 2, column split: 'test'; use"),
        (lambda f: rename(f, "identity", "Ann", rows=slice(5, 6)), "table.csv: Ann is in both splits"),
        (lambda f: (f / "crops/3.png").unlink(), "crops/3.png: the crop is missing, 1 of 6 are"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_in_a_line(
    saved: Dataset, damage: Callable[[Path], None], complaint: str
) -> None:
    damage(saved.folder)
    with pytest.raises(DatasetError, match=complaint) as caught:
        open_dataset(saved.folder)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(saved.folder))
    assert caught.value.exit_code == 2


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        open_dataset(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda path: path.unlink(), "0.png: the crop cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:20]), "0.png: the crop is damaged"),
        (lambda path: path.write_bytes(b""), "0.png: the crop is damaged"),
        (
            lambda path: cv2.imwrite(str(path), np.zeros((16, 24, 3), np.uint8)),
            "0.png: the crop is 24x16, expected",
        ),
    ],
)
def test_a_crop_that_cannot_be_used_is_named(
    saved: Dataset, damage: Callable[[Path], Any], complaint: str
) -> None:
    opened = open_dataset(saved.folder)
    damage(saved.folder / saved.files[0])
    with pytest.raises(DatasetError, match=complaint):
        opened.image(0)


# The contact sheet


def test_the_sheet_shows_usable_crops_by_split_and_flagged_ones_by_flag(saved: Dataset) -> None:
    sheet = contact_sheet(saved)
    assert sheet.shape[1] == COLUMNS * TILE_PX
    shown = {row for row in range(COUNT) if (sheet == picture_of(row)[0, 0]).all(-1).sum() >= TILE_PX**2}
    assert shown == set(range(COUNT))
    # train, blurred and gray: Ann's second is in the band of the blurred alone
    places = np.flatnonzero((sheet == picture_of(1)[0, 0]).all(-1).any(1))
    assert len(places) == TILE_PX
    np.testing.assert_array_equal(sheet, contact_sheet(saved))


def test_a_sheet_of_nothing_usable_has_its_headings(saved: Dataset) -> None:
    flags = {"blurred": np.ones(COUNT, np.bool_)}
    assert contact_sheet(dataclasses.replace(saved, flags=flags)).shape[0] == 3 * 24 + TILE_PX + 26
