"""What others build on does not change unnoticed: the public names, their signatures, their fields.

`python tests/test_api_surface.py` writes what is there now to tests/api_surface.json; look at its diff.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SURFACE = Path(__file__).parent / "api_surface.json"
PACKAGES = ("retarget.pipeline", "retarget.model", "retarget.train")


def surface() -> dict[str, dict[str, Any]]:
    """Per package and public name, how it is called and what it holds."""
    return {
        package: {name: shape_of(getattr(importlib.import_module(package), name)) for name in public(package)}
        for package in PACKAGES
    }


def public(package: str) -> list[str]:
    return sorted(importlib.import_module(package).__all__)


def shape_of(value: Any) -> Any:
    if inspect.ismodule(value):
        return "module"
    if dataclasses.is_dataclass(value):
        fields = {f.name: str(f.type) for f in dataclasses.fields(value)}
        return {"fields": fields, **methods_of(value)}
    if inspect.isclass(value):
        return {"bases": [base.__name__ for base in value.__bases__], **methods_of(value)}
    if callable(value):
        return signature_of(value)
    return type(value).__name__


def methods_of(owner: Any) -> dict[str, Any]:
    own = {name: value for name, value in vars(owner).items() if not name.startswith("_")}
    methods = {
        name: "property" if isinstance(value, property) else signature_of(inspect.unwrap(getattr(owner, name)))
        for name, value in own.items()
        if isinstance(value, property | classmethod | staticmethod) or inspect.isfunction(value)
    }
    return {"methods": methods} if methods else {}


def signature_of(value: Any) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", str(inspect.signature(value)))


def test_the_surface_is_the_one_that_was_agreed_on() -> None:
    agreed = json.loads(SURFACE.read_text(encoding="utf-8"))
    there = json.loads(json.dumps(surface()))
    for package in PACKAGES:
        assert sorted(there[package]) == sorted(agreed[package]), package
        for name, shape in there[package].items():
            assert shape == agreed[package][name], (
                f"{package}.{name}; python tests/test_api_surface.py writes it down"
            )


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_explains_itself(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__doc__
    for name in public(package):
        value = getattr(module, name)
        if inspect.ismodule(value) or inspect.isclass(value) or inspect.isfunction(value):
            own = value.__doc__ or ""
            assert own.strip(), f"{package}.{name} has no docstring"
            # what dataclass makes where nobody wrote one
            assert not own.startswith(f"{name}("), f"{package}.{name} has no docstring"


@pytest.mark.parametrize("package", PACKAGES)
def test_public_functions_say_what_can_go_wrong_and_take_annotated_arguments(package: str) -> None:
    module = importlib.import_module(package)
    for name in public(package):
        value = getattr(module, name)
        if not inspect.isfunction(value):
            continue
        for parameter in inspect.signature(value).parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, f"{package}.{name}({parameter.name})"


def test_pydoc_reads_like_a_page() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pydoc", "retarget.pipeline"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    page = pydoc.plain(done.stdout)
    for name in public("retarget.pipeline"):
        assert name in page
    assert "Changes the expression of the faces in `source` to what `driver` asks" in page
    assert "problem in" not in page


if __name__ == "__main__":
    SURFACE.write_text(json.dumps(surface(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
