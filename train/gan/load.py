"""Configs into checked options, and options back into YAML."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

from retarget.model.suggestions import suggestion

from .configs import Config, ConfigError, config_named
from .options import TrainOptions


def load_options(config: str, changes: Sequence[str] = ()) -> TrainOptions:
    """Options of a recipe's name or a YAML file, with `key=value` changes such as "generator.width=16".

    Raises:
        ConfigError: no such recipe or file, or what it says cannot be used; names the line, and the nearest key.
    """
    return checked(config, config_named(config, changes))


def as_yaml(options: TrainOptions) -> str:
    """All options with their values, as YAML that reads alike by versions 1.1 and 1.2."""
    writer = YAML(typ="safe", pure=True)
    writer.Representer = _Representer
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = io.StringIO()
    writer.dump(options.model_dump(), text)
    return text.getvalue()


class _Representer(SafeRepresenter):
    """Writes `1.0e-05`, which YAML 1.1 takes for text without its point, and quotes what that takes for a bool."""

    def represent_number(self, value: float) -> Any:
        text = repr(value)
        return self.represent_scalar("tag:yaml.org,2002:float", text if "." in text else text.replace("e", ".0e"))

    def represent_text(self, value: str) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:str", value, style="'" if value in ("on", "off") else None)


_Representer.add_representer(float, _Representer.represent_number)
_Representer.add_representer(str, _Representer.represent_text)


def checked(config: str, found: Config) -> TrainOptions:
    """The options that were found under that name.

    Raises:
        ConfigError: what it says cannot be used; names the line, and the nearest key.
    """
    if "stages" in found.values:
        raise ConfigError(f"{config}: is a recipe of stages, which `retarget-train run` does one after the other")
    try:
        options = TrainOptions.model_validate(found.values)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        place = found.place_of(problem["loc"]) or config
        if problem["type"] == "extra_forbidden":
            raise ConfigError(f"{place}: unknown option {key}; {_nearest(key)}") from error
        wanted = problem["msg"].lower().removeprefix("value error, ")
        if problem["type"] in ("model_type", "model_attributes_type"):
            wanted = "write its options as key: value"
        raise ConfigError(f"{place}: {key or 'it'} is {problem['input']!r}; {wanted}") from error
    if options.critic is None and options.region_critic is None:
        raise ConfigError(f"{config}: there is no critic; set critic or region_critic")
    try:
        options.generator.config(len(options.au_names))
        options.critic_configs({"whole": len(options.au_names), "mouth": 1, "eyes": 1})
        if options.generator.width == 0:
            raise ValueError("generator.width is 0, which leaves nothing to train; expected 1 or more")
    except ValueError as error:
        raise ConfigError(f"{config}: {error}") from error
    return options


def _nearest(key: str) -> str:
    keys = _keys(TrainOptions)
    # A key in the wrong group is as likely as a misspelt one.
    homeless = [known for known in keys if known.split(".")[-1] == key.split(".")[-1]]
    if homeless:
        return f"did you mean {homeless[0]}?"
    return suggestion(key, keys, "`retarget-train run CONFIG --print` lists all", cutoff=0.5)


def _keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    out: list[str] = []
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        out += _keys(inner, f"{prefix}{name}.") if inner else [f"{prefix}{name}"]
    return out
