"""What jobs and their outputs are called: "{index:03d}_{source_name}.{ext}" filled in."""

from __future__ import annotations

import functools
import os
import re
import string
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from retarget.model.suggestions import suggestion

from .. import media
from ..editorial import as_file_name
from ..errors import OptionError
from ..files import UniqueNames, check_name, home_expanded, parse_pattern, suffixes
from ..media import EncodeOptions
from .checks import error_of

if TYPE_CHECKING:
    from .drafts import Draft

DEFAULT_NAME = "{source_name}--{driver_name}"
DEFAULT_SHOT_NAME = "{shot_name}"

_FIELDS = ("index", "source_name", "source_folder", "driver_name", "shot_name", "ext")
_OUTPUT_SUFFIXES = frozenset({*suffixes.FILM_OUTPUTS, *suffixes.PICTURE_OUTPUTS})
_MAX_NAME_BYTES = 200


class JobNames:
    """Names for jobs, after their outputs, unique without regard to case."""

    def __init__(self, folder: Path) -> None:
        """`folder` is that of the outputs; folders within it are part of a name."""
        self._folder = folder
        self._names = UniqueNames("-")

    def of(self, output: Path) -> str:
        """A name that no other job has been given."""
        return self._names.of(self._stem(output))

    def _stem(self, output: Path) -> str:
        """The output's name without suffix, with its folders within the output folder."""
        pattern = parse_pattern(output)
        stem = pattern.stem if pattern else output.stem
        if output.is_relative_to(self._folder):
            parts = [*output.relative_to(self._folder).parent.parts, stem]
            joined = as_file_name("--".join(parts))
            return joined if len(os.fsencode(joined)) <= _MAX_NAME_BYTES else stem
        return stem


def output_path(draft: Draft, index: int, folder: Path) -> Path:
    """Where a draft's output goes; raises OptionError for a pattern that cannot be filled in."""
    values: dict[str, str | int] = {
        "index": index,
        "source_name": _stem(draft.source),
        "source_folder": draft.source.absolute().parent.name,
        "driver_name": "+".join(dict.fromkeys(_stem(driver) for driver in draft.drivers)),
        "ext": _extension(draft.source.suffix.lower(), draft.options.encode),
    }
    if draft.shot is not None:
        values["shot_name"] = draft.shot.name
    name = fill_name(draft.name, values)
    check_name(name)
    if Path(name).suffix.lower() not in _OUTPUT_SUFFIXES:
        name = f"{name}.{values['ext']}"
    if draft.output is None:
        return folder / name
    written = fill_name(draft.output, values)
    path = home_expanded(written, folder)
    return path / name if written.endswith(("/", os.sep)) or path.is_dir() else path


def fill_name(pattern: str, values: Mapping[str, str | int]) -> str:
    """The pattern with its fields filled in: "{index:03d}_{source_name}.{ext}".

    Raises:
        OptionError: a field that does not exist or that this job does not have, or a format that does not fit.
    """
    out = []
    try:
        for literal, name, form, conversion in string.Formatter().parse(pattern):
            out.append(literal)
            if name is None:
                continue
            if name not in _FIELDS or conversion:
                hint = suggestion(name, _FIELDS, f"there are {', '.join(_FIELDS)}", quoted="{{{}}}")
                raise OptionError(f"name {pattern!r}: there is no {{{name}}}; {hint}")
            if name not in values:
                raise OptionError(f"name {pattern!r}: {{{name}}} is only for jobs of a timeline; leave it out")
            if any(int(number) > _MAX_NAME_BYTES for number in re.findall(r"\d{1,9}", form or "")):
                raise OptionError(f"name {pattern!r}: {{{name}:{form}}} is longer than any file name")
            out.append(format(values[name], form or ""))
    except OptionError:
        raise
    except ValueError as error:
        raise OptionError(f"name {pattern!r}: {error}; write fields as {{index:03d}}_{{source_name}}") from error
    return "".join(out)


def _stem(path: Path) -> str:
    """As the single run's default output: without folder, number pattern and suffix."""
    pattern = parse_pattern(path)
    return (pattern.stem if pattern else path.stem).rstrip("._- ") or "frames"


@functools.lru_cache(maxsize=256)
def _extension(suffix: str, encode: EncodeOptions) -> str:
    """The source's own kind of file where that can be written with this encoder, else the first that can."""
    wanted = [media.default_suffix(Path(suffix and f"source{suffix}"), encode.codec)]
    for candidate in dict.fromkeys([*wanted, *suffixes.FILM_OUTPUTS]):
        if encode_error(candidate, EncodeOptions(codec=encode.codec)) is None:
            return candidate[1:]
    return wanted[0][1:]


@functools.lru_cache(maxsize=1024)
def encode_error(suffix: str, encode: EncodeOptions) -> str | None:
    """Why no source at all could be written like that."""
    error = error_of(lambda: media.check_encode_options(Path(f"*{suffix}"), encode))
    return None if error is None else str(error)
