"""What can be asked of an output, and what its name alone forbids."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from retarget.pipeline.errors import OptionError
from retarget.pipeline.files import suffixes
from retarget.pipeline.media.options import (
    EncodeOptions,
    check_output_name,
    check_picture_options,
    is_picture,
)

LIGHT = """
import sys
from retarget.pipeline.media import EncodeOptions
EncodeOptions(codec="hevc")
print(*sorted({"av", "cv2", "numpy", "torch"} & set(sys.modules)))
"""


def test_options_load_no_codec() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("suffix", suffixes.FILM_OUTPUTS)
def test_names_of_films(suffix: str) -> None:
    for name in (f"out{suffix}", f"out{suffix.upper()}"):
        check_output_name(Path(name))
        assert not is_picture(Path(name))


@pytest.mark.parametrize("suffix", suffixes.PICTURE_OUTPUTS)
def test_names_of_pictures(suffix: str) -> None:
    for name in (f"out{suffix}", f"out.%04d{suffix.upper()}"):
        check_output_name(Path(name))
        assert is_picture(Path(name))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "b.gif",
            r"cannot write \.gif; use \.mp4, \.mov, \.m4v, \.mkv, \.webm or \.mxf, or an image sequence such as",
        ),
        ("b", "cannot write a file without suffix"),
        ("b.####.mov", r"a frame number makes no sense in a \.mov file; name it without"),
    ],
)
def test_names_that_nothing_is_written_under(name: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        check_output_name(Path(name))


def test_what_only_a_film_has() -> None:
    check_picture_options(Path("a.png"), EncodeOptions(pixel_format="rgb24", threads=3))
    for options in (EncodeOptions("h264"), EncodeOptions(crf=0), EncodeOptions(profile="hq")):
        with pytest.raises(OptionError, match="pictures take no codec, crf, preset or profile"):
            check_picture_options(Path("a.png"), options)


@pytest.mark.parametrize("crf", [10**12, -13, 64])
def test_a_quality_that_no_encoder_has(crf: int) -> None:
    with pytest.raises(OptionError, match=f"crf {crf} makes no sense; use 0"):
        EncodeOptions(crf=crf)
