"""Damaged files at every reader: a few cases of each kind; `-m slow --cases N` for as many as one likes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"hostile/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzz: Any = _script("fuzz")

FEW = {"curves": 15, "captures": 40, "sheets": 4, "edls": 20, "otios": 40, "scenes": 15, "notes": 40, "words": 60}
"""Cases of each kind in the default run: text, which is read in this process."""


@pytest.mark.parametrize("kind", FEW)
def test_text(kind: str, tmp_path: Path) -> None:
    found = fuzz.run(kind, tmp_path, seed=0, cases=FEW[kind])
    assert fuzz.is_survived(found), dict(found)


@pytest.mark.parametrize(("kind", "cases"), [("checkpoints", 40), ("pictures", 25), ("containers", 25)])
def test_what_libraries_read(kind: str, cases: int) -> None:
    found = fuzz.run_guarded(kind, seed=0, cases=cases)
    assert fuzz.is_survived(found), dict(found)


@pytest.mark.slow
@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_many(kind: str, request: pytest.FixtureRequest) -> None:
    cases = request.config.getoption("--cases")
    found = fuzz.run_guarded(kind, seed=1_000_000, cases=max(1, cases // 100) if kind == "films" else cases)
    assert fuzz.is_survived(found), dict(found)
