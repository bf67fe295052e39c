"""What does not fit is told before anything heavy is loaded."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.errors import RetargetError
from retarget.train.gan.fitting import check_fit, data_mark, fitting_crop
from retarget.train.gan.load import load_options


def test_crops_are_made_smaller_and_never_larger(make_dataset: Callable[..., Any]) -> None:
    dataset = make_dataset(size_px=64)
    for size in (32, 64):
        options = load_options("default", [f"generator.crop_px={size}", "generator.levels=3", "generator.k_msf=1"])
        check_fit(options, dataset)
        assert fitting_crop(options, dataset).size_px == size
    larger = load_options("default", ["generator.crop_px=128"])
    with pytest.raises(RetargetError, match=r"its crops are 64 px, .*--crop-px 128, or set generator\.crop_px=64"):
        check_fit(larger, dataset)


def test_action_units_that_are_not_known(make_dataset: Callable[..., Any]) -> None:
    known = np.array([name != "AU12L" for name in action_units.NAMES])
    small = ["generator.crop_px=64"]
    with pytest.raises(RetargetError, match=r"has no values of AU12L, .*set action_units=openface"):
        check_fit(load_options("default", small), make_dataset(known=known))


def test_a_mark_is_of_what_is_learnt_wherever_it_lies(make_dataset: Callable[..., Any], tmp_path: Path) -> None:
    dataset = make_dataset()
    rows = np.arange(len(dataset))
    mark = data_mark(dataset, rows)
    assert data_mark(dataclasses.replace(dataset, folder=tmp_path / "moved"), rows) == mark
    assert data_mark(dataset, rows[1:]) != mark
    renamed = dataclasses.replace(dataset, identities=("a", *dataset.identities[1:]))
    relabelled = dataclasses.replace(dataset, action_units=dataset.action_units * np.float32(0.5))
    assert mark not in (data_mark(renamed, rows), data_mark(relabelled, rows))


MISTAKES = [
    (["papper"], "did you mean paper?"),
    (
        ["paper", "--set", "generator.crop_px=96"],
        "generator.crop_px is 96, which critic.layers=6 can",
    ),
    (
        ["default", "--set", "region_critic.view_px=60"],
        "region_critic.view_px is 60, which region_critic",
    ),
    (["default", "--set", "generator.width=0"], "generator.width is 0, which leaves nothing to train"),
    (["default", "--set", "generator.width=true"], "generator.width is True; input should be a number"),
    (["default", "--set", "losses.cycle=.inf"], "losses.cycle is '.inf'; input should be a valid number"),
    (["default", "--set", "generator=3"], "generator is 3; write its options as key: value"),
    (["default", "--set", "data.batch=[1]"], "data.batch is [1]; input should be a valid integer"),
    (["default", "--set", "run.compile=yes"], "run.compile is 'yes'; input should be 'auto', 'on' or 'off'"),
    (["default", "--set", "schedule.stepz=1"], "unknown option schedule.stepz; did you mean schedule.steps?"),
    (["packaged", "--set", "stages.paint.from=x"], "from of stage paint is 'x'; name a stage before it"),
    (["default", "--data", "DATA", "-o", "OUT"], "its crops are 64 px"),
    (["packaged", "--data", "DATA", "-o", "OUT"], "its crops are 64 px"),
    (["default", "--data", "DATA", "-o", "OUT", "--resume"], "there is nothing to resume, leave out --resume"),
    (["default", "--data", "DATA", "-o", "OUT", "--from", "no.safetensors"], "no.safetensors does not exist"),
    (["default", "--data", "DATA", "-o", "FILE"], "is a file; name a folder for the run"),
]


def test_one_line_before_torch(make_dataset: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    places = {"DATA": str(make_dataset().folder), "OUT": str(tmp_path / "out"), "FILE": str(tmp_path / "file")}
    given = [["run", *(places.get(word, word) for word in arguments)] for arguments, _ in MISTAKES]
    code = (
        "import contextlib, io, json, sys\n"
        "from retarget.train.commands.entry import main\n"
        "def tried(arguments):\n"
        "    said = io.StringIO()\n"
        "    with contextlib.redirect_stderr(said):\n"
        "        status = main(arguments)\n"
        "    return status, 'torch' in sys.modules, said.getvalue()\n"
        "print(json.dumps([tried(arguments) for arguments in json.loads(sys.argv[1])]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(given)], capture_output=True, text=True, timeout=60, check=True
    )
    for (arguments, message), (status, heavy, said) in zip(MISTAKES, json.loads(done.stdout), strict=True):
        assert (status, heavy) == (2, False), arguments
        assert message in said
        assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
