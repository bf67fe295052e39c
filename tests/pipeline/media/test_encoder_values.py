"""Ranges and words of encoders, refused before anything is encoded."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.errors import OptionError
from retarget.pipeline.media.encode import check_encode_options
from retarget.pipeline.media.options import EncodeOptions


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("o.mp4", EncodeOptions(crf=60), r"crf 60 is no quality of libx264; use 0 \(best\) to 51"),
        ("o.mp4", EncodeOptions(codec="hevc", crf=52), r"libx265; use 0 \(best\) to 51"),
        ("o.mkv", EncodeOptions(codec="libx265", crf=63), r"libx265; use 0 \(best\) to 51"),
        ("o.mp4", EncodeOptions(preset="fastest"), r"none of libx264; did you mean faster\? There are ultrafast"),
        ("o.mp4", EncodeOptions(codec="libsvtav1", preset="fast"), r"'fast' is none of libsvtav1; use -2 to 13"),
        (
            "o.mp4",
            EncodeOptions(codec="libsvtav1", preset="14"),
            r"preset '14' is none of libsvtav1; use -2 to 13",
        ),
        ("o.mp4", EncodeOptions(profile="best"), r"profile 'best' is none of libx264; there are baseline, main"),
        ("o.mov", EncodeOptions(codec="prores", profile="422"), r"none of prores_ks"),
    ],
)
def test_refused_with_the_range(name: str, options: EncodeOptions, said: str) -> None:
    with pytest.raises(OptionError, match=f"{name}: .*{said}"):
        check_encode_options(Path(name), options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("o.mp4", EncodeOptions(crf=0, preset="veryslow", profile="high")),
        ("o.mp4", EncodeOptions(codec="hevc", crf=51, preset="placebo")),
        ("o.mov", EncodeOptions(codec="prores", profile="4444")),
        ("o.mp4", EncodeOptions(codec="libsvtav1", preset="8", crf=63)),
    ],
)
def test_taken(name: str, options: EncodeOptions) -> None:
    check_encode_options(Path(name), options)
