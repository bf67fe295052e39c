"""Job sheets as written: YAML or CSV -> rows of cells that know their line, and the types of their values.

Knows keys and text; what the values mean together is `jobs.py`'s.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from ..drivers import rate_of
from ..editorial import TIMELINE_SUFFIXES, is_scene_list
from ..errors import OptionError, RetargetError
from ..faces import FaceSelection

T = TypeVar("T")

SHEET_SUFFIXES = frozenset({".yaml", ".yml"})
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})

_MAX_DEPTH = 12
_MAX_NODES = 500_000


class JobSheetError(OptionError):
    """Everything that is wrong with a batch, a mistake a line: "jobs.yaml:12: no such file ..."."""

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The lines, in the order of the sheet."""
        return tuple(str(self).splitlines())


# Places and mistakes


@dataclass(frozen=True, order=True)
class Place:
    """A line of a file, or what stands in for one."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Mistakes:
    """What was found wrong so far; the same mistake at the same place counts once."""

    def __init__(self) -> None:
        self._found: dict[tuple[Place, str], None] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, where: Place, text: str) -> None:
        self._found[where, " ".join(text.split())] = None

    def of(self, where: Place, do: Callable[[], T]) -> T | None:
        """What `do` returns, or None and a mistake if it raises one of ours."""
        try:
            return do()
        except RetargetError as error:
            self.add(where, str(error))
        return None

    def check(self) -> None:
        """Raises JobSheetError if there are any."""
        if self._found:
            in_order = sorted(self._found, key=lambda found: found[0])
            raise JobSheetError("\n".join(f"{where}: {text}" for where, text in in_order))


@dataclass(frozen=True)
class Cell:
    """A value as written, and where."""

    value: Any
    place: Place
    folder: Path
    """What a relative path in it counts from."""
    key: str
    """The key as written."""


Row = dict[str, Cell]


@dataclass(frozen=True)
class Sheet:
    """A sheet as read: keys known, values not yet looked at."""

    place: Place
    folder: Path
    settings: Row
    """Keys that are about the batch, not about a job."""
    base: Row
    """Defaults of every job."""
    jobs: list[tuple[Place, Row]] | None
    """None: the sheet has no list of jobs."""
    shots: dict[str, tuple[Place, Row]]


# Keys

_ALIASES: Mapping[str, str] = {
    "start": "trim_start",
    "end": "trim_end",
    "driving": "driver",
    "gains": "gain",
    "regions": "region",
    "neutral": "driver_neutral",
    "faces": "face",
    "driver_faces": "driver_face",
    "codec": "encoder",
    "pix_fmt": "pixel_format",
    "scenes": "timeline",
}
"""Other words for a key: the command line's and the options' own."""

_EXCLUSIVE = (("trim_start", "frames"), ("trim_end", "frames"), ("driver", "drivers"))


def _canonical(key: str) -> str:
    name = re.sub(r"[-\s]+", "_", key.strip().lower().lstrip("-"))
    return _ALIASES.get(name, name)


def _add_cell(row: Row, cell: Cell, known: frozenset[str], mistakes: Mistakes) -> None:
    """Puts the cell under its key, unless that is unknown or there already."""
    key = _canonical(cell.key)
    if key not in known:
        spelt = {*known, *(alias for alias, name in _ALIASES.items() if name in known)}
        close = difflib.get_close_matches(key, sorted(spelt), n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(sorted(known))}"
        mistakes.add(cell.place, f"unknown key '{cell.key}'; {hint}")
    elif key in row:
        other = row[key]
        mistakes.add(cell.place, f"'{cell.key}' is said twice ('{other.key}' at {other.place}); keep one of them")
    else:
        row[key] = cell


def merged(base: Row, own: Row) -> Row:
    """The own values over the base's; what says the same in other words goes as well."""
    hidden = {b for a, b in _EXCLUSIVE if a in own} | {a for a, b in _EXCLUSIVE if b in own}
    return {**{key: cell for key, cell in base.items() if key not in hidden}, **own}


def given_row(values: Mapping[str, Any], mistakes: Mistakes) -> Row:
    """The command line's defaults; None is a flag that was not given."""
    row: Row = {}
    where = Place("command line")
    for key, value in values.items():
        if value is not None:
            _add_cell(row, Cell(_written(value), where, Path(), key), JOB_KEYS | BATCH_KEYS, mistakes)
    return row


def _written(value: Any) -> Any:
    """A value as a sheet would have it."""
    if isinstance(value, Path | Fraction):
        return str(value)
    return [_written(item) for item in value] if isinstance(value, tuple | list) else value


# Reading sheets


def read_sheet(path: Path, mistakes: Mistakes) -> Sheet:
    """The sheet in a file of any kind; what cannot be read at all raises JobSheetError."""
    suffix = path.suffix.lower()
    file = Place(str(path))
    if suffix in TIMELINE_SUFFIXES:
        return _timeline_sheet(path)
    if suffix not in SHEET_SUFFIXES | TABLE_SUFFIXES:
        raise JobSheetError(f"{path}: is no job sheet; give a .yaml or .csv, or a timeline (.edl, .otio)")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise JobSheetError(f"{path}: not a text file ({error.reason}); save it as UTF-8") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise JobSheetError(f"{path}: cannot be read ({reason}); check the name and the permissions") from error
    if suffix in SHEET_SUFFIXES:
        return _YamlSheet(path, mistakes).read(text)
    if is_scene_list(text):
        return _timeline_sheet(path)
    return Sheet(file, path.parent, {}, {}, list(_csv_rows(path, text, mistakes)), {})


def _timeline_sheet(path: Path) -> Sheet:
    file = Place(str(path))
    return Sheet(file, path.parent, {"timeline": Cell(str(path), file, Path(), "timeline")}, {}, None, {})


def value_of(text: str) -> Any:
    """A value as it would be read from a sheet: `012`, `no`, `10:00:00:00` and `{AU12: 0.5}` mean the same here.

    Raises:
        JobSheetError: no YAML.
    """
    reader = _YamlSheet(Path("value"), Mistakes())
    root = reader._compose(text)
    return None if root is None else reader._value(root)


class _YamlSheet:
    """Reads a sheet's nodes, each with its line.

    Only mappings, lists and scalars: YAML 1.1's surprises (`10:00:00` a number, `no` false, `2001-01-01` a date)
    are text here.
    """

    def __init__(self, path: Path, mistakes: Mistakes) -> None:
        self._path, self._mistakes = path, mistakes
        self._nodes = 0

    def read(self, text: str) -> Sheet:
        root = self._compose(text)
        if not isinstance(root, yaml.MappingNode):
            raise JobSheetError(f"{self._path}: is empty or no job sheet; it begins with 'jobs:' or 'defaults:'")
        top = self._row(root, _SHEET_KEYS)
        nodes = {_canonical(str(key.value)): value for key, value in root.value}
        base = {key: cell for key, cell in top.items() if key in JOB_KEYS}
        if "defaults" in top:
            for cell in self._block(nodes["defaults"], JOB_KEYS).values():
                _add_cell(base, cell, JOB_KEYS, self._mistakes)
        settings = {key: cell for key, cell in top.items() if key in BATCH_KEYS and cell.value is not None}
        jobs = self._jobs(nodes["jobs"]) if "jobs" in top else None
        shots = self._shots(nodes["shots"]) if "shots" in top else {}
        return Sheet(Place(str(self._path)), self._path.parent, settings, _said(base), jobs, shots)

    def _compose(self, text: str) -> yaml.Node | None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where libyaml is there
        try:
            root: yaml.Node | None = yaml.compose(text, Loader=loader)
        except yaml.MarkedYAMLError as error:
            line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
            problem = " ".join(str(error.problem or error.context).split())
            raise JobSheetError(
                f"{self._path}{line}: not valid YAML ({problem}); check indentation and quotes"
            ) from error
        except (
            yaml.YAMLError,
            ValueError,
            OverflowError,
        ) as error:  # the latter two by escapes like "\\UFFFFFFFF"
            problem = " ".join(str(error).split())
            raise JobSheetError(f"{self._path}: not valid YAML ({problem}); save it as plain text") from error
        return root

    def _place(self, node: yaml.Node) -> Place:
        return Place(str(self._path), node.start_mark.line + 1)

    def _block(self, node: yaml.Node, known: frozenset[str]) -> Row:
        """The entries of a mapping; an empty one has none."""
        if isinstance(node, yaml.MappingNode):
            return self._row(node, known)
        if self._value(node) is not None:
            self._mistakes.add(self._place(node), "needs entries here, 'key: value' a line")
        return {}

    def _row(self, node: yaml.MappingNode, known: frozenset[str]) -> Row:
        row: Row = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._mistakes.add(self._place(key), "a key must be a plain name")
                continue
            plain = None if _canonical(key.value) in ("defaults", "jobs", "shots") else self._value(value)
            cell = Cell(plain, self._place(key), self._path.parent, key.value)
            _add_cell(row, cell, known, self._mistakes)
        return row

    def _jobs(self, node: yaml.Node) -> list[tuple[Place, Row]]:
        if not isinstance(node, yaml.SequenceNode):
            self._mistakes.add(self._place(node), "'jobs' needs a list, '- source: ...' a job")
            return []
        return [(self._place(item), _said(self._block(item, JOB_KEYS))) for item in node.value]

    def _shots(self, node: yaml.Node) -> dict[str, tuple[Place, Row]]:
        if not isinstance(node, yaml.MappingNode):
            self._mistakes.add(self._place(node), "'shots' needs entries, 'NAME: {driver: ...}' a shot")
            return {}
        shots: dict[str, tuple[Place, Row]] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in shots:
                self._mistakes.add(self._place(key), f"shot {name} is there twice; keep one of them")
            shots[name] = (self._place(key), _said(self._block(value, _SHOT_KEYS)))
        return shots

    def _value(self, node: yaml.Node, depth: int = 0) -> Any:
        """Plain data. An alias is its anchor's value; one that contains itself is refused by its depth."""
        self._nodes += 1
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            raise JobSheetError(f"{self._place(node)}: nested too deep for a job sheet; write it out flat")
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.style in ("'", '"', "|", ">") else _scalar(node.value)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, depth + 1) for item in node.value]
        return {str(key.value): self._value(value, depth + 1) for key, value in node.value}


def _said(row: Row) -> Row:
    """Without empty values: `crf:` alone leaves it to the default."""
    return {key: cell for key, cell in row.items() if cell.value is not None}


def _scalar(text: str) -> Any:
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"[-+]?(0|[1-9]\d{0,14})", text):
        return int(text)
    return float(text) if re.fullmatch(r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]?\d+)?", text) else text


def _csv_rows(path: Path, text: str, mistakes: Mistakes) -> Iterator[tuple[Place, Row]]:
    """A job a line under a header of keys; empty cells say nothing, lines that begin with # are remarks."""
    header_line = next((line for line in text.splitlines() if _is_said(line)), "")
    delimiter = max(",;\t", key=header_line.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    end = 0
    try:
        for cells in reader:
            where, end = Place(str(path), end + 1), reader.line_num  # a quoted cell may run over lines
            if not any(cells) or cells[0].lstrip().startswith("#"):
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                _check_header(where, header, mistakes)
            elif len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
                mistakes.add(
                    where,
                    f"has {len(cells)} cells under {len(header)} columns; quote cells that hold '{delimiter}'",
                )
            elif any(cell.strip() for cell in cells):
                yield where, _csv_row(path, where, header, cells)
    except csv.Error as error:
        mistakes.add(Place(str(path), reader.line_num), f"not valid CSV ({error}); check the quotes")
    if header is None:
        mistakes.add(Place(str(path)), "is empty; the first line names the columns, such as source,driver,output")


def _is_said(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _check_header(where: Place, header: list[str], mistakes: Mistakes) -> None:
    row: Row = {}
    for name in header:
        if name:
            _add_cell(row, Cell(None, where, Path(), name), JOB_KEYS, mistakes)


def _csv_row(path: Path, where: Place, header: list[str], cells: list[str]) -> Row:
    return {
        _canonical(name): Cell(cell.strip(), where, path.parent, name)
        for name, cell in zip(header, cells, strict=False)
        if name and _canonical(name) in JOB_KEYS and cell.strip()
    }


# Values


def _no_flag(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"needs a number, not {str(value).lower()}")
    return value


def _as_flag(value: Any) -> Any:
    words = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}
    key = str(value).strip().lower()
    if key not in words:
        raise ValueError(f"needs true or false, not {value!r}")
    return words[key]


def _as_names(value: Any) -> Any:
    """A list, or names with commas between them."""
    return [name.strip() for name in re.split(r"[,;]", value) if name.strip()] if isinstance(value, str) else value


def _as_files(value: Any) -> Any:
    """A list, or paths with bars between them (commas and semicolons occur in names and delimit cells)."""
    return [name.strip() for name in value.split("|") if name.strip()] if isinstance(value, str) else value


def _as_gains(value: Any) -> Any:
    """A mapping, or the command line's AU12=0.5,AU04=0."""
    if not isinstance(value, str):
        return value
    gains: dict[str, str] = {}
    for pair in _as_names(value):
        name, equals, number = pair.partition("=")
        if not equals:
            raise ValueError(f"{pair!r} is not AU=NUMBER, such as AU12=0.5")
        gains[name.strip()] = number.strip()
    return gains


def _as_face(value: Any) -> Any:
    return FaceSelection.parse(str(value))


def _as_rate(value: Any) -> Any:
    return rate_of(value)


def _as_time(value: Any) -> Any:
    if not isinstance(value, int | float | str):
        raise ValueError("needs a time: seconds (1.5), frames (36f) or timecode (00:00:01:12)")
    return value


_NoFlag = BeforeValidator(_no_flag)
_Number = Annotated[float, _NoFlag, Field(allow_inf_nan=False)]
_Count = Annotated[int, _NoFlag]
_Flag = Annotated[bool, BeforeValidator(_as_flag)]
_Time = Annotated[float | int | str, _NoFlag, BeforeValidator(_as_time)]
_Text = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]
_Face = Annotated[FaceSelection, BeforeValidator(_as_face)]
_Rate = Annotated[Fraction, BeforeValidator(_as_rate)]


class JobSettings(BaseModel):
    """A job's values in their types; what is not said is None. Times wait for the source's rate."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    source: _Text | None = None
    driver: _Text | None = None
    drivers: Annotated[list[_Text], BeforeValidator(_as_files), Field(min_length=1)] | None = None
    output: _Text | None = None
    name: _Text | None = None
    trim_start: _Time | None = None
    trim_end: _Time | None = None
    frames: _Text | None = None
    mode: Literal["match", "add"] | None = None
    strength: _Number | None = None
    gain: Annotated[dict[str, _Number], BeforeValidator(_as_gains)] | None = None
    region: Annotated[list[_Text], BeforeValidator(_as_names)] | None = None
    smooth: _Time | None = None
    driver_neutral: _Time | None = None
    source_neutral: _Time | None = None
    gaze: _Flag | None = None
    driver_offset: _Time | None = None
    after: Literal["release", "hold", "loop"] | None = None
    release: _Time | None = None
    face: _Face | None = None
    driver_face: _Face | None = None
    min_face: _Count | None = None
    checkpoint: _Text | None = None
    device: _Text | None = None
    batch_size: Annotated[_Count, Field(ge=0)] | None = None
    frame_rate: _Rate | None = None
    overwrite: _Flag | None = None
    encoder: _Text | None = None
    crf: _Count | None = None
    preset: _Text | None = None
    pixel_format: _Text | None = None
    profile: _Text | None = None
    handles: Annotated[_Count, Field(ge=0)] | None = None
    media_start: _Text | None = None
    skip: _Flag | None = None


class BatchSettings(BaseModel):
    """What a sheet says about the batch as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    timeline: _Text | None = None
    media: _Text | None = None
    handles: Annotated[_Count, Field(ge=0)] = 0
    timeline_rate: _Rate | None = None
    media_start: _Text | None = None
    output_dir: _Text | None = None


_Model = TypeVar("_Model", bound=BaseModel)

BATCH_KEYS = frozenset(BatchSettings.model_fields)
JOB_KEYS = frozenset(JobSettings.model_fields) - {"handles", "media_start", "skip"}
_SHEET_KEYS = BATCH_KEYS | JOB_KEYS | {"defaults", "jobs", "shots"}
_SHOT_KEYS = frozenset(JobSettings.model_fields) - {"source", "trim_start", "trim_end", "frames"}


def checked(model: type[_Model], row: Row, mistakes: Mistakes) -> _Model:
    """The row in its types. What does not fit is told and left out, so that the rest is looked at, too."""
    values = {key: cell.value for key, cell in row.items() if key in model.model_fields}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for found in error.errors():
            cell = row[str(found["loc"][0])]
            inner = [str(part) for part in found["loc"][1:] if isinstance(cell.value, dict)]
            mistakes.add(cell.place, f"{': '.join([cell.key, *inner])}: {_in_words(found)}")
        wrong = {found["loc"][0] for found in error.errors()}
        return model.model_validate({key: value for key, value in values.items() if key not in wrong})


_WORDS: Mapping[str, str] = {
    "string_type": "needs text",
    "dict_type": "needs entries, AU12: 0.5",
    "list_type": "needs a list",
    "float_parsing": "needs a number",
    "float_type": "needs a number",
    "int_parsing": "needs a whole number",
    "int_from_float": "needs a whole number",
    "int_type": "needs a whole number",
    "finite_number": "needs a number",
    "string_too_short": "is empty; say something or leave it out",
    "too_short": "is empty; say something or leave it out",
}
"""Pydantic's error types whose own words speak of Python."""


def _in_words(error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    said = _WORDS.get(error["type"]) or error["msg"].removeprefix("Input ")
    shown = str(error["input"])
    return (
        f"{said}, not {shown[:40]!r}" if shown and error["type"] not in ("string_too_short", "too_short") else said
    )
