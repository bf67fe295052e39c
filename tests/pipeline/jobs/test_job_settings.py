"""Keys and values of sheets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.jobs.job_settings import JOB_KEYS, KEYS, canonical
from retarget.pipeline.media import EncodeOptions
from retarget.pipeline.option_table import options_of
from retarget.pipeline.options import RetargetOptions


def test_every_option_can_be_said() -> None:
    options = [option for owner in (RetargetOptions, EncodeOptions) for option in options_of(owner)]
    assert {option.key for option in options} <= JOB_KEYS
    for option in options:
        assert {canonical(word) for word in (*option.flags, *option.aliases)} == {option.key}


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("start", "trim_start"), ("end", "trim_end"), ("driving", "driver"), ("gains", "gain"),
        ("regions", "region"), ("neutral", "driver_neutral"), ("faces", "face"), ("driver_faces", "driver_face"),
        ("codec", "encoder"), ("pix_fmt", "pixel_format"), ("scenes", "timeline"), ("Trim Start", "trim_start"),
        ("--batch-size", "batch_size"),
    ],
)  # fmt: skip
def test_other_words_for_a_key(word: str, key: str) -> None:
    assert canonical(word) == key


def test_numbers_in_every_form_of_theirs() -> None:
    said = {"crf": "012", "strength": "1e-1", "min_face": "1e2", "gain": {"AU12": ".5"}, "name": "012"}
    settings = KEYS.model.model_validate(said)
    assert [settings.said(key) for key in ("crf", "strength", "min_face")] == [12, 0.1, 100]
    assert settings.said("gain") == {"AU12": 0.5}
    assert settings.name == "012", "where text is wanted it stays as written"


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("gain: {AU99: 1}", "4: unknown action unit 'AU99'; known are AU01, AU02,"),
        ("gain: AU12:0.5", "4: gain: 'AU12:0.5' is not AU=NUMBER, such as AU12=0.5"),
        ("gain: [1]", "4: gain: needs entries, AU12: 0.5, not '[1]'"),
        ("region: nose", "4: region 'nose' is none of"),
        ("region: []", ""),
        ("mode: Match", "4: mode: should be 'match' or 'add', not 'Match'"),
        ("crf: 1.5", "4: crf: needs a whole number, not '1.5'"),
        ("crf: lots", "4: crf: needs a whole number, not 'lots'"),
        ("strength: .nan", "4: strength: needs a number, not '.nan'"),
        ("gaze: maybe", "4: gaze: needs true or false, not 'maybe'"),
        ("smooth: [1]", "4: smooth: needs a time: seconds (1.5)"),
        ("smooth: 9", "4: smoothing over 9.0 s makes no sense"),
        ("release: soon", "4: release: 'soon' is no time; write seconds (1.5)"),
        ("frame_rate: 0", "4: frame_rate: frame rate 0 makes no sense; write 24"),
        ("refine: 3", "4: 3 rounds of refining make no sense; use 0 (off) to 2"),
        ("batch_size: 0", "4: batch_size: 0 is too few; use 1 or more"),
        ("crf: 60", "4: *.mov: crf 60 is no quality of libx264; use 0 (best) to 51"),
        ("preset: fastest", "4: *.mov: preset 'fastest' is none of libx264; did you mean faster?"),
        ("driver_frame_rate: fast", "4: driver_frame_rate: frame rate 'fast' makes no sense; write 24"),
        ("min_face: 0", "4: a smallest face of 0 px makes no sense"),
        ("start: -1", "4: start -1 s is before the first frame; give 0 or more"),
        ("frames: ten", "4: frames: 'ten' is no range of frames; write 10-200"),
        ("frames: 20-10", "4: frames: 20-10 is no range; frames count from 0 upwards"),
        ("frames: 48-50", "4: frames: 48-50 lies behind the source's frames 0 to 47"),
        ("frames: 1-2\nstart: 1", "4: 'frames' and a start or end are both said; keep one of them"),
        ("driver-neutral: face.png", "4: driver-neutral: 'face.png' is neither auto, none, a time"),
        ("checkpoint: net.safetensors", "4: "),
        ("encoder: h265x", "4: *.mov: no encoder is called h265x; use h264"),
        ("encoder: prores\noutput: x.mp4", "4: *.mp4: prores does not fit a .mp4 file; use .mov or .mkv"),
        ("pix_fmt: yuv999", "4: *.mov: libx264 has no pixel format yuv999; it has"),
        ("output: x.%04d.mov", "4: *.%04d.mov: a frame number makes no sense in a .mov file"),
        ("output: x.%04d.png\ncrf: 3", "5: *.%04d.png: pictures take no codec, crf, preset or profile; leave"),
        ("output: x.gif", "4: *.gif: cannot write .gif; use .mp4"),
        ("output: ''", "4: output: is empty; say something or leave it out"),
        ("output: '{nam}.mov'", "4: name '{nam}.mov': there is no {nam}"),
        ("shot: x", "4: unknown key 'shot'; "),
        ("start: 1\ntrim_start: 2", "5: 'trim_start' is said twice ('start' at jobs.yaml:4); keep one of them"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_job(
    folder: Path, lines: str, complaint: str, jobs_of: Any, mistakes_of: Any, one: Any
) -> None:
    if not complaint:
        assert len(jobs_of(folder, one(lines))) == 1
        return
    found = mistakes_of(folder, one(lines))
    assert len(found) == 1, found
    assert found[0].startswith(f"jobs.yaml:{complaint}")
