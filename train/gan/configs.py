"""Configs as they are written: the recipes by name, files of one's own that may build on one, and changes.

A recipe is a set of options in `recipes.yaml`; a config file may start from one with `base: NAME`. Both are YAML
1.2: `no`, `012` and `1e3` mean what they mean in curve files and job sheets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from retarget.model.errors import RetargetError
from retarget.model.suggestions import suggestion
from retarget.pipeline.files import Location, Node, YamlError, lines_of, plain, read_yaml


class ConfigError(RetargetError, ValueError):
    """A training config that cannot be used."""


@dataclass(frozen=True)
class Config:
    """Options as written, and where."""

    values: Mapping[str, Any]
    places: Mapping[Location, str] = field(default_factory=dict)
    """Of each value "mine.yaml, line 3", by the keys that lead to it; only of values in files of one's own."""

    def over(self, base: Config) -> Config:
        """These options, and those of the base where nothing is said."""
        return Config(_merged(base.values, self.values), {**base.places, **self.places})

    def place_of(self, at: Location) -> str | None:
        """Where the innermost part of the location that was written stands."""
        return next((self.places[at[:n]] for n in range(len(at), 0, -1) if at[:n] in self.places), None)


def recipes() -> dict[str, dict[str, Any]]:
    """The recipes by name, as they stand in the package's file."""
    return _packaged("recipes.yaml")


def staged_recipes() -> dict[str, dict[str, Any]]:
    """The recipes of several stages by name, as they stand in the package's file."""
    return _packaged("staged_recipes.yaml")


def _packaged(name: str) -> dict[str, dict[str, Any]]:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    node = read_yaml(text, kind="the recipes")
    assert node is not None
    return dict(plain(node))


def config_named(name: str, changes: Sequence[str] = ()) -> Config:
    """A recipe, or what a YAML file says over its bases, with `key=value` changes such as "generator.width=16".

    Raises:
        ConfigError: no such recipe or file, no YAML, or a change without a value.
    """
    found = _found(name)
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals:
            raise ConfigError(f"--set {change!r} is not KEY=VALUE, such as generator.width=16")
        keys = tuple(key.strip().split("."))
        found = Config(_nested(keys, _value(change, text)), {keys: name}).over(found)
    return found


def _value(change: str, text: str) -> Any:
    try:
        node = read_yaml(text, kind="a value")
        return None if node is None else plain(node)
    except YamlError as error:
        raise ConfigError(f"--set {change!r}: {text!r} is no YAML value; quote it") from error


def _found(config: str, *, seen: tuple[str, ...] = ()) -> Config:
    known = recipes() | staged_recipes()
    path = Path(config)
    if config in known:
        found = Config(known[config])
    elif path.suffix in (".yaml", ".yml"):
        found = _read(path)
    else:
        hint = suggestion(config, known, f"recipes are {', '.join(known)}")
        raise ConfigError(f"{config!r} is neither a recipe nor a .yaml file; {hint}")
    base = found.values.get("base")
    if base is None:
        return found
    if base in seen:
        raise ConfigError(f"{config}: its base {base} leads back to itself; name another")
    own = {key: value for key, value in found.values.items() if key != "base"}
    return Config(own, found.places).over(_found(str(base), seen=(*seen, config)))


def _read(path: Path) -> Config:
    try:
        node = read_yaml(path.read_text(encoding="utf-8-sig"), kind="a config", allow_aliases=True)
        values = None if node is None else plain(node)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name an existing config") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is no YAML ({error.reason}); save it as UTF-8") from error
    except YamlError as error:
        raise ConfigError(f"{_place(path, error.line)}: {error}") from error
    if node is None or not isinstance(values, dict):
        raise ConfigError(f"{path}: holds no options; write them as key: value")
    return Config(values, _places(path, node))


def _places(path: Path, node: Node) -> dict[Location, str]:
    return {at: _place(path, line) for at, line in lines_of(node).items() if at}


def _place(path: Path, line: int | None) -> str:
    return str(path) if line is None else f"{path}, line {line}"


def _merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(values)
    for key, value in over.items():
        mine = out.get(key)
        out[key] = _merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return out


def _nested(keys: Sequence[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return dict(value)
