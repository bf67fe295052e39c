"""An option is declared once, and found everywhere."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.commands.option_flags import add_options, options_said
from retarget.pipeline.jobs import settings_model
from retarget.pipeline.media import EncodeOptions
from retarget.pipeline.option_table import ENCODING, PERFORMANCE, RUNNING, Kind, markdown_table, option, options_of
from retarget.pipeline.options import RetargetOptions


@dataclass(frozen=True, kw_only=True)
class WithAnother(RetargetOptions):
    """What a run can be asked for, and one thing more."""

    wrinkles: float = option(
        0.5,
        ("--wrinkles", "--lines"),
        Kind.NUMBER,
        PERFORMANCE,
        "how deep lines become",
        metavar="X",
        words=("folds",),
    )


OWNERS = (WithAnother, EncodeOptions)


def parsed(*arguments: str) -> RetargetOptions:
    flags = argparse.ArgumentParser()
    add_options(flags, PERFORMANCE, RUNNING, ENCODING, owners=OWNERS)
    return options_said(flags.parse_args(arguments), Path("a.mp4"), OWNERS)


def test_an_option_declared_once_is_a_flag() -> None:
    assert parsed().wrinkles == 0.5  # type: ignore[attr-defined]
    assert parsed("--wrinkles", "2").wrinkles == 2.0  # type: ignore[attr-defined]
    assert parsed("--lines=0.25", "--strength", "3").wrinkles == 0.25  # type: ignore[attr-defined]
    with pytest.raises(SystemExit):
        parsed("--wrinkles", "deep")


def test_files_may_be_named_together_and_again() -> None:
    assert parsed().references == ()
    said = parsed("--reference", "a.mov", "stills", "--gaze", "--reference", "b.png")
    assert said.references == (Path("a.mov"), Path("stills"), Path("b.png"))
    assert said.gaze
    assert not said.any_reference
    assert parsed("--reference-any").any_reference
    with pytest.raises(SystemExit):
        parsed("--reference")


def test_and_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--help")
    assert "how deep lines become (default 0.5)" in " ".join(capsys.readouterr().out.split())


def test_and_is_a_key_of_job_sheets_with_its_other_words() -> None:
    model = settings_model(OWNERS)
    assert model.model.model_validate({"wrinkles": "0.75"}).wrinkles == 0.75  # type: ignore[attr-defined]
    assert [model.canonical(word) for word in ("Wrinkles", "--lines", "folds", "Fold s")] == [
        "wrinkles", "wrinkles", "wrinkles", "fold_s"
    ]  # fmt: skip
    with pytest.raises(ValueError, match="wrinkles"):
        model.model.model_validate({"wrinkles": "deep"})


def test_and_a_row_of_the_readme() -> None:
    row = "| `--wrinkles`, `--lines` `X` | `wrinkles` | how deep lines become (default 0.5) |"
    assert row in markdown_table(OWNERS).splitlines()


def test_every_option_is_said_and_no_name_twice() -> None:
    said = [o for owner in (RetargetOptions, EncodeOptions) for o in options_of(owner)]
    unsaid = {f.name for owner in (RetargetOptions, EncodeOptions) for f in fields(owner)} - {
        o.field for o in said
    }
    assert unsaid == {"encode", "threads"}, "the one is a group, the other the machine's business"
    words: list[str] = [word for o in said for word in (o.key, *o.aliases)]
    flags = [flag for o in said for flag in o.flags]
    assert len(set(words)) == len(words)
    assert len(set(flags)) == len(flags)
    assert all(o.help and not o.help.endswith(".") for o in said)


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        (["--gain", "AU12=0.5,AU4=0", "--gain", "AU12=2"], "gains", {"AU12": 2.0, "AU4": 0.0}),
        (["--region", "mouth, AU06"], "regions", ("mouth", "AU06")),
        (["--neutral", "none"], "driver_neutral", "none"),
        (["--source-neutral", "1.5s"], "source_neutral", 1.5),
        (["--driver-offset=-2"], "driver_offset_seconds", -2.0),
        (["--trim-end", "00:00:01.500"], "trim_end", 1.5),
        (["--gaze"], "gaze", True),
        (["--min-face", "20"], "min_face_px", 20),
    ],
)
def test_what_is_written_becomes_what_the_field_takes(arguments: list[str], field: str, value: Any) -> None:
    flags = argparse.ArgumentParser()
    add_options(flags, PERFORMANCE, RUNNING, ENCODING)
    options = options_said(flags.parse_args(arguments), Path("nowhere.mp4"))
    assert getattr(options, field) == value, "and the source is not opened for it"
