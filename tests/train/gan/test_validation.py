"""Scores say what they say they do, and the best step is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from retarget.model.checkpoint import load_checkpoint
from retarget.model.editor import Editor
from retarget.model.generator import Generator
from retarget.model.geometry import GeometryModel
from retarget.pipeline.faces import AU_SOURCE
from retarget.train.gan import run as run_module
from retarget.train.gan.batches import BatchSource
from retarget.train.gan.load import load_options
from retarget.train.gan.run import build_editor
from retarget.train.gan.validation import Best, Judge, best_of, judge_of

SMALL = ["generator.width=4", "generator.crop_px=64", "generator.levels=2", "generator.k_msf=1"]
CPU = torch.device("cpu")


def made(make_dataset: Callable[..., Any], geometry: GeometryModel, **changes: Any) -> tuple[Editor, Judge]:
    torch.manual_seed(0)
    options = load_options("default", SMALL)
    source = BatchSource(make_dataset(**changes), options.data, crop_px=64, mirror=geometry.mirror.numpy())
    return build_editor(options, geometry), judge_of(source, 6, CPU, None)


def test_an_untrained_network_is_the_warp(make_dataset: Callable[..., Any], jaw_geometry: GeometryModel) -> None:
    editor, judge = made(make_dataset, jaw_geometry)
    _, scores = judge.look(editor, rows=4)
    assert scores["pixel_over_warp"] == pytest.approx(1, abs=1e-3)
    assert scores["true_frame"] == pytest.approx(1, abs=0.02)
    assert scores["zero_edit"] == 0
    assert "expression" not in scores  # drawn action units are nobody's
    # and one that paints is not
    assert isinstance(editor.generator, Generator)
    assert editor.generator.network is not None
    nn.init.normal_(editor.generator.network.pixel_head.weight, std=1.0)
    _, scores = judge.look(editor, rows=4)
    assert abs(scores["pixel_over_warp"] - 1) > 0.01


def test_expressions_are_measured_where_they_are_the_trackers(
    make_dataset: Callable[..., Any], jaw_geometry: GeometryModel
) -> None:
    editor, judge = made(make_dataset, jaw_geometry, au_source=AU_SOURCE)
    _, scores = judge.look(editor, rows=4)
    assert judge.meter is not None
    wanted, batch = judge.examples.batch.wanted_au, judge.examples.batch
    before = (judge.meter(batch.image, batch.landmarks).action_units - wanted).norm(dim=1).mean()
    assert 0 < scores["expression"] < 10
    assert float(before) > 0


def test_the_score_that_decides() -> None:
    scores = {"zero_edit": 0.1, "true_frame": 0.8, "expression": 0.5}
    assert best_of(scores, "auto", step=3, people="validation") == Best("true_frame", 0.8, 3, "validation")
    assert best_of(scores, "expression", step=3, people="training") == Best("expression", 0.5, 3, "training")
    assert best_of({"zero_edit": 0.1}, "auto", step=1, people="x") == Best("zero_edit", 0.1, 1, "x")
    assert best_of({"zero_edit": 0.1}, "expression", step=1, people="x") is None
    assert best_of({"true_frame": math.nan}, "auto", step=1, people="x") is None


def test_the_best_step_is_kept_over_a_resume(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = iter([0.9, 0.7, 0.8, 0.75, 0.6])
    real = Judge.look

    def look(self: Judge, editor: Editor, *, rows: int) -> Any:
        picture, scores = real(self, editor, rows=rows)
        return picture, scores | {"true_frame": next(planted)}

    monkeypatch.setattr(run_module.Judge, "look", look)
    dataset, every = make_dataset(people=6), ["run.sample_steps=1", "data.validation_fraction=0.34"]
    for steps, best in ((3, (2, 0.7)), (4, (2, 0.7)), (5, (5, 0.6))):
        tiny_run(dataset, "run", f"schedule.steps={steps}", *every, resume=steps > 3)
        kept = load_checkpoint(tmp_path / "run/best.safetensors").provenance
        assert kept["best"] == {"by": "true_frame", "score": best[1], "step": best[0], "people": "validation"}
        assert kept["steps"] == best[0]
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert sum("validation/zero_edit" in line for line in lines) == 5


def test_people_who_are_trained_on_are_not_called_validation(
    make_dataset: Callable[..., Any], tiny_run: Callable[..., Any], tmp_path: Path
) -> None:
    tiny_run(make_dataset(people=4), "run")
    text = (tmp_path / "run/log.jsonl").read_text()
    assert "validation/" not in text
    assert "training/zero_edit" in text
    assert load_checkpoint(tmp_path / "run/best.safetensors").provenance["best"]["people"] == "training"
