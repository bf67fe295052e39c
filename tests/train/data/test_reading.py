"""What is wrong with a folder is said in a line; what may be edited in a table is read as it is meant."""

from __future__ import annotations

import csv
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.train.data import reading
from retarget.train.data.dataset import Dataset, DatasetError
from retarget.train.data.reading import open_dataset
from retarget.train.data.writing import save_dataset


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


def test_a_table_is_read_block_by_block(saved: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = open_dataset(saved.folder)
    monkeypatch.setattr(reading, "_BLOCK_ROWS", 4)
    parts = open_dataset(saved.folder)
    assert (parts.files, parts.identities, parts.clips) == (whole.files, whole.identities, whole.clips)
    for name in ("action_units", "angles", "seconds", "frame", "identity", "is_eval", "sharpness"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    rename(saved.folder, "yaw", "", rows=slice(4, 5))
    with pytest.raises(DatasetError, match="line 6, column yaw: '' is not a number; correct it"):
        open_dataset(saved.folder)
    rename(saved.folder, "yaw", "nan", rows=slice(5, 6))
    with pytest.raises(DatasetError, match="line 7, column yaw: 'nan' is not a number; correct it"):
        open_dataset(saved.folder)
    edit(saved.folder, lambda table: [*table[:6], table[6][:-1]])
    with pytest.raises(DatasetError, match=r"line 7 has .* cells, the header .*; correct the line"):
        open_dataset(saved.folder)


def test_opening_holds_numbers_and_no_texts_of_them(saved: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def repeated(table: list[list[str]]) -> list[list[str]]:
        return [table[0], *table[1:] * 200]

    edit(saved.folder, repeated)
    np.save(saved.folder / "landmarks.npy", np.zeros((1200, 478, 3), np.float32))
    monkeypatch.setattr(reading, "_BLOCK_ROWS", 64)
    tracemalloc.start()
    opened = open_dataset(saved.folder)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    cells = len(opened) * (action_units.COUNT + 10)
    assert peak < 40 * cells  # as texts 50 bytes and more each, before any number is made of them
