"""What is refused is refused before any work is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.model.checkpoint import default_checkpoint_path, load_checkpoint
from retarget.train.data import Dataset, person_marks
from retarget.train.evaluation.checks import check_people
from retarget.train.evaluation.errors import EvaluationError, ReportWriteError
from retarget.train.evaluation.evaluation import evaluate


def test_people_a_checkpoint_was_trained_on_are_refused(
    dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any
) -> None:
    path = saved(provenance={"data": {"people": person_marks(["bob", "cec", "eve"])}})
    with pytest.raises(
        EvaluationError, match=r"net\.safetensors: was trained on bob and 1 more of this evaluation"
    ):
        evaluate({"net": path}, dataset, tmp_path / "report", quick, tools=tools)
    assert not (tmp_path / "report").exists()


def test_the_train_split_is_used_only_by_name_and_says_so(
    dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any
) -> None:
    path = saved(provenance={"data": {"people": person_marks(["dan"])}})
    options = dataclasses.replace(quick, split="train")
    found = evaluate({"net": path}, dataset, tmp_path / "report", options, tools=tools)
    assert any("TRAIN split" in note for note in found.notes)
    assert {row["source"] for row in found.edits} <= set(dataset.files[6:])


def test_a_checkpoint_that_names_no_people_is_noted(
    dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any
) -> None:
    found = evaluate({"net": saved()}, dataset, tmp_path / "report", quick, tools=tools)
    assert any("net.safetensors does not say which people" in note for note in found.notes)


def test_a_dataset_without_the_split_is_refused(
    dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any
) -> None:
    path = saved()
    trained = dataset.subset(~dataset.is_eval)
    with pytest.raises(EvaluationError, match=r"planted: the dataset has no eval split; prepare it with"):
        evaluate({"net": path}, trained, tmp_path / "report", quick, tools=tools)
    flagged = dataclasses.replace(dataset, flags={"blurred": np.ones(len(dataset), bool)})
    with pytest.raises(EvaluationError, match=r"every row of the eval split is flagged; look at sheet\.png"):
        evaluate({"net": path}, flagged, tmp_path / "report", quick, tools=tools)


def test_an_output_in_the_way_is_refused(
    dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any
) -> None:
    path, output = saved(), tmp_path / "report"
    evaluate({"net": path}, dataset, output, quick, tools=tools)
    with pytest.raises(
        EvaluationError, match="report: holds an evaluation already; name another folder or use --o"
    ):
        evaluate({"net": path}, dataset, output, quick, tools=tools)
    evaluate({"net": path}, dataset, output, dataclasses.replace(quick, overwrite=True), tools=tools)
    with pytest.raises(EvaluationError, match="planted: is not empty"):
        evaluate({"net": path}, dataset, dataset.folder, quick, tools=tools)
    with pytest.raises(EvaluationError, match=r"net\.safetensors: is a file; name a folder"):
        evaluate({"net": path}, dataset, path, quick, tools=tools)
    with pytest.raises(
        ReportWriteError, match=r"the report cannot be written \(Not a directory\); check"
    ) as raised:
        evaluate({"net": path}, dataset, path / "below", quick, tools=tools)
    assert raised.value.exit_code == 1


def test_clips_and_devices_are_checked_before_any_work(
    dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any
) -> None:
    path = saved()
    for clips, message in (
        ((tmp_path / "no.mp4",), r"no\.mp4: no such clip; check the path"),
        ((path,), "films need two clips or more"),
    ):
        with pytest.raises(EvaluationError, match=message):
            evaluate(
                {"net": path}, dataset, tmp_path / "report", dataclasses.replace(quick, clips=clips), tools=tools
            )
    with pytest.raises(EvaluationError, match="device 'abacus' cannot be used here"):
        evaluate(
            {"net": path}, dataset, tmp_path / "report", dataclasses.replace(quick, device="abacus"), tools=tools
        )


def test_labels_of_the_yardsticks_are_taken(
    dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any
) -> None:
    for label in ("do nothing", "geometry warp alone", ""):
        with pytest.raises(
            EvaluationError, match=f"a checkpoint cannot be called '{label}'; give it another label"
        ):
            evaluate({label: saved()}, dataset, tmp_path / "report", quick, tools=tools)


def test_what_is_not_installed_is_said_first(
    dataset: Dataset, tmp_path: Path, tools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EvaluationError, match=r"evaluate needs kornia; install retarget\[train\]"):
        evaluate({"net": tmp_path / "gone.safetensors"}, dataset, tmp_path / "report", tools=tools)


def test_people_of_films_who_were_trained_on_are_refused(
    dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any
) -> None:
    path = saved(provenance={"data": {"people": person_marks(["dan", "gil"])}})
    films = tmp_path / "films"
    films.mkdir()
    for name in ("gil--take2.mp4", "d.mp4", "new.mp4", "hal.mp4"):
        (films / name).write_bytes(b"")
    named = dataclasses.replace(dataset, clips=("clips/a.mp4", "clips/b.mp4", "clips/c.mp4", "clips/d.mp4"))

    def check(*names: str, **changes: Any) -> list[str]:
        options = dataclasses.replace(quick, clips=tuple(films / name for name in names), **changes)
        return check_people({"net": (path, load_checkpoint(path))}, named, options)

    with pytest.raises(
        EvaluationError, match=r"gil--take2\.mp4: shows gil, whom .*net\.safetensors was trained on"
    ):
        check("new.mp4", "gil--take2.mp4")
    with pytest.raises(EvaluationError, match=r"d\.mp4: shows dan, whom .*; leave the clip out"):
        check("new.mp4", "d.mp4")  # only the dataset says who that is
    assert any(
        "2 of 2 films is known by the names of their files alone" in note for note in check("new.mp4", "hal.mp4")
    )
    assert check("new.mp4", "hal.mp4", "gil--take2.mp4", films=2)
    assert any("TRAIN split" in note for note in check("new.mp4", "d.mp4", split="train"))


def test_the_packaged_warp_stays_away_from_people_it_knows(
    dataset: Dataset, gan: Path, tmp_path: Path, quick: Any, tools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = evaluate({"gan": gan}, dataset, tmp_path / "one", quick, tools=tools)
    assert [method.label for method in found.methods] == ["do nothing", "geometry warp alone", "gan"]
    packaged = load_checkpoint(default_checkpoint_path())
    knowing = dataclasses.replace(packaged, provenance={"data": {"people": person_marks(["bob"])}})
    monkeypatch.setattr("retarget.train.evaluation.evaluation.packaged_geometry", lambda _: knowing)
    found = evaluate({"gan": gan}, dataset, tmp_path / "two", quick, tools=tools)
    assert [method.label for method in found.methods] == ["do nothing", "gan"]
    assert any(
        "no geometry warp stands beside: the packaged one was fitted to bob" in note for note in found.notes
    )
