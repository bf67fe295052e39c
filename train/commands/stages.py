"""A recipe of several stages: each one of the commands, done once, and gone on with where it was stopped."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retarget.model.errors import RetargetError
from retarget.model.files import write_whole

from ..gan import CHECKPOINT, STATE, Config, ConfigError, config_named

if TYPE_CHECKING:
    from ..gan import TrainOptions

DONE_FILE = "stages.json"

Do = Callable[[list[str], "TrainOptions | None"], int]
"""Does a command, given its arguments; `run` with its options."""

_NUMBERS = {"fit-geometry": ("rounds",), "fit-response": ("steps", "edits", "seed"), "run": ()}
_STAGES = {"fit-geometry": (), "fit-response": ("checkpoint",), "run": ("from", "geometry")}
"""What a command's stage may say: numbers, and names of stages before it."""


@dataclass(frozen=True)
class Stage:
    """One command of a recipe."""

    name: str
    command: str
    uses: Mapping[str, str]
    """Flag -> the stage before it whose outcome it takes."""
    numbers: Mapping[str, int]
    options: TrainOptions | None
    """Of `run`."""

    def outcome(self, folder: Path) -> Path:
        """The checkpoint that it leaves."""
        return folder / self.name / CHECKPOINT if self.options else folder / f"{self.name}.safetensors"

    def asked(self) -> dict[str, Any]:
        """What was asked for, as JSON types: an outcome of something else is not this one."""
        learnt = {}
        if self.options:
            schedule = self.options.schedule.model_dump(mode="json")
            learnt = {"learning": self.options.learning_hash, "schedule": schedule}
        return {"command": self.command, "uses": dict(self.uses), "numbers": dict(self.numbers), **learnt}


def stages_of(config: str, changes: list[str]) -> list[Stage] | None:
    """The stages of a recipe or file, checked; None for one that has none.

    Raises:
        ConfigError: it cannot be used.
    """
    found = config_named(config, changes)
    if "stages" not in found.values:
        return None
    listed = found.values["stages"]
    if not isinstance(listed, Mapping) or not listed:
        raise ConfigError(f"{config}: stages is {listed!r}; write them as name: {{command: ...}}")
    common = Config({k: v for k, v in found.values.items() if k != "stages"}, found.places)
    stages: dict[str, Stage] = {}
    for name, said in listed.items():
        place = found.place_of(("stages", name)) or config
        if not isinstance(said, Mapping) or said.get("command") not in _NUMBERS:
            raise ConfigError(f"{place}: stage {name} needs a command: {', '.join(_NUMBERS)}")
        stages[name] = _stage(str(name), dict(said), common, found, stages, place)
    return list(stages.values())


def run_stages(
    stages: list[Stage], arguments: argparse.Namespace, folder: Path, data_mark: str, do: Do
) -> tuple[Path, int]:
    """Does what is not done yet; (the last outcome, the exit status).

    Raises:
        RetargetError: the folder holds something else, or a stage cannot be done.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise RetargetError("a recipe of stages runs in one process; for several, give torchrun a stage's `run`")
    done = _done(folder, arguments.resume, data_mark)
    deadline = time.monotonic() + 60 * arguments.max_minutes
    for stage in stages:
        known, outcome = done.get(stage.name), stage.outcome(folder)
        if known is not None and outcome.is_file():
            if not _is_same(known, stage.asked()):
                raise RetargetError(f"{outcome}: was made with other options; name another folder")
            continue
        left = (deadline - time.monotonic()) / 60
        if left <= 0:
            return outcome, 0
        if not arguments.quiet:
            print(f"stage {stage.name}: {stage.command}", flush=True)
        status = do(list(_argv(stage, stages, arguments, folder, left)), stage.options)
        if status or time.monotonic() > deadline:
            return outcome, status
        done[stage.name] = stage.asked()
        _write(folder, data_mark, done)
    return stages[-1].outcome(folder), 0


def _is_same(known: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Whether all that was known of then is as it was."""
    return all(
        _is_same(value, asked[key]) if isinstance(value, Mapping) and key in asked else asked.get(key) == value
        for key, value in known.items()
    )


def _stage(
    name: str, said: dict[str, Any], common: Config, found: Config, before: Mapping[str, Stage], place: str
) -> Stage:
    command = said.pop("command")
    uses = {flag: str(said.pop(flag)) for flag in _STAGES[command] if flag in said}
    for flag, other in uses.items():
        if other not in before:
            raise ConfigError(f"{place}: {flag} of stage {name} is {other!r}; name a stage before it")
    if command == "fit-response" and "checkpoint" not in uses:
        raise ConfigError(f"{place}: stage {name} needs checkpoint, a stage before it")
    if command == "run":
        from ..gan import checked  # help needs none of it

        places = {at[2:]: where for at, where in found.places.items() if at[:2] == ("stages", name)}
        return Stage(name, command, uses, {}, checked(f"{place}, stage {name}", Config(said, places).over(common)))
    for key, value in said.items():
        if key not in _NUMBERS[command]:
            raise ConfigError(f"{place}: unknown option {key} of stage {name}; {command} has {_known(command)}")
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ConfigError(f"{place}: {key} of stage {name} is {value!r}; write a whole number from 0")
    return Stage(name, command, uses, said, None)


def _known(command: str) -> str:
    return ", ".join((*_NUMBERS[command], *_STAGES[command]))


def _argv(
    stage: Stage, stages: list[Stage], arguments: argparse.Namespace, folder: Path, minutes: float
) -> Iterator[str]:
    by_name = {other.name: other for other in stages}
    outcome = stage.outcome(folder)
    yield stage.command
    if stage.options is None:
        yield str(arguments.data)
        if "checkpoint" in stage.uses:
            yield str(by_name[stage.uses["checkpoint"]].outcome(folder))
        yield from ("-o", str(outcome))
        for name, value in stage.numbers.items():
            yield from (f"--{name}", str(value))
        return
    yield from ("staged", "--data", str(arguments.data), "-o", str(outcome.parent), "--device", arguments.device)
    if math.isfinite(minutes):
        yield from ("--max-minutes", str(minutes))
    for flag, name in stage.uses.items():
        other = by_name[name]
        takes_folder = flag == "from" and other.options is not None  # with its critics
        yield from (f"--{flag}", str(other.outcome(folder).parent if takes_folder else other.outcome(folder)))
    if (outcome.parent / STATE).exists():
        yield "--resume"
    if arguments.quiet:
        yield "--quiet"


def _done(folder: Path, resume: bool, data_mark: str) -> dict[str, Any]:
    path = folder / DONE_FILE
    if not path.exists():
        _write(folder, data_mark, {})
        return {}
    if not resume:
        raise RetargetError(f"{folder}: holds a run already; go on with --resume, or name another folder")
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        data, done = kept["data"], dict(kept["done"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RetargetError(f"{path}: is damaged; start anew in another folder") from error
    if data != data_mark:
        raise RetargetError(f"{path}: was made from other data; resume on that, or name another folder")
    return done


def _write(folder: Path, data_mark: str, done: Mapping[str, Any]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / DONE_FILE, json.dumps({"data": data_mark, "done": done}, indent=1).encode())
    except OSError as error:
        raise RetargetError(
            f"{folder / DONE_FILE}: cannot be written ({error.strerror}); check the disk"
        ) from error
